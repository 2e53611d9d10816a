// SPDX-License-Identifier: MIT
//
// Requests that are sent before the answer before theirs is over, to a server played by hand.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/host_state.h"
#include "fetch/http_transport.h"
#include "tests/fetch/recording_exchange.h"
#include "tests/support/sockets.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using fetch::Fault;

std::ptrdiff_t requests_in(std::string_view text) {
  std::ptrdiff_t count = 0;
  for (std::size_t at = 0; (at = text.find("\r\n\r\n", at)) != text.npos; at += 4) ++count;
  return count;
}

// One connection of the server's.
class Client {
 public:
  explicit Client(Descriptor socket) : socket_(std::move(socket)) {}

  // Requests that have come.
  std::ptrdiff_t requests() {
    std::array<char, 4096> some;
    for (ssize_t got = 1; got > 0;) {
      got = ::recv(socket_.get(), some.data(), some.size(), MSG_DONTWAIT);
      if (got > 0) heard_.append(some.data(), static_cast<std::size_t>(got));
    }
    return requests_in(heard_);
  }
  void say(std::string_view words) { EXPECT_TRUE(send_all(socket_, words)); }
  void hang_up() { socket_.reset(); }
  // Whatever has not been read is read; nothing can be sent any more.
  void break_off() {
    reset_on_close(socket_);
    hang_up();
  }

 private:
  Descriptor socket_;
  std::string heard_;
};

// One with TLS, under a certificate that nobody vouches for.
class TlsClient {
 public:
  explicit TlsClient(Descriptor socket)
      : socket_(std::move(socket)), context_(SSL_CTX_new(TLS_server_method())) {
    EVP_PKEY* const key = EVP_EC_gen("P-256");
    X509* const certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    EXPECT_NE(X509_sign(certificate, key, EVP_sha256()), 0);
    EXPECT_EQ(SSL_CTX_use_certificate(context_, certificate), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(context_, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    ::fcntl(socket_.get(), F_SETFL, O_NONBLOCK);
    tls_ = SSL_new(context_);
    SSL_set_fd(tls_, socket_.get());
  }
  ~TlsClient() {
    SSL_free(tls_);
    SSL_CTX_free(context_);
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  bool shakes_hands() { return SSL_accept(tls_) == 1; }
  std::ptrdiff_t requests() {
    std::array<char, 4096> some;
    for (int got = 1; got > 0;) {
      got = SSL_read(tls_, some.data(), some.size());
      if (got > 0) heard_.append(some.data(), static_cast<std::size_t>(got));
    }
    return requests_in(heard_);
  }
  // In a record of its own.
  void say(std::string_view words) {
    EXPECT_EQ(SSL_write(tls_, words.data(), static_cast<int>(words.size())),
              static_cast<int>(words.size()));
  }
  void hang_up() {
    SSL_shutdown(tls_);
    ::shutdown(socket_.get(), SHUT_WR);
  }

 private:
  Descriptor socket_;
  SSL_CTX* const context_;
  SSL* tls_;
  std::string heard_;
};

std::string head_of(std::size_t length, std::string_view more = {}) {
  return "HTTP/1.1 206 Partial\r\nContent-Length: " + std::to_string(length) + "\r\n" +
         std::string(more) + "\r\n";
}
std::string answer(std::string_view body) { return head_of(body.size()) + std::string(body); }

class Pipelining : public testing::Test {
 protected:
  fetch::WireRequest get(const fetch::Exchange* behind = nullptr) const {
    fetch::WireRequest request;
    request.url = scheme + "://127.0.0.1:" + std::to_string(port) + "/f";
    request.host_port = "server";
    request.behind = behind;
    return request;
  }
  bool poll_until(const std::function<bool()>& holds) {
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (!holds() && std::chrono::steady_clock::now() < until) transport->poll(5ms);
    return holds();
  }
  Descriptor accept_socket() {
    poll_until([&] { return sockets.opened_ever() > accepted; });
    ++accepted;
    return Descriptor(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  Client accept() { return Client(accept_socket()); }
  // The first answer is on its way: of "GOOD" half has come.
  Client begin(std::string_view fields = {}) { return begin_with(head_of(4, fields) + "GO"); }
  Client begin_with(std::string_view words) {
    EXPECT_FALSE(transport->start(get(), first));
    Client client = accept();
    EXPECT_TRUE(poll_until([&] { return client.requests() == 1; }));
    client.say(words);
    EXPECT_TRUE(poll_until([&] { return first.text == "GO"; }));
    return client;
  }
  // ... and the second request was sent behind it.
  Client begin_both() {
    Client client = begin();
    EXPECT_TRUE(transport->start(get(&first), second));
    EXPECT_TRUE(poll_until([&] { return client.requests() == 2; }));
    EXPECT_FALSE(second.sent) << "its turn has not come";
    return client;
  }
  void expect_answered(const RecordingExchange& exchange, std::string_view text) {
    EXPECT_TRUE(poll_until([&] { return exchange.ended; }));
    EXPECT_EQ(exchange.fault, Fault::none) << exchange.detail;
    EXPECT_EQ(exchange.text, text);
  }
  // The second request has come again, over another connection.
  void expect_second_over_another() {
    Client other = accept();
    ASSERT_TRUE(poll_until([&] { return other.requests() == 1; }));
    other.say(answer("NEXT"));
    expect_answered(second, "NEXT");
    EXPECT_FALSE(second.reused);
    EXPECT_EQ(sockets.open(), 1u);
  }

  static fetch::FetchLimits limits() {
    fetch::FetchLimits limits;
    limits.trust.verify = false;
    return limits;
  }

  std::string scheme = "http";
  std::uint16_t port = 0;
  const Descriptor listener = listen_on(port);
  std::uint64_t accepted = 0;
  RecordingExchange first, second;
  fetch::HostTable sockets{16};
  std::unique_ptr<fetch::HttpTransport> transport =
      std::make_unique<fetch::HttpTransport>(limits(), sockets);
};

TEST_F(Pipelining, TheSecondAnswerComesBehindTheFirst) {
  Client client = begin_both();
  client.say("OD");
  expect_answered(first, "GOOD");
  EXPECT_TRUE(poll_until([&] { return second.sent; })) << "its turn";
  client.say(answer("NEXT"));
  expect_answered(second, "NEXT");
  EXPECT_TRUE(second.reused);
  RecordingExchange third;
  EXPECT_FALSE(transport->start(get(), third));
  EXPECT_TRUE(poll_until([&] { return client.requests() == 3; })) << "the connection is idle";
  client.say(answer("MORE"));
  expect_answered(third, "MORE");
  EXPECT_EQ(sockets.opened_ever(), 1u);
}

// Wherever the bytes of the two are cut; into places of their own, too.
TEST_F(Pipelining, BytesBehindTheEndOfAnAnswerAreOfTheNext) {
  const std::string both = "OD" + answer("NEXT");
  Client client = begin_both();
  for (std::size_t cut = 1; cut <= both.size(); ++cut) {
    first.room_size = second.room_size = cut % 2 == 0 ? first.room.size() : 0;
    SCOPED_TRACE(cut);
    client.say(both.substr(0, cut));
    EXPECT_TRUE(poll_until([&] { return cut < 2 || second.sent; }));
    client.say(both.substr(cut));
    expect_answered(first, "GOOD");
    expect_answered(second, "NEXT");
    if (HasFailure() || cut == both.size()) break;
    first = second = {};
    EXPECT_FALSE(transport->start(get(), first));
    const auto come = client.requests();
    client.say(head_of(4) + "GO");
    EXPECT_TRUE(poll_until([&] { return first.text == "GO"; }));
    EXPECT_TRUE(transport->start(get(&first), second));
    EXPECT_TRUE(poll_until([&] { return client.requests() == come + 2; }));
  }
  EXPECT_EQ(sockets.opened_ever(), 1u);
}

TEST_F(Pipelining, AnEmptyAnswerHasItsTurn) {
  Client client = begin_both();
  client.say("OD" + answer(""));
  expect_answered(first, "GOOD");
  expect_answered(second, "");
  EXPECT_EQ(sockets.open(), 1u);
}

// RFC 9112 section 9.3
TEST_F(Pipelining, NothingIsSentBehindAnAnswerThatEndsTheConnection) {
  Client client = begin("Connection: close\r\n");
  EXPECT_FALSE(transport->start(get(&first), second));
  client.say("OD");
  expect_answered(first, "GOOD");
  Client other = accept();
  EXPECT_TRUE(poll_until([&] { return other.requests() == 1; }));
  EXPECT_EQ(client.requests(), 1);
}

TEST_F(Pipelining, NothingIsSentBehindAnAnswerThatHasNotBegun) {
  EXPECT_FALSE(transport->start(get(), first));
  Client client = accept();
  EXPECT_TRUE(poll_until([&] { return client.requests() == 1; }));
  EXPECT_FALSE(transport->start(get(&first), second));
}

TEST_F(Pipelining, OneWaitsForItsTurnAtATime) {
  Client client = begin_both();
  RecordingExchange third;
  EXPECT_FALSE(transport->start(get(&first), third));
  transport->abort(third);
  client.say("OD");
  EXPECT_TRUE(poll_until([&] { return second.sent; }));
  EXPECT_FALSE(transport->start(get(&second), third)) << "its answer has not begun";
  transport->abort(third);
  client.say(head_of(4) + "NE");
  EXPECT_TRUE(poll_until([&] { return second.text == "NE"; }));
  EXPECT_TRUE(transport->start(get(&second), third));
  EXPECT_TRUE(poll_until([&] { return client.requests() == 3; }));
  client.say("XT" + answer("LAST"));
  expect_answered(second, "NEXT");
  expect_answered(third, "LAST");
}

TEST_F(Pipelining, AnAnswerInChunksHasAnEndToo) {
  Client client = begin_with("HTTP/1.1 206 Partial\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nGO");
  EXPECT_TRUE(transport->start(get(&first), second));
  EXPECT_TRUE(poll_until([&] { return client.requests() == 2; }));
  client.say("\r\n2\r\nOD\r\n0\r\n\r\n" + answer("NEXT"));
  expect_answered(first, "GOOD");
  expect_answered(second, "NEXT");
}

// What the server has not read when it closes cuts what it has said (RFC 9112 section 9.6).
TEST_F(Pipelining, NothingIsSentBehindAnAnswerWhoseEndIsTheConnections) {
  Client client = begin_with("HTTP/1.1 206 Partial\r\n\r\nGO");
  EXPECT_FALSE(transport->start(get(&first), second));
  client.say("OD");
  client.hang_up();
  expect_answered(first, "GOOD");
}

TEST_F(Pipelining, NothingIsSentBehindAnAnswerOfAnEarlierProtocol) {
  Client client =
      begin_with("HTTP/1.0 206 Partial\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nGO");
  EXPECT_FALSE(transport->start(get(&first), second));
}

TEST_F(Pipelining, ANetworkChangeLeavesBothAlone) {
  Client client = begin_both();
  transport->network_changed();
  client.say("OD" + answer("NEXT"));
  expect_answered(first, "GOOD");
  expect_answered(second, "NEXT");
  EXPECT_TRUE(second.reused);
}

TEST_F(Pipelining, ARequestOfAnotherKindHasAConnectionOfItsOwn) {
  Client client = begin();
  fetch::WireRequest fresh = get(&first), elsewhere = get(&first), for_others = get(&first),
                     in_public = get(&first);
  fresh.fresh = true;
  elsewhere.url = "http://127.0.0.2:" + std::to_string(port) + "/f";
  for_others.host_port = "another";
  in_public.public_only = true;
  for (const auto& request : {fresh, elsewhere, for_others, in_public}) {
    RecordingExchange exchange;
    EXPECT_FALSE(transport->start(request, exchange));
    transport->abort(exchange);
  }
  EXPECT_TRUE(transport->start(get(&first), second));
}

// --------------------------------------------------------------------------- before its turn

TEST_F(Pipelining, AConnectionThatEndsInTheFirstAnswerCostsTheSecondAnother) {
  Client client = begin_both();
  client.hang_up();
  EXPECT_TRUE(poll_until([&] { return first.ended; }));
  EXPECT_NE(first.fault, Fault::none);
  EXPECT_FALSE(second.sent);
  expect_second_over_another();
}

TEST_F(Pipelining, AFirstOneThatStopsCostsTheSecondAnother) {
  first.stop_at = 3;
  Client client = begin_both();
  client.say("OD");
  EXPECT_TRUE(poll_until([&] { return first.ended; }));
  EXPECT_EQ(first.fault, Fault::stopped);
  expect_second_over_another();
}

TEST_F(Pipelining, AFirstOneThatIsAbortedCostsTheSecondAnother) {
  Client client = begin_both();
  transport->abort(first);
  expect_second_over_another();
  EXPECT_FALSE(first.ended);
}

TEST_F(Pipelining, AFirstOneThatIsAbortedBeforeTheSecondIsSent) {
  Client client = begin();
  EXPECT_TRUE(transport->start(get(&first), second));
  transport->abort(first);
  expect_second_over_another();
  EXPECT_EQ(client.requests(), 1);
}

TEST_F(Pipelining, AnAbortedSecondOneEndsTheConnectionAfterTheFirst) {
  Client client = begin_both();
  transport->abort(second);
  client.say("OD");
  expect_answered(first, "GOOD");
  EXPECT_EQ(sockets.open(), 0u) << "an answer to nobody is to come";
  EXPECT_FALSE(second.sent);
}

TEST_F(Pipelining, AnAbortedSecondOneThatWasNotSentLeavesNoTrace) {
  Client client = begin();
  EXPECT_TRUE(transport->start(get(&first), second));
  transport->abort(second);
  client.say("OD");
  expect_answered(first, "GOOD");
  EXPECT_EQ(client.requests(), 1);
  EXPECT_EQ(sockets.open(), 1u);
}

// Beside others that begin, too.
TEST_F(Pipelining, ASecondOneThatCannotBeSentCostsItAnotherConnection) {
  for (const bool beside : {false, true}) {
    first = second = {};
    RecordingExchange third;
    Client client = begin();
    client.break_off();
    EXPECT_TRUE(transport->start(get(&first), second));
    if (beside) {
      EXPECT_FALSE(transport->start(get(), third));
    }
    EXPECT_TRUE(poll_until([&] { return first.ended; }));
    EXPECT_NE(first.fault, Fault::none);
    std::vector<Client> others;
    for (int i = 0; i <= beside; ++i) others.push_back(accept());
    EXPECT_TRUE(poll_until([&] {
      return std::ranges::all_of(others, [](Client& each) { return each.requests() == 1; });
    }));
    for (Client& each : others) each.say(answer("NEXT"));
    expect_answered(second, "NEXT");
    if (beside) expect_answered(third, "NEXT");
    others.clear();
    EXPECT_TRUE(poll_until([&] { return sockets.open() == 0; }));
  }
}

TEST_F(Pipelining, ASecondOneThatCannotBeSentTakesNothingFromTheFirst) {
  Client client = begin();
  client.say("OD");
  client.break_off();
  EXPECT_TRUE(transport->start(get(&first), second));
  expect_answered(first, "GOOD");
  expect_second_over_another();
}

// --------------------------------------------------------------------------- as it is being sent

// More than the sockets hold.
class LongRequest : public Pipelining {
 protected:
  Client begin_long() {
    Client client = begin();
    fetch::WireRequest request = get(&first);
    request.headers = {"X: " + std::string(32 << 20, 'x')};
    EXPECT_TRUE(transport->start(request, second));
    for (int i = 0; i < 10; ++i) transport->poll(0ms);
    return client;
  }
};

TEST_F(LongRequest, GoesOnWhenItsTurnHasCome) {
  Client client = begin_long();
  client.say("OD");
  expect_answered(first, "GOOD");
  EXPECT_TRUE(second.sent);
  EXPECT_TRUE(poll_until([&] { return client.requests() == 2; }));
  client.say(answer("NEXT"));
  expect_answered(second, "NEXT");
  EXPECT_TRUE(second.reused);
}

TEST_F(LongRequest, HasNoAnswerBeforeItIsSent) {
  Client client = begin_long();
  client.say("OD" + answer("EVIL"));
  expect_answered(first, "GOOD");
  Client other = accept();
  EXPECT_TRUE(poll_until([&] { return other.requests() == 1; }));
  other.say(answer("NEXT"));
  expect_answered(second, "NEXT");
}

TEST_F(LongRequest, AbortedEndsTheConnectionAfterTheFirst) {
  Client client = begin_long();
  transport->abort(second);
  client.say("OD");
  expect_answered(first, "GOOD");
  EXPECT_EQ(sockets.open(), 0u);
}

// ------------------------------------------------------------------------------- in its turn

TEST_F(Pipelining, AConnectionThatEndsInsteadOfTheSecondAnswerIsLost) {
  Client client = begin_both();
  client.say("OD");
  EXPECT_TRUE(poll_until([&] { return second.sent; }));
  client.hang_up();
  EXPECT_TRUE(poll_until([&] { return !second.sent; })) << "lost()";
  expect_second_over_another();
}

TEST_F(Pipelining, AConnectionThatEndsInTheSecondAnswerIsItsTrouble) {
  Client client = begin_both();
  client.say("OD" + head_of(4) + "NE");
  EXPECT_TRUE(poll_until([&] { return second.text == "NE"; }));
  client.hang_up();
  EXPECT_TRUE(poll_until([&] { return second.ended; }));
  EXPECT_EQ(second.fault, Fault::short_body);
  EXPECT_EQ(sockets.open(), 0u);
}

TEST_F(Pipelining, NonsenseInsteadOfTheSecondAnswerIsItsTrouble) {
  Client client = begin_both();
  client.say("ODnonsense\r\n");
  expect_answered(first, "GOOD");
  EXPECT_TRUE(poll_until([&] { return second.ended; }));
  EXPECT_EQ(second.fault, Fault::protocol);
  EXPECT_EQ(sockets.open(), 0u);
}

// TLS hands over a record at a time, and after some of them it is another connection's turn.
TEST_F(Pipelining, AConnectionThatEndsBehindTheLastRecordOfAnAnswerIsLostOnce) {
  scheme = "https";
  EXPECT_FALSE(transport->start(get(), first));
  TlsClient client(accept_socket());
  EXPECT_TRUE(poll_until([&] { return client.shakes_hands(); }));
  EXPECT_TRUE(poll_until([&] { return client.requests() == 1; }));
  client.say(head_of(32));
  EXPECT_TRUE(poll_until([&] { return first.status != 0; }));
  EXPECT_TRUE(transport->start(get(&first), second));
  EXPECT_TRUE(poll_until([&] { return client.requests() == 2; }));
  for (int i = 0; i < 32; ++i) client.say("x");
  client.hang_up();
  expect_answered(first, std::string(32, 'x'));  // lost() twice is told by the exchange
  TlsClient other(accept_socket());
  EXPECT_TRUE(poll_until([&] { return other.shakes_hands(); }));
  EXPECT_TRUE(poll_until([&] { return other.requests() == 1; }));
  other.say(answer("NEXT"));
  expect_answered(second, "NEXT");
  EXPECT_FALSE(second.reused);
}

TEST_F(Pipelining, DestructionWithBothHasNoCalls) {
  Client client = begin_both();
  transport.reset();
  EXPECT_FALSE(first.ended || second.ended);
  EXPECT_EQ(sockets.open(), 0u);
}

}  // namespace
}  // namespace skimfs::test
