// SPDX-License-Identifier: MIT
//
// How much a peer gets at once.
#include "fetch/host_state.h"

#include <gtest/gtest.h>

namespace skimfs::fetch {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint at(Duration time) { return TimePoint(1h + time); }

TEST(Host, StartsAtItsCap) { EXPECT_EQ(Host("h:80", 16).limit(), 16u); }

TEST(Host, IsHalvedWhenItPushesBackButNeverToZero) {
  Host host("h:80", 16);
  for (const unsigned left : {8u, 4u, 2u, 1u, 1u}) {
    static Duration time{};
    time += 2s;
    host.pushed_back(Host::Why::busy, at(time), at(time + 1s));
    EXPECT_EQ(host.limit(), left);
  }
}

TEST(Host, AnswersToWhatBeganBeforeTheCutDoNotCutAgain) {
  Host host("h:80", 16);
  host.pushed_back(Host::Why::busy, at(0s), at(5s));
  host.pushed_back(Host::Why::busy, at(1s), at(6s));
  host.pushed_back(Host::Why::busy, at(5s), at(7s));
  EXPECT_EQ(host.limit(), 8u);
  host.pushed_back(Host::Why::busy, at(6s), at(8s));
  EXPECT_EQ(host.limit(), 4u);
}

TEST(Host, GetsOneMoreAfterThirtyTwoGoodAnswersUpToItsCap) {
  Host host("h:80", 4);
  host.pushed_back(Host::Why::busy, at(0s), at(1s));
  for (int i = 0; i < 31; ++i) host.good();
  EXPECT_EQ(host.limit(), 2u);
  host.good();
  EXPECT_EQ(host.limit(), 3u);
  for (int i = 0; i < 320; ++i) host.good();
  EXPECT_EQ(host.limit(), 4u);
}

TEST(Host, ThatWasAwayGetsOneMoreForEachGoodAnswer) {
  Host host("h:80", 16);
  for (const Duration time : {0s, 2s, 4s, 6s})
    host.pushed_back(Host::Why::away, at(time), at(time + 1s));
  EXPECT_EQ(host.limit(), 1u);
  for (int i = 0; i < 15; ++i) host.good();
  EXPECT_EQ(host.limit(), 16u);
}

TEST(Host, ThatWasBusyAndAwayIsSparedUntilItsCap) {
  Host host("h:80", 4);
  host.pushed_back(Host::Why::busy, at(0s), at(1s));
  host.pushed_back(Host::Why::away, at(2s), at(3s));
  for (int i = 0; i < 31; ++i) host.good();
  EXPECT_EQ(host.limit(), 1u);
  for (int i = 0; i < 65; ++i) host.good();
  EXPECT_EQ(host.limit(), 4u);
  host.pushed_back(Host::Why::away, at(4s), at(5s));
  host.good();
  EXPECT_EQ(host.limit(), 3u);
}

TEST(Host, TheLaterOfTwoPausesCounts) {
  Host host("h:80", 4);
  host.pause(at(10s));
  host.pause(at(5s));
  EXPECT_EQ(host.paused_until(), at(10s));
}

TEST(HostTable, CountsSocketsPerHostAndInAll) {
  HostTable hosts(4);
  hosts.opened("a:80");
  hosts.opened("a:80");
  hosts.opened("b:80");
  hosts.closed("a:80");
  EXPECT_EQ(hosts.open(), 2u);
  EXPECT_EQ(hosts.peak(), 3u);
  EXPECT_EQ(hosts.opened_ever(), 3u);
  const HostStatus status = hosts.at("a:80").status(at(0s));
  EXPECT_EQ(status.open, 1u);
  EXPECT_EQ(status.opened, 2u);
  EXPECT_EQ(status.closed, 1u);
}

TEST(HostTable, IdleAreTheSocketsNoExchangeRunsOn) {
  HostTable hosts(4);
  hosts.opened("a:80");
  hosts.opened("a:80");
  hosts.at("a:80").started(at(0s));
  EXPECT_EQ(hosts.at("a:80").status(at(0s)).idle, 1u);
}

TEST(Host, TellsHowItsServerIsSpared) {
  Host host("h:80", 4);
  for (int i = 0; i < 3; ++i)
    host.breaker().failed(std::make_error_code(std::errc::io_error), false, at(0s), at(1s));
  host.retry_budget().take(at(1s));
  host.pause(at(10s));
  const HostStatus status = host.status(at(7s - 1ms));
  EXPECT_STREQ(status.breaker, "doubtful");
  EXPECT_EQ(status.breaker_opened, 0u);
  EXPECT_EQ(status.retry_budget, 10u) << "one a second comes back";
  EXPECT_EQ(status.pauses, 1u);
  EXPECT_EQ(status.paused, 3001ms);
}

TEST(Host, AnotherNetworkForgivesAbsenceButNotBusyness) {
  Host away("a:80", 16), busy("b:80", 16);
  away.pushed_back(Host::Why::away, at(0s), at(1s));
  busy.pushed_back(Host::Why::busy, at(0s), at(1s));
  away.network_changed(at(2s));
  busy.network_changed(at(2s));
  EXPECT_EQ(away.limit(), 16u);
  EXPECT_EQ(busy.limit(), 8u);
}

TEST(HostTable, IsBoundedEvenWhereEveryHostHasAStory) {
  HostTable hosts(4);
  for (int i = 0; i < 100; ++i) {
    Host& host = hosts.at("h" + std::to_string(i) + ":80");
    host.started(at(i * 1s));
    host.ended();
    host.pushed_back(Host::Why::away, at(i * 1s), at(i * 1s + 1ms));
  }
  ++hosts.at("h0:80").orders;
  hosts.forget_idle(10, at(200s));
  EXPECT_EQ(hosts.all().size(), 10u);
  EXPECT_EQ(hosts.all().count("h0:80"), 1u) << "somebody wants it";
  EXPECT_EQ(hosts.all().count("h99:80"), 1u) << "used last";
  EXPECT_EQ(hosts.all().count("h90:80"), 0u);
}

TEST(HostTable, ForgetsOnlyHostsWithoutAStory) {
  HostTable hosts(4);
  hosts.at("plain:80");
  hosts.at("doubted:80").breaker().failed({}, false, at(0s), at(1s));
  hosts.at("cut:80").pushed_back(Host::Why::busy, at(0s), at(1s));
  hosts.at("paused:80").pause(at(10s));
  hosts.at("bare:80").never_condition();
  hosts.at("busy:80").started(at(0s));
  ++hosts.at("wanted:80").orders;
  hosts.opened("open:80");
  hosts.forget_idle(8, at(5s));
  EXPECT_EQ(hosts.all().size(), 8u) << "not before there are too many";
  hosts.forget_idle(7, at(5s));
  EXPECT_EQ(hosts.all().size(), 7u);
  EXPECT_EQ(hosts.all().count("plain:80"), 0u);
}

TEST(HostTable, AHostIsWarmAsLongAsAConnectionIsOpen) {
  HostTable hosts(16);
  hosts.opened("h:80");
  hosts.opened("h:80");
  hosts.closed("h:80");
  EXPECT_TRUE(hosts.paces().at("h:80")->warm(at(0s)));
  hosts.closed("h:80");
  EXPECT_FALSE(hosts.paces().at("h:80")->warm(at(0s)));
}

}  // namespace
}  // namespace skimfs::fetch
