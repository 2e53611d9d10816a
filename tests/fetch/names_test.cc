// SPDX-License-Identifier: MIT
//
// Names with several addresses, and names whose addresses change.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "fetch/error.h"
#include "fetch/http_transport.h"
#include "tests/fetch/fake_names.h"
#include "tests/fetch/live_fetcher.h"
#include "tests/support/hostile_origin.h"
#include "tests/support/sockets.h"
#include "tests/support/speaker.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

// 127.0.0.2 or ::1, at the same port as the origin: drops what arrives.
class DeadAddress {
 public:
  explicit DeadAddress(std::uint16_t port, int family = AF_INET)
      : socket_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    six.sin6_addr = in6addr_loopback;
    if (family == AF_INET6) ::setsockopt(socket_, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    const int bound = family == AF_INET6
                          ? ::bind(socket_, reinterpret_cast<sockaddr*>(&six), sizeof six)
                          : ::bind(socket_, reinterpret_cast<sockaddr*>(&four), sizeof four);
    EXPECT_EQ(bound, 0);
    sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    const sock_fprog filter{1, &nothing};
    EXPECT_EQ(::setsockopt(socket_, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter), 0);
    EXPECT_EQ(::listen(socket_, 100), 0);
  }
  ~DeadAddress() { ::close(socket_); }
  void revive() {
    const int unused = 0;
    EXPECT_EQ(::setsockopt(socket_, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused), 0);
  }
  bool is_asked(std::chrono::milliseconds at_most) {
    pollfd wait{socket_, POLLIN, 0};
    return ::poll(&wait, 1, static_cast<int>(at_most.count())) == 1;
  }

 private:
  int socket_;
};

class Names : public testing::Test {
 protected:
  static fetch::FetchLimits limits() {
    fetch::FetchLimits limits;
    limits.connect_timeout = 4s;
    return limits;
  }
  Names() { origin.add("/f", 1000); }
  std::string url(const std::string& name) const {
    return "http://" + name + ":" + std::to_string(origin.port()) + "/f";
  }
  // The next request needs a new connection.
  void drop_connection() {
    EXPECT_TRUE(origin.await([&] { return origin.requests().back().done; }));
    origin.drop_idle_connections();
    EXPECT_TRUE(origin.await([&] { return origin.connections().open == 0; }));
  }

  HostileOrigin origin;
  LiveFetcher fetcher{limits()};
};

// S-NET-7
TEST_F(Names, AnAddressThatDoesNotAnswerIsTriedOnceAndThenRemembered) {
  FakeNames::set("two.test", {"127.0.0.2", "127.0.0.1"});
  const DeadAddress dead(origin.port());
  EXPECT_GT(fetcher.time(url("two.test")), 1900ms) << "half of the time for connecting";
  for (int i = 0; i < 3; ++i) {
    drop_connection();
    fetcher.time(url("two.test"));
  }
  const auto status =
      fetcher.await_status([](const auto& now) { return now.bytes_received >= 400; });
  EXPECT_EQ(status.connections_opened, 5u) << "two for the first, and then one for each";
}

// S-NET-7
TEST_F(Names, AnAddressThatWasDeadIsStillTheLastResort) {
  FakeNames::set("two.test", {"127.0.0.2", "127.0.0.1"});
  DeadAddress dead(origin.port());
  fetcher.time(url("two.test"));
  origin.stop_listening();
  drop_connection();
  dead.revive();
  const auto sink = fetcher.fetch(url("two.test"));
  EXPECT_TRUE(dead.is_asked(10s)) << "the other address refuses";
}

// ------------------------------------------------------------ two families, and no room for both

// Names with addresses of two families, the first of which is silent.
bool has_six() {
  const int socket = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 here{};
  here.sin6_family = AF_INET6;
  here.sin6_addr = in6addr_loopback;
  const int bound = ::bind(socket, reinterpret_cast<sockaddr*>(&here), sizeof here);
  ::close(socket);
  return bound == 0;
}

// For this thread and those it starts: a loopback of its own, netdevice(7).
void enter_own_network() {
  if (::unshare(CLONE_NEWNET) != 0) return;
  ifreq loopback{};
  std::strncpy(loopback.ifr_name, "lo", sizeof loopback.ifr_name - 1);
  loopback.ifr_flags = IFF_UP;
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ::ioctl(socket, SIOCSIFFLAGS, &loopback);
  ::close(socket);
}

class TwoFamilies : public testing::Test {
 protected:
  // Of which whoever does not answer has half.
  static constexpr std::chrono::seconds kLong{20};
  // A machine may have IPv6 switched off; a new network has it on.
  static void SetUpTestSuite() {
    if (!has_six()) enter_own_network();
  }
  static fetch::FetchLimits limits(unsigned connections, unsigned per_host) {
    fetch::FetchLimits limits;
    limits.connections = connections;
    limits.connections_per_host = per_host;
    limits.connect_timeout = kLong;
    return limits;
  }
  void SetUp() override {
    if (!has_six()) GTEST_SKIP() << "no IPv6 here";
    origin.add("/f", 1000);
    six.emplace(origin.port(), AF_INET6);
  }
  std::string url(const std::string& name) const {
    return "http://" + name + ":" + std::to_string(origin.port()) + "/f";
  }
  // How long `readers` at once take, who all must succeed.
  std::chrono::milliseconds time(LiveFetcher& fetcher, const std::string& name, unsigned readers) {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::shared_ptr<WaitingSink>> sinks;
    for (unsigned i = 0; i < readers; ++i) sinks.push_back(fetcher.fetch(url(name)));
    for (const auto& sink : sinks) EXPECT_EQ(sink->wait(), std::error_code());
    return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  }

  // Two readers at both addresses.
  static bool have_two_each(const fetch::FetchStatus& now) { return now.connections_open == 4; }

  HostileOrigin origin;
  std::optional<DeadAddress> six;
};

// S-CONN-1, S-NET-7
TEST_F(TwoFamilies, AHostThatMayHaveOneSocketIsReachedAtItsOtherAddress) {
  FakeNames::set("two.test", {"::1", "127.0.0.1"});
  LiveFetcher fetcher(limits(64, 1));
  EXPECT_LT(time(fetcher, "two.test", 1), kLong / 2);
  EXPECT_EQ(fetcher.status().connections_peak, 1u);
}

// S-CONN-1, S-NET-7
TEST_F(TwoFamilies, ReadersWhoFillTheCapReachTheOtherAddressAsOneAloneDoes) {
  FakeNames::set("two.test", {"::1", "127.0.0.1"});
  LiveFetcher fetcher(limits(64, 16));
  EXPECT_LT(time(fetcher, "two.test", 16), kLong / 2);
  EXPECT_LE(fetcher.status().connections_peak, 16u);
}

// S-CONN-1
TEST_F(TwoFamilies, ReadersWhoComeLaterFindNoMoreSocketsThanTheHostMayHave) {
  FakeNames::set("dead.test", {"::1", "127.0.0.2"});
  const DeadAddress four(origin.port());
  LiveFetcher fetcher(limits(16, 4));
  for (int i = 0; i < 2; ++i) fetcher.fetch(url("dead.test"));
  fetcher.await_status(have_two_each);
  for (int i = 0; i < 2; ++i) fetcher.fetch(url("dead.test"));
  std::this_thread::sleep_for(500ms);
  EXPECT_EQ(fetcher.status().connections_peak, 4u);
}

// S-NET-4, S-CONN-1
TEST_F(TwoFamilies, OfAHostThatIsAwayKeepNoOtherFromItsSockets) {
  FakeNames::set("dead.test", {"::1", "127.0.0.2"});
  const DeadAddress four(origin.port());
  LiveFetcher fetcher(limits(4, 4));
  for (int i = 0; i < 2; ++i) fetcher.fetch(url("dead.test"));
  fetcher.await_status(have_two_each);
  EXPECT_LT(fetcher.time(url("127.0.0.1")), kLong / 2);
  EXPECT_EQ(fetcher.status().connections_peak, 4u);
}

// S-NET-7
TEST_F(TwoFamilies, WhatCannotBeReachedFromHereTakesNoPlace) {
  FakeNames::set("far.test", {"::1", "255.255.255.255"});
  LiveFetcher fetcher(limits(64, 1));
  const auto sink = fetcher.fetch(url("far.test"));
  fetcher.await_status([](const auto& now) { return now.connections_opened > 0; });
  std::this_thread::sleep_for(500ms);
  EXPECT_EQ(fetcher.status().connections_open, 1u) << "slow, but the only one there is";
  EXPECT_EQ(fetcher.status().connections_opened, 1u);
}

// S-NET-7: it answered, whatever it had to say.
TEST_F(TwoFamilies, AProxyThatRefusesIsNoDeadAddress) {
  const Speaker proxy("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
  const DeadAddress proxys_six(proxy.port(), AF_INET6);
  FakeNames::set("proxy.test", {"::1", "127.0.0.1"});
  fetch::FetchLimits through = limits(64, 1);
  through.proxy = "http://proxy.test:" + std::to_string(proxy.port());
  LiveFetcher fetcher(through);
  const auto sink = fetcher.fetch("https://127.0.0.1/f");
  const auto until = std::chrono::steady_clock::now() + kLong * 3 / 4;
  while (proxy.connections() < 2 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(10ms);
  EXPECT_GE(proxy.connections(), 2u);
}

// S-NET-7
TEST_F(TwoFamilies, WhereNeitherAnswersTheFirstHasItsTimeTheNextTime) {
  FakeNames::set("slow.test", {"::1", "127.0.0.3"});  // that refuses
  LiveFetcher fetcher(limits(64, 1));
  const auto sink = fetcher.fetch(url("slow.test"));
  fetcher.await_status([](const auto& now) { return now.connections_opened >= 3; });
  std::this_thread::sleep_for(1s);
  EXPECT_EQ(fetcher.status().connections_opened, 3u) << "both, and then the first alone";
  EXPECT_EQ(fetcher.status().connections_open, 1u);
}

// S-NET-7
TEST_F(Names, AnAddressThatWasDeadIsAskedAtOnceWhereItIsTheOnlyOne) {
  FakeNames::set("two.test", {"127.0.0.2", "127.0.0.1"});
  FakeNames::set("one.test", {"127.0.0.2"});
  DeadAddress dead(origin.port());
  fetcher.time(url("two.test"));
  dead.revive();
  const auto sink = fetcher.fetch(url("one.test"));
  EXPECT_TRUE(dead.is_asked(10s));
  for (const fetch::HostStatus& host : fetcher.status().hosts)
    EXPECT_EQ(host.retries, 0u) << host.host << " is held to what another name left";
}

// Before the second socket, a file of somebody else's takes the number of the first, and the server
// comes up.
struct Bystander final : fetch::SocketWatch {
  explicit Bystander(const Descriptor& server) : server_(server) {}
  unsigned most(std::string_view) const noexcept override {
    if (opened_ == 1 && socket_.get() < 0) {
      socket_ = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      listen_on(server_);
    }
    return 4;
  }
  void opened(std::string_view) noexcept override { ++opened_; }
  void closed(std::string_view) noexcept override {}

  // Milliseconds, tcp(7).
  unsigned user_timeout() const {
    unsigned time = 0;
    socklen_t size = sizeof time;
    EXPECT_EQ(::getsockopt(socket_.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &time, &size), 0);
    return time;
  }

 private:
  const Descriptor& server_;
  mutable Descriptor socket_;
  unsigned opened_ = 0;
};

struct Connecting final : fetch::Exchange {
  void connected(bool, bool) override { done = true; }
  void lost() override {}
  bool head(const fetch::ResponseHead&) override { return false; }
  std::span<std::byte> space() override { return {}; }
  bool body(std::span<const std::byte>) override { return false; }
  void end(const fetch::ExchangeEnd& end) override {
    ADD_FAILURE() << end.detail;
    done = true;
  }
  bool done = false;
};

TEST(ANameWithOneAddressTwice, LeavesTheSocketAloneThatHasTheNumberOfItsFirstTry) {
  FakeNames::set("twice.test", {"127.0.0.1", "127.0.0.1"});
  std::uint16_t port = 0;
  const Descriptor server = hold(port);
  Bystander bystander(server);
  Connecting exchange;
  fetch::HttpTransport transport({}, bystander);
  transport.start({.url = "http://twice.test:" + std::to_string(port) + "/f", .host_port = "twice"},
                  exchange);
  while (!exchange.done) transport.poll(1s);
  EXPECT_EQ(bystander.user_timeout(), 0u);
  transport.abort(exchange);
}

TEST_F(Names, AreAskedForAnewAfterANetworkChange) {
  FakeNames::set("moves.test", {"127.0.0.1"});
  fetcher.time(url("moves.test"));
  drop_connection();
  fetcher.time(url("moves.test"));
  EXPECT_EQ(FakeNames::lookups("moves.test"), 1u) << "a name is kept for a minute";
  drop_connection();
  fetcher.change_network();
  std::this_thread::sleep_for(1100ms);  // it looks once a second
  fetcher.time(url("moves.test"));
  EXPECT_EQ(FakeNames::lookups("moves.test"), 2u);
}

}  // namespace
}  // namespace skimfs::test
