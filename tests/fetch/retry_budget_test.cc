// SPDX-License-Identifier: MIT
//
// How many repetitions a host bears.
#include "fetch/retry_budget.h"

#include <gtest/gtest.h>

namespace skimfs::fetch {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{1h};

TEST(RetryBudget, BearsTenAtOnce) {
  RetryBudget budget;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(budget.take(kNow), Duration::zero());
  EXPECT_EQ(budget.left(kNow), 0u);
}

TEST(RetryBudget, TheNextOnesGoOneASecondAndNoneWaitsLongerThanTheLongestBackoff) {
  RetryBudget budget;
  for (int i = 0; i < 10; ++i) budget.take(kNow);
  for (int i = 1; i <= 8; ++i) EXPECT_EQ(budget.take(kNow), Duration(i * 1s));
  EXPECT_EQ(budget.take(kNow), std::nullopt);
  EXPECT_EQ(budget.take(kNow), std::nullopt) << "a refusal costs nothing";
  EXPECT_EQ(budget.take(kNow + 1s), Duration(8s));
}

TEST(RetryBudget, ATenthOfTheRequestsComesBack) {
  RetryBudget budget;
  for (int i = 0; i < 10; ++i) budget.take(kNow);
  for (int i = 0; i < 11; ++i) budget.request(kNow);
  EXPECT_EQ(budget.left(kNow), 1u);
  EXPECT_EQ(budget.take(kNow), Duration::zero());
}

TEST(RetryBudget, NeverGrowsAboveTen) {
  RetryBudget budget;
  for (int i = 0; i < 1000; ++i) budget.request(kNow + i * 1s);
  EXPECT_EQ(budget.left(kNow + 1000s), 10u);
}

// 16 readers that all fail, again and again, for a minute.
TEST(RetryBudget, AHostThatAlwaysFailsIsAskedAFewTimesMore) {
  RetryBudget budget;
  unsigned requests = 0, repetitions = 0;
  for (TimePoint now = kNow; now < kNow + 60s; now += 1s) {
    for (int reader = 0; reader < 16; ++reader) {
      ++requests;
      budget.request(now);
      if (budget.take(now)) ++repetitions;
    }
  }
  EXPECT_LE(repetitions, requests / 10 + 10 + 60 + 8);
}

}  // namespace
}  // namespace skimfs::fetch
