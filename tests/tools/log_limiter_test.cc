// SPDX-License-Identifier: MIT
//
// Repeats in the log are counted, and no count is lost.
#include "fs/log_limiter.h"

#include <gtest/gtest.h>

#include <numeric>

namespace skimfs::fs {
namespace {

using namespace std::chrono_literals;

struct LogLimiterTest : testing::Test {
  bool admit(std::string_view event, std::string_view about) {
    return limiter.admit(log::Level::warning, event, about, now);
  }
  static std::uint64_t total(const std::vector<LogLimiter::Repeats>& repeats) {
    return std::accumulate(
        repeats.begin(), repeats.end(), std::uint64_t{0},
        [](std::uint64_t sum, const LogLimiter::Repeats& each) { return sum + each.suppressed; });
  }

  LogLimiter limiter;
  LogLimiter::TimePoint now{};
};

TEST_F(LogLimiterTest, TellsAPairOnceInAWindow) {
  EXPECT_TRUE(admit("throttled", "cdn.example"));
  EXPECT_FALSE(admit("throttled", "cdn.example"));
  now += LogLimiter::kWindow - 1ns;
  EXPECT_FALSE(admit("throttled", "cdn.example"));
  now += 1ns;
  EXPECT_TRUE(admit("throttled", "cdn.example"));
}

TEST_F(LogLimiterTest, PairsDoNotHideEachOther) {
  EXPECT_TRUE(admit("throttled", "a.example"));
  EXPECT_TRUE(admit("throttled", "b.example"));
  EXPECT_TRUE(admit("changed", "a.example"));
}

TEST_F(LogLimiterTest, TheCountComesBackOnceWhenItsWindowEnds) {
  admit("throttled", "cdn.example");
  for (int i = 0; i < 41; ++i) admit("throttled", "cdn.example");
  EXPECT_TRUE(limiter.take_ended(now + LogLimiter::kWindow - 1ns).empty());

  const auto ended = limiter.take_ended(now + LogLimiter::kWindow);

  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].event, "throttled");
  EXPECT_EQ(ended[0].about, "cdn.example");
  EXPECT_EQ(ended[0].level, log::Level::warning);
  EXPECT_EQ(ended[0].suppressed, 41u);
  EXPECT_TRUE(limiter.take_ended(now + 2 * LogLimiter::kWindow).empty());
}

TEST_F(LogLimiterTest, WhatWasToldOnceLeavesNoCount) {
  admit("changed", "/a");
  EXPECT_TRUE(limiter.take_ended(now + LogLimiter::kWindow).empty());
  EXPECT_TRUE(limiter.take_all().empty());
}

TEST_F(LogLimiterTest, TakeAllEndsWindowsThatStillRun) {
  admit("throttled", "a");
  admit("throttled", "a");
  EXPECT_EQ(total(limiter.take_all()), 1u);
  EXPECT_TRUE(admit("throttled", "a"));
}

TEST_F(LogLimiterTest, RemembersABoundedNumberOfPairsAndStillLosesNoCount) {
  for (std::size_t i = 0; i < 3 * LogLimiter::kMost; ++i) {
    EXPECT_TRUE(admit("missing", "/file" + std::to_string(i)));
    EXPECT_FALSE(admit("missing", "/file" + std::to_string(i)));
  }
  // The first ones were forgotten to make room, and are told again.
  EXPECT_TRUE(admit("missing", "/file0"));
  EXPECT_EQ(total(limiter.take_all()), 3 * LogLimiter::kMost);
}

}  // namespace
}  // namespace skimfs::fs
