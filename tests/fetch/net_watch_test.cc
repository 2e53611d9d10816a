// SPDX-License-Identifier: MIT
//
// What counts as another network, and what this machine's own tells.
#include "fetch/net_watch.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
#include <thread>
#include <utility>

namespace skimfs::fetch {
namespace {

using namespace std::chrono_literals;

class NetWatchTest : public testing::Test {
 protected:
  struct Source final : NetSource {
    explicit Source(NetWatchTest& t) : test(t) {}
    NetSight look() noexcept override {
      ++test.looks;
      return test.sight;
    }
    NetWatchTest& test;
  };

  // The answer, a second and a half after the last one.
  std::string changed() {
    now += 1500ms;
    const char* why = watch.changed(now);
    return why ? why : "";
  }

  NetSight sight{.asleep = 100s, .wall = 50'000h, .moves = 3, .resolver = 77};
  int looks = 0;
  TimePoint now{1h};
  NetWatch watch{std::make_unique<Source>(*this)};
};

TEST_F(NetWatchTest, WhatIsThereAtFirstIsNoChange) {
  EXPECT_EQ(changed(), "");
  EXPECT_EQ(changed(), "");
}

TEST_F(NetWatchTest, LooksAtMostOnceASecond) {
  EXPECT_EQ(watch.changed(now), nullptr);
  sight.moves = 4;
  EXPECT_EQ(watch.changed(now + 999ms), nullptr);
  EXPECT_EQ(looks, 1);
  EXPECT_STREQ(watch.changed(now + 1s), "address");
}

TEST_F(NetWatchTest, ASleepOfMoreThanFiveSecondsIsAChangeOnce) {
  changed();
  sight.asleep += 5s;
  EXPECT_EQ(changed(), "");
  sight.asleep += 1s;
  EXPECT_EQ(changed(), "resume") << "short sleeps add up";
  EXPECT_EQ(changed(), "");
}

TEST_F(NetWatchTest, AnotherResolverIsAChange) {
  changed();
  sight.resolver = 78;
  EXPECT_EQ(changed(), "dns");
  EXPECT_EQ(changed(), "");
}

TEST_F(NetWatchTest, AJumpOfTheWallClockEitherWayIsAChange) {
  changed();
  sight.wall -= 8760h;
  EXPECT_EQ(changed(), "clock");
  sight.wall += 6s;
  EXPECT_EQ(changed(), "clock");
}

TEST_F(NetWatchTest, TheSlowSlewingOfTheClockIsNone) {
  changed();
  for (int i = 0; i < 3; ++i) {
    sight.wall += 1s;
    EXPECT_EQ(changed(), "");
  }
}

TEST_F(NetWatchTest, SeveralChangesAtOnceAreOne) {
  changed();
  sight.asleep += 1h;
  sight.moves += 5;
  sight.resolver = 78;
  EXPECT_EQ(changed(), "resume");
  EXPECT_EQ(changed(), "");
}

TEST(SystemNetSource, StandsStillWhileNothingHappens) {
  const auto source = system_net_source();
  const NetSight before = source->look();
  const NetSight after = source->look();
  EXPECT_LT(after.asleep - before.asleep, 5s) << "two clocks are read, and not at once";
  EXPECT_GT(after.wall, Duration(24h * 365 * 20)) << "since 1970, less the time since boot";
  EXPECT_NE(after.resolver, 0u) << "/etc/resolv.conf is there";
}

// In a network namespace of its thread's own, which ends with it.
TEST(SystemNetSource, SeesAddressesAndDefaultRoutesComeAndGo) {
  std::thread([] {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs root: a network namespace";
    const auto run = [](const char* command) { ASSERT_EQ(std::system(command), 0) << command; };
    const auto source = system_net_source();
    std::uint64_t before = source->look().moves;
    const auto moved = [&] {
      const std::uint64_t seen = source->look().moves;
      return seen > std::exchange(before, seen);
    };
    EXPECT_FALSE(moved());
    run("ip link set lo up");
    EXPECT_FALSE(moved()) << "loopback is no way to anywhere";
    run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
    run("ip address add 10.9.8.7/24 dev v0");
    EXPECT_TRUE(moved());
    run("ip address change 10.9.8.7/24 dev v0 valid_lft 1000 preferred_lft 1000");
    EXPECT_FALSE(moved()) << "a lifetime that is renewed is no new address";
    run("ip route add 10.1.0.0/16 via 10.9.8.1");
    EXPECT_FALSE(moved()) << "not the way to everywhere";
    run("ip route add default via 10.9.8.1");
    EXPECT_TRUE(moved());
    run("ip route del default");
    EXPECT_TRUE(moved());
    run("ip address del 10.9.8.7/24 dev v0");
    EXPECT_TRUE(moved());
  }).join();
}

}  // namespace
}  // namespace skimfs::fetch
