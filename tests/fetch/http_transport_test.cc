// SPDX-License-Identifier: MIT
//
// The real transport against a real, often wrong, server on loopback.
#include "fetch/http_transport.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <thread>

#include "fetch/credential.h"
#include "fetch/host_state.h"
#include "fetch/sharding.h"
#include "tests/fetch/recording_exchange.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/hostile_origin.h"
#include "tests/support/sockets.h"
#include "tests/support/speaker.h"

// What socket(2) says where a process or the machine lacks something; 0: nothing is lacking.  Not
// by a lower limit: sanitizers need descriptors of their own for their checks.
static std::atomic<int> shortage{0};
extern "C" int socket(int domain, int type, int protocol) noexcept {
  if (shortage == 0) return static_cast<int>(::syscall(SYS_socket, domain, type, protocol));
  errno = shortage;
  return -1;
}

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using fetch::Fault;

class HttpTransportTest : public testing::Test {
 protected:
  static fetch::FetchLimits limits_of(unsigned connections, std::chrono::seconds idle = 30s) {
    fetch::FetchLimits limits;
    limits.connections = connections;
    limits.connections_per_host = connections;
    limits.idle_timeout = idle;
    return limits;
  }

  fetch::WireRequest get(const std::string& url, const std::string& range = "bytes=0-99") {
    fetch::WireRequest request;
    request.url = url;
    request.host_port = "origin";
    request.headers = {"Range: " + range, "Accept-Encoding: identity"};
    return request;
  }

  bool poll_until(const std::function<bool()>& holds) {
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (!holds() && std::chrono::steady_clock::now() < until) transport->poll(20ms);
    return holds();
  }

  // Runs one request to its end.
  RecordingExchange run(const fetch::WireRequest& request, RecordingExchange exchange = {}) {
    transport->start(request, exchange);
    EXPECT_TRUE(poll_until([&] { return exchange.ended; }));
    return exchange;
  }
  RecordingExchange run_path(const std::string& path) { return run(get(origin.url(path))); }

  void limit(fetch::FetchLimits limits) {
    transport.reset();
    transport = std::make_unique<fetch::HttpTransport>(limits, sockets);
  }

  HostileOrigin origin;
  fetch::HostTable sockets{16};
  std::unique_ptr<fetch::HttpTransport> transport =
      std::make_unique<fetch::HttpTransport>(limits_of(16), sockets);
};

TEST_F(HttpTransportTest, DeliversStatusFieldsAndBody) {
  origin.add("/f", 1000);
  const auto got = run_path("/f");
  EXPECT_EQ(got.status, 206);
  EXPECT_EQ(got.field("content-range"), "bytes 0-99/1000");
  EXPECT_EQ(got.text, origin.body("/f").text(0, 100));
  EXPECT_EQ(got.fault, Fault::none);
}

TEST_F(HttpTransportTest, SendsItsHeadersAndNoOthersThatMatter) {
  origin.add("/f", 1000);
  run_path("/f");
  const auto request = origin.requests().at(0);
  EXPECT_EQ(request.header("accept-encoding"), "identity");
  EXPECT_EQ(request.range(), "bytes=0-99");
  for (const char* absent : {"user-agent", "cookie", "authorization", "if-range", "te", "upgrade"})
    EXPECT_EQ(request.header(absent), "") << absent;
}

// S-SEC-1
TEST_F(HttpTransportTest, SendsACredentialWithItsRequestAndNoOther) {
  origin.add("/f", 1000);
  auto request = get(origin.url("/f"));
  request.credential =
      std::make_shared<fetch::Credential>(fetch::Credential{.headers = {"X-Token: canary"}});
  run(request);
  run_path("/f");
  ASSERT_EQ(origin.count(), 2u);
  EXPECT_EQ(origin.requests()[0].header("x-token"), "canary");
  EXPECT_EQ(origin.requests()[1].header("x-token"), "");
}

TEST_F(HttpTransportTest, SignsARequestAndNotTheNext) {
  origin.add("/f", 1000);
  auto request = get(origin.url("/f"));
  request.credential = std::make_shared<fetch::Credential>(
      fetch::Credential{.headers = {"x-amz-content-sha256: UNSIGNED-PAYLOAD"},
                        .signature = "aws:amz:eu-west-1:s3",
                        .user = "AKID",
                        .password = "canary"});
  run(request);
  run_path("/f");
  ASSERT_EQ(origin.count(), 2u);
  const std::string signature(origin.requests()[0].header("authorization"));
  EXPECT_TRUE(signature.starts_with("AWS4-HMAC-SHA256 Credential=AKID/")) << signature;
  EXPECT_NE(signature.find("/eu-west-1/s3/aws4_request"), std::string::npos) << signature;
  EXPECT_NE(signature.find("range;x-amz-content-sha256;x-amz-date"), std::string::npos);
  EXPECT_EQ(signature.find("canary"), std::string::npos);
  EXPECT_EQ(origin.requests()[1].header("authorization"), "");
  EXPECT_EQ(origin.requests()[1].header("x-amz-date"), "");
}

// Whoever makes credentials checks them; it is our trouble all the same, and of one request alone.
TEST_F(HttpTransportTest, ACertificateThatIsNoneIsOurTroubleAndNotTheNextRequests) {
  const Speaker peer("HTTP/1.1 400 Bad Request\r\n\r\n");
  auto request = get("https://" + peer.address() + "/f");
  request.credential = std::make_shared<fetch::Credential>(
      fetch::Credential{.certificate = "not PEM", .key = "nor this"});
  EXPECT_EQ(run(request).fault, Fault::local);
  request.credential.reset();
  EXPECT_EQ(run(request).fault, Fault::not_tls) << "came as far as the handshake";
}

TEST_F(HttpTransportTest, SendsTheTargetByteForByte) {
  run_path("/a/../b%7e?sig=%2B+x");
  EXPECT_EQ(origin.requests().at(0).target, "/a/../b%7e?sig=%2B+x");
}

TEST_F(HttpTransportTest, ReusesAConnectionAndSaysSo) {
  origin.add("/f", 1000);
  EXPECT_FALSE(run_path("/f").reused);
  EXPECT_TRUE(run_path("/f").reused);
  EXPECT_EQ(origin.connections().total, 1u);
  EXPECT_EQ(sockets.open(), 1u);
}

TEST_F(HttpTransportTest, AFreshRequestHasAConnectionOfItsOwn) {
  origin.add("/f", 1000);
  run_path("/f");
  auto request = get(origin.url("/f"));
  request.fresh = true;
  EXPECT_FALSE(run(request).reused);
  EXPECT_EQ(origin.connections().total, 2u);
}

TEST_F(HttpTransportTest, AHeadRequestHasNoBody) {
  origin.add("/f", 1000);
  auto request = get(origin.url("/f"));
  request.headers = {};
  request.head_only = true;
  const auto got = run(request);
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.field("content-length"), "1000");
  EXPECT_EQ(got.text, "");
  EXPECT_EQ(origin.requests().at(0).method, "HEAD");
  run_path("/f");
  EXPECT_EQ(origin.requests().at(1).method, "GET") << "the handle is used again";
}

TEST_F(HttpTransportTest, FollowsNoRedirect) {
  origin.add("/f", 1000, {.location = "/other"});
  const auto got = run_path("/f");
  EXPECT_EQ(got.status, 302);
  EXPECT_EQ(got.field("location"), "/other");
  EXPECT_EQ(origin.count(), 1u);
}

TEST_F(HttpTransportTest, TakesNoProxyFromTheEnvironment) {
  ::setenv("http_proxy", "http://127.0.0.1:1/", 1);
  ::setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
  limit(limits_of(16));
  origin.add("/f", 1000);
  EXPECT_EQ(run_path("/f").status, 206);
  ::unsetenv("http_proxy");
  ::unsetenv("ALL_PROXY");
}

// ---------------------------------------------------------------------------------- stopping

TEST_F(HttpTransportTest, StoppedAtTheHeadTheConnectionIsClosed) {
  origin.add("/f", 1 << 20);
  RecordingExchange exchange;
  exchange.stop_at_head = true;
  const auto got = run(get(origin.url("/f"), "bytes=0-999999"), exchange);
  EXPECT_EQ(got.fault, Fault::stopped);
  EXPECT_EQ(got.text, "");
  EXPECT_EQ(sockets.open(), 0u);
}

TEST_F(HttpTransportTest, StoppedInTheBodyTheConnectionIsClosed) {
  origin.add("/f", 1 << 20);
  RecordingExchange exchange;
  exchange.stop_at = 1;
  EXPECT_EQ(run(get(origin.url("/f"), "bytes=0-999999"), exchange).fault, Fault::stopped);
  EXPECT_EQ(sockets.open(), 0u);
}

TEST_F(HttpTransportTest, AnAbortedExchangeHearsNothingMore) {
  origin.add("/f", 1000, {.hold = true});
  RecordingExchange exchange;
  transport->start(get(origin.url("/f")), exchange);
  ASSERT_TRUE(poll_until([&] { return origin.count() == 1; }));
  transport->abort(exchange);
  EXPECT_EQ(sockets.open(), 0u);
  transport->poll(0ms);
  EXPECT_FALSE(exchange.ended);
}

// A listener that lets no connection in: those who ask wait for ever.
class FullListener {
 public:
  FullListener() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_.get(), as_address(), sizeof address_), 0);
    EXPECT_EQ(::listen(listener_.get(), 0), 0);
    socklen_t size = sizeof address_;
    EXPECT_EQ(::getsockname(listener_.get(), as_address(), &size), 0);
    for (Descriptor& filler : fillers_) {
      filler = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      static_cast<void>(::connect(filler.get(), as_address(), sizeof address_));
    }
  }
  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(ntohs(address_.sin_port)) + "/f";
  }

 private:
  sockaddr* as_address() { return reinterpret_cast<sockaddr*>(&address_); }

  Descriptor listener_;
  sockaddr_in address_{};
  std::array<Descriptor, 3> fillers_;
};

// S-CONN-1
TEST_F(HttpTransportTest, AnExchangeAbortedAsItConnectsLeavesNoSocketBehind) {
  limit(limits_of(2));
  const FullListener full;
  for (int i = 0; i < 5; ++i) {
    RecordingExchange exchange;
    transport->start(get(full.url()), exchange);
    ASSERT_TRUE(poll_until([&] { return sockets.open() == 1; })) << i;
    transport->abort(exchange);
    EXPECT_EQ(sockets.open(), 0u);
  }
  origin.add("/f", 1000);
  EXPECT_EQ(run_path("/f").status, 206);
}

// S-CONN-1
TEST_F(HttpTransportTest, AnAddressGivenUpAsItConnectsLeavesNoSocketBehind) {
  auto limits = limits_of(2);
  limits.connect_timeout = 1s;
  limit(limits);
  const FullListener full;
  EXPECT_EQ(run(get(full.url())).fault, Fault::connect_timeout);
  EXPECT_EQ(sockets.open(), 0u);
}

TEST_F(HttpTransportTest, WakeEndsAPollFromAnotherThread) {
  const auto before = std::chrono::steady_clock::now();
  std::thread waker([this] { transport->wake(); });
  transport->poll(20s);
  waker.join();
  EXPECT_LT(std::chrono::steady_clock::now() - before, 10s);
}

// What came close upon each other is looked for before a sleep, and no longer.
TEST_F(HttpTransportTest, AfterManyShortWaitsALongOneIsSleptThroughToItsEnd) {
  for (int i = 0; i < 20; ++i) {
    transport->wake();
    transport->poll(20s);
  }
  const auto used = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  };
  const auto began = std::chrono::steady_clock::now();
  const auto before = used();
  transport->poll(100ms);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 100ms);
  EXPECT_LT(used() - before, 50ms);
}

// ------------------------------------------------------------------------ broken exchanges

TEST_F(HttpTransportTest, NobodyListensIsAFailureToConnect) {
  origin.stop_listening();
  const auto got = run_path("/f");
  EXPECT_EQ(got.fault, Fault::connect);
  EXPECT_FALSE(got.sent);
  EXPECT_NE(got.detail, "");
  EXPECT_EQ(sockets.open(), 0u);
}

// S-TLS-1
TEST_F(HttpTransportTest, APeerThatSpeaksNoTlsIsKnownByItsFirstWords) {
  // The second is what OpenSSL from 3.2 on takes plain HTTP for.
  for (const std::string words : {"HTTP/1.1 400 Bad Request\r\n\r\n", "\x16\x03\x03\xff\xff...."}) {
    const Speaker peer(words);
    const auto got = run(get("https://" + peer.address() + "/f"));
    EXPECT_EQ(got.fault, Fault::not_tls) << got.detail;
    EXPECT_NE(got.detail, "");
    EXPECT_EQ(peer.connections(), 1u);
  }
}

// S-HTTP-6: else bytes nobody has accepted, or even of an exchange before, would be those of an
// answer.
TEST_F(HttpTransportTest, NoBytesWithoutAHead) {
  for (const std::string head : {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "http/1.1: x\r\n\r\n",
                                 "HTTP/1.1 206 Partial\r\nHTTP/1.1 100 x: y\r\n\r\n",
                                 "HTTP/1.1 206 Partial\r\nX: y\r\n\rZ: y\r\n"}) {
    const Speaker peer(head + std::string(100, 'E'));
    const auto got = run(get("http://" + peer.address() + "/f"));
    EXPECT_EQ(got.fault, Fault::protocol) << head << got.detail;
    EXPECT_EQ(got.status, 0) << head;
    EXPECT_EQ(got.text, "") << head;
  }
}

// What the proxy said, which is no answer of the server.
class RefusedTunnel : public HttpTransportTest, public ::testing::WithParamInterface<int> {
 protected:
  RecordingExchange ask(const Speaker& proxy) {
    auto limits = limits_of(16);
    limits.proxy = "http://" + proxy.address();
    limit(limits);
    return run(get("https://127.0.0.1:" + std::to_string(origin.port()) + "/f"));
  }
};

// S-TLS-2
TEST_P(RefusedTunnel, IsTheProxysWord) {
  const int status = GetParam();
  const Speaker proxy("HTTP/1.1 " + std::to_string(status) +
                      " No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n");
  const auto got = ask(proxy);
  const bool lasting = status == 401 || status == 403 || status == 407;
  EXPECT_EQ(got.fault, lasting ? Fault::proxy_denied : Fault::connect) << got.detail;
  EXPECT_EQ(got.status, 0) << "no head of the server's";
  EXPECT_EQ(proxy.connections(), 1u);
  EXPECT_EQ(origin.connections().total, 0u) << "nobody went around it";
}

INSTANTIATE_TEST_SUITE_P(Statuses, RefusedTunnel, ::testing::Values(401, 403, 407, 404, 500, 503));

// What a proxy said once is not taken for what it says later.
TEST_F(HttpTransportTest, AProxyThatHangsUpAfterItRefusedIsAConnectionThatBroke) {
  const Speaker speaker("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n");
  FaultProxy proxy(speaker.port());
  proxy.fault({.refuse = true}, 1, 1);
  auto limits = limits_of(16);
  limits.proxy = proxy.base();
  limit(limits);
  const auto request = get("https://127.0.0.1:9/f");
  EXPECT_EQ(run(request).fault, Fault::proxy_denied);
  EXPECT_EQ(run(request).fault, Fault::reset);
}

// S-TLS-2
TEST_F(HttpTransportTest, AProxyThatIsAwayIsAFailureToConnectAndNotGoneAround) {
  std::uint16_t closed = 0;
  const Descriptor held = hold(closed);
  auto limits = limits_of(16);
  limits.proxy = "http://127.0.0.1:" + std::to_string(closed);
  limit(limits);
  for (const std::string scheme : {"http://", "https://"}) {
    const auto got = run(get(scheme + "127.0.0.1:" + std::to_string(origin.port()) + "/f"));
    EXPECT_EQ(got.fault, Fault::connect) << scheme << ": " << got.detail;
  }
  EXPECT_EQ(origin.connections().total, 0u);
}

TEST_F(HttpTransportTest, AProxyThatCannotBeFoundIsANameThatCannot) {
  auto limits = limits_of(16);
  limits.proxy = "http://proxy.invalid:3128";
  limit(limits);
  EXPECT_EQ(run_path("/f").fault, Fault::dns);
  EXPECT_EQ(origin.connections().total, 0u);
}

TEST_F(HttpTransportTest, AHandshakeThatIsCutMayPass) {
  for (const auto ending : {Speaker::Ending::close, Speaker::Ending::reset}) {
    for (const std::string words : {"", "\x16\x03", "\x15\x03\x03"}) {
      const Speaker peer(words, ending);
      const auto got = run(get("https://" + peer.address() + "/f"));
      EXPECT_EQ(got.fault, Fault::tls) << got.detail;
    }
  }
}

// Row 49 of the fault matrix.
TEST_F(HttpTransportTest, AShortageIsOurTroubleNotTheServers) {
  origin.add("/f", 1000);
  for (const int error : {EMFILE, ENFILE, ENOMEM, ENOBUFS}) {
    shortage = error;
    const auto refused = run(get(origin.url("/f")));
    shortage = 0;
    EXPECT_EQ(refused.fault, Fault::local) << error;
  }
  EXPECT_EQ(run_path("/f").fault, Fault::none) << "and passes";
}

// S-NET-8, over a new connection and over one that is there already.
TEST_F(HttpTransportTest, WhatMustBePublicReachesNoPrivateAddress) {
  origin.add("/f", 1000);
  auto request = get(origin.url("/f"));
  request.public_only = true;
  EXPECT_EQ(run(request).fault, Fault::address);
  EXPECT_EQ(origin.count(), 0u);
  const auto allowed = run_path("/f");
  EXPECT_EQ(allowed.fault, Fault::none);
  EXPECT_FALSE(allowed.public_peer);
  EXPECT_EQ(run(request).fault, Fault::address);
  EXPECT_EQ(origin.count(), 1u);
}

TEST_F(HttpTransportTest, ACutBodyIsShort) {
  origin.add("/f", 1000, {.stop_after = 40, .ending = Ending::close_unsaid});
  const auto got = run_path("/f");
  EXPECT_EQ(got.fault, Fault::short_body);
  EXPECT_EQ(got.text, origin.body("/f").text(0, 40));
}

TEST_F(HttpTransportTest, AResetBodyIsBroken) {
  origin.add("/f", 1000, {.stop_after = 40, .ending = Ending::reset});
  const Fault fault = run_path("/f").fault;
  EXPECT_TRUE(fault == Fault::reset || fault == Fault::short_body);
}

TEST_F(HttpTransportTest, AChunkedBodyWithoutItsLastChunkIsShort) {
  origin.add("/f", 1000,
             {.length = Length::chunked, .stop_after = 40, .ending = Ending::close_unsaid});
  EXPECT_EQ(run_path("/f").fault, Fault::short_body);
}

// The count must tell.
TEST_F(HttpTransportTest, ACutBodyThatEndsWithItsConnectionLooksWell) {
  origin.add("/f", 1000,
             {.length = Length::absent, .stop_after = 40, .ending = Ending::close_unsaid});
  const auto got = run_path("/f");
  EXPECT_EQ(got.fault, Fault::none);
  EXPECT_EQ(got.text.size(), 40u);
}

TEST_F(HttpTransportTest, BytesBeyondTheLengthAreNotDelivered) {
  origin.add("/f", 1000, {.extra_bytes = 50});
  const auto got = run_path("/f");
  EXPECT_EQ(got.text, origin.body("/f").text(0, 100));
}

// ----------------------------------------------------------------------- where bytes are received

TEST_F(HttpTransportTest, ReceivesTheBodyWhereTheExchangeWantsIt) {
  for (const Length length : {Length::exact, Length::chunked, Length::absent}) {
    origin.add("/f", 1 << 20, {.length = length});
    RecordingExchange exchange;
    exchange.room_size = exchange.room.size();
    const auto got = run(get(origin.url("/f"), "bytes=0-999999"), exchange);
    EXPECT_EQ(got.text, origin.body("/f").text(0, 1'000'000));
    EXPECT_GT(got.in_place, 100'000u) << "all but what came with the head, and what frames chunks";
  }
}

TEST_F(HttpTransportTest, ReceivesNothingBehindABodyWhereTheExchangeWantsIt) {
  const Speaker peer("HTTP/1.1 206 Partial\r\nContent-Length: 70000\r\n\r\n" +
                     std::string(70'000, 'b') + std::string(1000, 'E'));
  RecordingExchange exchange;
  exchange.room_size = exchange.room.size();
  const auto got = run(get("http://" + peer.address() + "/f"), exchange);
  EXPECT_EQ(got.text, std::string(70'000, 'b'));
  EXPECT_EQ(got.fault, Fault::none);
  EXPECT_TRUE(poll_until([&] { return sockets.open() == 0; })) << "it was not asked for the rest";
}

// S-HTTP-7
TEST_F(HttpTransportTest, AConnectionThatIsToBeClosedIsNotUsedAgain) {
  origin.add("/f", 1000, {.headers = {"Connection: close"}});
  run_path("/f");
  EXPECT_EQ(sockets.open(), 0u);
  EXPECT_FALSE(run_path("/f").reused);
}

TEST_F(HttpTransportTest, AHeadThatComesInPiecesIsOne) {
  origin.add("/f", 1000, {.header_padding = 40'000});
  const auto got = run_path("/f");
  EXPECT_EQ(got.status, 206);
  EXPECT_EQ(got.text, origin.body("/f").text(0, 100));
}

TEST_F(HttpTransportTest, ALineWithoutAnEndIsRefused) {
  const Speaker peer("HTTP/1.1 206 Partial\r\nX: " + std::string(200'000, 'x'));
  EXPECT_EQ(run(get("http://" + peer.address() + "/f")).fault, Fault::header_limit);
}

TEST_F(HttpTransportTest, AConnectionThatEndsBeforeItsAnswerIsBroken) {
  for (const std::string words : {"", "HTTP/1.1 206 Par", "HTTP/1.1 206 Partial\r\nX: y\r\n"}) {
    const Speaker peer(words);
    const auto got = run(get("http://" + peer.address() + "/f"));
    EXPECT_EQ(got.fault, Fault::reset) << words;
    EXPECT_EQ(got.status, 0) << words;
    EXPECT_NE(got.detail, "");
  }
}

// Row 11 of the fault matrix: without waiting for the end of a line.
TEST_F(HttpTransportTest, APeerThatSpeaksNoHttpIsKnownByItsFirstBytes) {
  for (const std::string words :
       {"\x15\x03\x03\x00\x02\x02\x50", "SSH-2.0", "ICY 200 OK\r\n\r\n"}) {
    const Speaker peer(words);
    const auto got = run(get("http://" + peer.address() + "/f"));
    EXPECT_EQ(got.fault, Fault::protocol) << words << got.detail;
  }
}

// A request with nothing to sign with will not be signed the next time either.
TEST_F(HttpTransportTest, ARequestThatCannotBeSignedIsNotSent) {
  origin.add("/f", 1000);
  auto request = get(origin.url("/f"));
  request.credential = std::make_shared<fetch::Credential>(
      fetch::Credential{.signature = "no signature", .user = "u", .password = "p"});
  EXPECT_EQ(run(request).fault, Fault::protocol);
  EXPECT_EQ(origin.count(), 0u);
  EXPECT_EQ(run_path("/f").fault, Fault::none);
}

// Through a proxy each host has connections of its own, so its cap holds there, too.
TEST_F(HttpTransportTest, AProxyIsToldTheWholeUrlAndEachHostHasItsOwnConnection) {
  origin.add("http://one.example/f", 1000);
  origin.add("http://two.example:81/f", 1000);
  auto limits = limits_of(16);
  limits.proxy = "http://127.0.0.1:" + std::to_string(origin.port());
  limit(limits);
  auto one = get("http://one.example/f"), two = get("http://two.example:81/f");
  two.host_port = "other";
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(run(one).reused, i > 0);
    EXPECT_EQ(run(two).reused, i > 0);
  }
  EXPECT_EQ(origin.requests().at(0).target, "http://one.example/f");
  EXPECT_EQ(origin.requests().at(0).header("host"), "one.example");
  EXPECT_EQ(origin.requests().at(1).target, "http://two.example:81/f");
  EXPECT_EQ(origin.connections().total, 2u);
}

TEST_F(HttpTransportTest, MoreThan64KiBOfHeaderIsRefused) {
  origin.add("/f", 1000, {.header_padding = 70'000});
  EXPECT_EQ(run_path("/f").fault, Fault::header_limit);
  origin.add("/g", 1000, {.header_padding = 50'000});
  EXPECT_EQ(run_path("/g").status, 206);
}

TEST_F(HttpTransportTest, TheEleventhInterimResponseIsRefused) {
  origin.add("/f", 1000, {.informational = 11});
  EXPECT_EQ(run_path("/f").fault, Fault::header_limit);
  origin.add("/g", 1000, {.informational = 10});
  EXPECT_EQ(run_path("/g").status, 206);
}

TEST_F(HttpTransportTest, AFoldedHeaderLineIsRefused) {
  origin.add("/f", 1000, {.headers = {"X-One: 1", " folded: 2"}});
  EXPECT_EQ(run_path("/f").fault, Fault::protocol);
}

TEST_F(HttpTransportTest, ANegativeLengthIsNamedAsWhatItIs) {
  origin.add("/f", 1000, {.length = Length::negative});
  EXPECT_EQ(run_path("/f").fault, Fault::bad_length);
}

TEST_F(HttpTransportTest, OtherImpossibleLengthsAreShownAsTheyCame) {
  origin.add("/huge", 1000, {.length = Length::huge});
  origin.add("/hex", 1000, {.length = Length::hexadecimal});
  RecordingExchange exchange;
  exchange.stop_at_head = true;
  EXPECT_EQ(run(get(origin.url("/huge")), exchange).field("content-length"), "9223372036854775808");
  EXPECT_EQ(run(get(origin.url("/hex")), exchange).field("content-length").substr(0, 2), "0x");
}

// ------------------------------------------------------------------------- idle connections

TEST_F(HttpTransportTest, AnIdleConnectionReallyCloses) {
  limit(limits_of(16, 1s));
  origin.add("/f", 1000);
  run_path("/f");
  EXPECT_EQ(origin.connections().open, 1u);
  EXPECT_TRUE(poll_until([&] { return origin.connections().open == 0; }));
  EXPECT_EQ(sockets.open(), 0u);
}

TEST_F(HttpTransportTest, AnIdleConnectionClosesWhileAnotherIsBusy) {
  limit(limits_of(16, 1s));
  origin.add("/f", 1000);
  origin.add("/held", 1000, {.hold = true});
  RecordingExchange held;
  transport->start(get(origin.url("/held")), held);
  ASSERT_TRUE(poll_until([&] { return origin.count("/held") == 1; }));
  run_path("/f");
  EXPECT_EQ(sockets.open(), 2u);
  EXPECT_TRUE(poll_until([&] { return origin.connections().open == 1; }));
  EXPECT_EQ(sockets.open(), 1u);
  origin.release();
  EXPECT_TRUE(poll_until([&] { return held.ended; }));
  EXPECT_EQ(held.status, 206);
}

TEST_F(HttpTransportTest, AConnectionInUseIsNotTakenForIdle) {
  limit(limits_of(16, 3s));
  origin.add("/f", 1000);
  for (int i = 0; i < 8; ++i) {
    run_path("/f");
    const auto until = std::chrono::steady_clock::now() + 400ms;
    poll_until([&] { return std::chrono::steady_clock::now() > until; });
  }
  EXPECT_EQ(origin.connections().total, 1u);
}

TEST_F(HttpTransportTest, AnIdleConnectionGivesWayToAnotherHost) {
  limit(limits_of(2));
  HostileOrigin second, third;
  for (HostileOrigin* host : {&origin, &second, &third}) {
    host->add("/f", 1000);
    EXPECT_EQ(run(get(host->url("/f"))).status, 206);
  }
  EXPECT_EQ(sockets.peak(), 2u);
  EXPECT_EQ(sockets.opened_ever(), 3u);
}

TEST_F(HttpTransportTest, AFreshConnectionEvictsAnIdleOneAtTheCap) {
  limit(limits_of(2));
  origin.add("/f", 1000);
  auto request = get(origin.url("/f"));
  request.fresh = true;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(run(request).status, 206);
    EXPECT_TRUE(origin.await([&] { return origin.connections().open <= 2; }));
  }
  EXPECT_EQ(sockets.peak(), 2u);
  EXPECT_LE(origin.connections().peak, 2u + 1u) << "the server hears of a close a little later";
}

// Where two lanes ask one host, one of them has fewer sockets to it than to others.
TEST_F(HttpTransportTest, AFreshConnectionEvictsAnIdleOneAtTheCapOfItsHost) {
  constexpr unsigned kAbroad = 4;
  fetch::HostTable abroad(fetch::HostCaps(1 - fetch::home_lane("origin", 2), 2, 64, 16));
  ASSERT_EQ(abroad.most("origin"), kAbroad);
  transport = std::make_unique<fetch::HttpTransport>(limits_of(12), abroad);
  origin.add("/f", 1000);
  std::array<RecordingExchange, kAbroad> first;
  for (RecordingExchange& exchange : first) transport->start(get(origin.url("/f")), exchange);
  EXPECT_TRUE(poll_until([&] { return std::ranges::all_of(first, &RecordingExchange::ended); }));
  EXPECT_EQ(abroad.open(), kAbroad);
  for (unsigned i = 0; i < 2 * kAbroad; ++i) {
    auto fresh = get(origin.url("/f"));
    fresh.fresh = true;
    EXPECT_EQ(run(fresh).fault, Fault::none);
    EXPECT_EQ(abroad.open(), kAbroad);
    EXPECT_EQ(run_path("/f").fault, Fault::none) << "one that was closed is not used";
  }
  EXPECT_EQ(abroad.peak(), kAbroad);
  EXPECT_TRUE(origin.await([&] { return origin.connections().open <= kAbroad; }));
  transport.reset();
  EXPECT_EQ(abroad.open(), 0u);
}

TEST_F(HttpTransportTest, AConnectionTheServerDroppedIsNotUsedAgain) {
  origin.add("/f", 1000);
  run_path("/f");
  ASSERT_TRUE(origin.await([&] { return origin.requests().back().done; }));
  origin.drop_idle_connections();
  const auto got = run_path("/f");
  EXPECT_EQ(got.fault, Fault::none);
  EXPECT_FALSE(got.reused);
}

// Answers each connection's first request, and ends it when the second has come.
class OneAnswerEach {
 public:
  // To so many connections; then nobody listens.  `behind`: sent with each answer, behind its end.
  explicit OneAnswerEach(unsigned most = 1000, std::string behind = {})
      : most_(most),
        behind_(std::move(behind)),
        listener_(listen_on(port_)),
        thread_([this] { serve(); }) {}
  ~OneAnswerEach() {
    ::shutdown(listener_.get(), SHUT_RDWR);  // ends accept(2)
    thread_.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/f"; }

 private:
  void serve() {
    std::array<char, 4096> heard;
    for (unsigned i = 0; i < most_; ++i) {
      const Descriptor client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (client.get() < 0) return;
      if (i + 1 == most_) ::shutdown(listener_.get(), SHUT_RDWR);
      if (::read(client.get(), heard.data(), heard.size()) <= 0) continue;
      send_all(client, "HTTP/1.1 206 Partial\r\nContent-Length: 4\r\n\r\nGOOD" + behind_);
      [[maybe_unused]] const auto second = ::read(client.get(), heard.data(), heard.size());
    }
  }

  const unsigned most_;
  const std::string behind_;
  std::uint16_t port_ = 0;
  const Descriptor listener_;
  std::thread thread_;
};

// S-HTTP-7: it would be the answer to the next request.
TEST_F(HttpTransportTest, AConnectionWithBytesBehindAnAnswerIsNotUsedAgain) {
  const OneAnswerEach server(1000, "HTTP/1.1 206 Partial\r\nContent-Length: 4\r\n\r\nEVIL");
  for (int i = 0; i < 3; ++i) {
    const auto got = run(get(server.url()));
    EXPECT_EQ(got.text, "GOOD");
    EXPECT_FALSE(got.reused);
    EXPECT_EQ(sockets.open(), 0u);
  }
}

// Row 16 of the fault matrix.
TEST_F(HttpTransportTest, AConnectionThatEndsAsItIsUsedAgainCostsNoMoreThanAnother) {
  const OneAnswerEach server;
  EXPECT_EQ(run(get(server.url())).text, "GOOD");
  for (int i = 0; i < 3; ++i) {
    const auto got = run(get(server.url()));
    EXPECT_EQ(got.fault, Fault::none) << got.detail;
    EXPECT_EQ(got.text, "GOOD");
    EXPECT_FALSE(got.reused);
    EXPECT_EQ(sockets.open(), 1u);
  }
  EXPECT_EQ(sockets.opened_ever(), 4u);
  transport.reset();  // the server waits for its last connection
}

// ... and where there is no other, that is what failed.
TEST_F(HttpTransportTest, AConnectionThatEndsAsItIsUsedAgainAndNobodyListens) {
  auto server = std::make_unique<OneAnswerEach>(1);
  const std::string url = server->url();
  EXPECT_EQ(run(get(url)).text, "GOOD");
  const auto got = run(get(url));
  EXPECT_EQ(got.fault, Fault::connect);
  EXPECT_FALSE(got.reused);
  EXPECT_EQ(sockets.open(), 0u);
}

TEST_F(HttpTransportTest, AfterANetworkChangeIdleConnectionsEndAndRunningOnesGoOn) {
  origin.add("/f", 1000);
  origin.add("/held", 1000, {.hold = true});
  RecordingExchange held;
  transport->start(get(origin.url("/held")), held);
  ASSERT_TRUE(poll_until([&] { return origin.count("/held") == 1; }));
  run_path("/f");
  EXPECT_EQ(sockets.open(), 2u);
  transport->network_changed();
  EXPECT_TRUE(origin.await([&] { return origin.connections().open == 1; })) << "ended at once";
  EXPECT_FALSE(run_path("/f").reused);
  EXPECT_TRUE(run_path("/f").reused) << "the new one is like any other";
  origin.release();
  EXPECT_TRUE(poll_until([&] { return held.ended; }));
  EXPECT_EQ(held.status, 206);
}

TEST_F(HttpTransportTest, DestructionClosesEverything) {
  origin.add("/f", 1000);
  origin.add("/held", 1000, {.hold = true});
  run_path("/f");
  RecordingExchange held;
  transport->start(get(origin.url("/held")), held);
  ASSERT_TRUE(poll_until([&] { return origin.count("/held") == 1; }));
  transport.reset();
  EXPECT_FALSE(held.ended);
  EXPECT_EQ(sockets.open(), 0u);
}

}  // namespace
}  // namespace skimfs::test
