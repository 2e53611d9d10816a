// SPDX-License-Identifier: MIT
#include "fetch/host_health.h"

#include <gtest/gtest.h>

namespace skimfs::fetch {
namespace {

using namespace std::chrono_literals;

const TimePoint kNow{1h};

TEST(HostHealth, AFailureEndsWithTheNextGoodAnswer) {
  HostHealth health;
  EXPECT_FALSE(health.ailing());
  health.failed(kNow, kNow + 1s);
  EXPECT_TRUE(health.ailing());
  health.good();
  EXPECT_FALSE(health.ailing());
}

TEST(HostHealth, AnAilingHostIsLookedAtLaterEachTime) {
  HostHealth health;
  TimePoint now = kNow;
  for (const auto wait : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    health.failed(now, now);
    EXPECT_FALSE(health.scout_due(now + wait - 1ms));
    EXPECT_TRUE(health.scout_due(now + wait));
    now += wait;
  }
}

TEST(HostHealth, FailuresThatBeganTogetherCountOnce) {
  HostHealth health;
  for (int i = 0; i < 16; ++i) health.failed(kNow - 10s, kNow);
  EXPECT_TRUE(health.scout_due(kNow + 1s));
  health.good();
  health.failed(kNow - 5s, kNow + 5s);
  EXPECT_FALSE(health.ailing()) << "it began before the host was known to fail, and has recovered";
}

TEST(HostHealth, OneScoutAtATime) {
  HostHealth health;
  EXPECT_TRUE(health.scout_due(kNow)) << "never measured";
  health.scouted(kNow);
  EXPECT_FALSE(health.scout_due(kNow + 1s));
  EXPECT_TRUE(health.scout_due(kNow + 30s)) << "it got lost";
}

TEST(HostHealth, AMeasuredHostNeedsNoScoutUntilTheMeasureIsOld) {
  HostHealth health;
  health.answered(50ms, kNow);
  EXPECT_FALSE(health.scout_due(kNow + 4min));
  EXPECT_TRUE(health.scout_due(kNow + 5min));
  EXPECT_EQ(health.expected(0, kNow + 5min), std::nullopt);
}

TEST(HostHealth, WhatIsExpectedIsTheFirstByteAndTheRateOfTheBody) {
  HostHealth health;
  EXPECT_EQ(health.expected(1, kNow), std::nullopt);
  health.answered(50ms, kNow);
  EXPECT_EQ(health.expected(4096, kNow), 50ms);
  EXPECT_EQ(health.expected(1 << 20, kNow), 175ms) << "a guess";
  health.transferred(1 << 20, 1s, kNow);
  EXPECT_EQ(health.expected(1 << 20, kNow), 1050ms);
}

// As of answers that come behind others, whose first bytes are not timed.
TEST(HostHealth, WhatIsKnownLastsAsLongAsBodiesCome) {
  HostHealth health;
  health.answered(50ms, kNow);
  for (int minute = 4; minute <= 20; minute += 4)
    health.transferred(1 << 20, 1s, kNow + std::chrono::minutes(minute));
  EXPECT_EQ(health.expected(0, kNow + 24min), 50ms);
  health.transferred(1 << 20, 1s, kNow + 25min);
  EXPECT_EQ(health.expected(0, kNow + 25min), std::nullopt) << "too late";
}

TEST(HostHealth, MeasurementsAreSmoothed) {
  HostHealth health;
  health.answered(100ms, kNow);
  health.answered(500ms, kNow);
  EXPECT_EQ(health.expected(0, kNow), 200ms);
}

TEST(HostHealth, ASmallBodyTellsNoRate) {
  HostHealth health;
  health.answered(50ms, kNow);
  health.transferred(4096, 1s, kNow);
  EXPECT_EQ(health.expected(4096, kNow), 50ms);
}

TEST(HostHealth, AnOldMeasureDoesNotColourTheNext) {
  HostHealth health;
  health.answered(10s, kNow);
  health.answered(50ms, kNow + 6min);
  EXPECT_EQ(health.expected(0, kNow + 6min), 50ms);
}

}  // namespace
}  // namespace skimfs::fetch
