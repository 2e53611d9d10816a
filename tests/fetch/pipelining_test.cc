// SPDX-License-Identifier: MIT
//
// Requests that are sent before the answer before theirs is over, to a server played by hand.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "fetch/host_state.h"
#include "fetch/http_transport.h"
#include "tests/fetch/recording_exchange.h"
#include "tests/support/sockets.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using fetch::Fault;

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
    std::ptrdiff_t count = 0;
    for (std::size_t at = 0; (at = heard_.find("\r\n\r\n", at)) != heard_.npos; at += 4) ++count;
    return count;
  }
  void say(std::string_view words) { EXPECT_TRUE(send_all(socket_, words)); }
  void hang_up() { socket_.reset(); }

 private:
  Descriptor socket_;
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
    request.url = "http://127.0.0.1:" + std::to_string(port) + "/f";
    request.host_port = "server";
    request.behind = behind;
    return request;
  }
  bool poll_until(const std::function<bool()>& holds) {
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (!holds() && std::chrono::steady_clock::now() < until) transport->poll(5ms);
    return holds();
  }
  Client accept() {
    poll_until([&] { return sockets.opened_ever() > accepted; });
    ++accepted;
    return Client(Descriptor(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  }
  // The first answer is on its way: of "GOOD" half has come.
  Client begin(std::string_view fields = {}) {
    EXPECT_FALSE(transport->start(get(), first));
    Client client = accept();
    EXPECT_TRUE(poll_until([&] { return client.requests() == 1; }));
    client.say(head_of(4, fields) + "GO");
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

  std::uint16_t port = 0;
  const Descriptor listener = listen_on(port);
  std::uint64_t accepted = 0;
  RecordingExchange first, second;
  fetch::HostTable sockets{16};
  std::unique_ptr<fetch::HttpTransport> transport =
      std::make_unique<fetch::HttpTransport>(fetch::FetchLimits{}, sockets);
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

// Wherever the bytes of the two are cut.
TEST_F(Pipelining, BytesBehindTheEndOfAnAnswerAreOfTheNext) {
  const std::string both = "OD" + answer("NEXT");
  Client client = begin_both();
  for (std::size_t cut = 1; cut <= both.size(); ++cut) {
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
  EXPECT_FALSE(transport->start(get(&second), third)) << "its answer has not begun";
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
  client.say("OD" + answer("EVIL"));
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

TEST_F(Pipelining, DestructionWithBothHasNoCalls) {
  Client client = begin_both();
  transport.reset();
  EXPECT_FALSE(first.ended || second.ended);
  EXPECT_EQ(sockets.open(), 0u);
}

}  // namespace
}  // namespace skimfs::test
