// SPDX-License-Identifier: MIT
//
// Names with several addresses, and names whose addresses change.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "fetch/error.h"
#include "tests/fetch/fake_names.h"
#include "tests/fetch/live_fetcher.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

// 127.0.0.2, at the same port: drops what arrives.
class DeadAddress {
 public:
  explicit DeadAddress(std::uint16_t port)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    const sock_fprog filter{1, &nothing};
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&where), sizeof where), 0);
    EXPECT_EQ(::setsockopt(socket_, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter), 0);
    EXPECT_EQ(::listen(socket_, 10), 0);
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
    EXPECT_LT(fetcher.time(url("two.test")), 1500ms);
  }
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
