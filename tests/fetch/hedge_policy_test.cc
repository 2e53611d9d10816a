// SPDX-License-Identifier: MIT
//
// When a host is late, and how often it is asked twice.
#include "fetch/hedge_policy.h"

#include <gtest/gtest.h>

namespace skimfs::fetch {
namespace {

using namespace std::chrono_literals;

void answer(HedgePolicy& policy, int times, Duration took) {
  for (int i = 0; i < times; ++i) policy.answered(took);
}

TEST(HedgePolicy, NothingIsLateBeforeFiftyAnswersWereTimed) {
  HedgePolicy policy;
  answer(policy, 49, 100ms);
  EXPECT_EQ(policy.patience(), std::nullopt);
  answer(policy, 1, 100ms);
  EXPECT_EQ(policy.patience(), Duration(300ms));
}

TEST(HedgePolicy, AnAnswerIsLateAfterThreeTimesTheNinetyFifthPercentile) {
  HedgePolicy policy;
  for (int i = 1; i <= 100; ++i) policy.answered(i * 10ms);
  EXPECT_EQ(policy.patience(), Duration(3 * 950ms));
}

TEST(HedgePolicy, AFewSlowAnswersDoNotTeachPatience) {
  HedgePolicy policy;
  answer(policy, 95, 20ms);
  answer(policy, 5, 20s);
  EXPECT_EQ(policy.patience(), Duration(60ms));
  answer(policy, 1, 20s);
  EXPECT_EQ(policy.patience(), Duration(60s)) << "more than a twentieth of them";
}

TEST(HedgePolicy, NobodyIsLateWithinFiftyMilliseconds) {
  HedgePolicy policy;
  answer(policy, 50, 200us);
  EXPECT_EQ(policy.patience(), Duration(50ms));
}

TEST(HedgePolicy, OnlyTheLastHundredAnswersCount) {
  HedgePolicy policy;
  answer(policy, 1000, 1s);
  answer(policy, 100, 30ms);
  EXPECT_EQ(policy.patience(), Duration(90ms));
}

TEST(HedgePolicy, TimesThatNoNumberHoldsAreTheLongest) {
  HedgePolicy policy;
  answer(policy, 50, 100h);
  EXPECT_GT(policy.patience(), Duration(3h));
  answer(policy, 100, -1s);
  EXPECT_EQ(policy.patience(), Duration(50ms));
}

TEST(HedgePolicy, AHostForgottenIsTimedAnew) {
  HedgePolicy policy;
  answer(policy, 100, 1s);
  policy.forget_times();
  EXPECT_EQ(policy.patience(), std::nullopt);
  answer(policy, 50, 20ms);
  EXPECT_EQ(policy.patience(), Duration(60ms)) << "of the new ones only";
}

TEST(HedgePolicy, ABodyIsSlowAtATenthOfTheMedianRate) {
  HedgePolicy policy;
  for (int i = 1; i <= 99; ++i) policy.brought(i * 1000, 1s);
  EXPECT_FALSE(policy.slow(5001, 1s));
  EXPECT_TRUE(policy.slow(5000, 1s));
  EXPECT_FALSE(policy.slow(5000, 500ms));
  EXPECT_TRUE(policy.slow(10'000, 2s));
}

TEST(HedgePolicy, NoBodyIsSlowBeforeFiftyWereTimed) {
  HedgePolicy policy;
  for (int i = 0; i < 49; ++i) policy.brought(1000, 1s);
  EXPECT_FALSE(policy.knows_rate());
  EXPECT_FALSE(policy.slow(0, 100s));
  policy.brought(1000, 1s);
  EXPECT_TRUE(policy.knows_rate());
  EXPECT_TRUE(policy.slow(0, 100s));
  policy.forget_times();
  EXPECT_FALSE(policy.slow(0, 100s));
}

TEST(HedgePolicy, AHostThatHasBecomeSlowIsNoLongerCalledSo) {
  HedgePolicy policy;
  for (int i = 0; i < 100; ++i) policy.brought(1'000'000, 1s);
  for (int i = 0; i < 49; ++i) policy.brought(1000, 1s);
  EXPECT_TRUE(policy.slow(1000, 1s));
  for (int i = 0; i < 2; ++i) policy.brought(1000, 1s);
  EXPECT_FALSE(policy.slow(1000, 1s));
}

TEST(HedgePolicy, ABodyInNoTimeIsOneOfTheLargestRate) {
  HedgePolicy policy;
  for (int i = 0; i < 50; ++i) policy.brought(1 << 20, 0s);
  EXPECT_TRUE(policy.slow(400'000'000, 1s));
  EXPECT_FALSE(policy.slow(500'000'000, 1s));
}

TEST(HedgePolicy, FiftyRequestsEarnASecondOne) {
  HedgePolicy policy;
  for (int i = 0; i < 49; ++i) policy.sent();
  EXPECT_FALSE(policy.earned());
  policy.sent();
  EXPECT_TRUE(policy.earned());
  policy.spend();
  EXPECT_FALSE(policy.earned());
}

TEST(HedgePolicy, NoMoreThanFourAreSavedUp) {
  HedgePolicy policy;
  for (int i = 0; i < 10'000; ++i) policy.sent();
  int spent = 0;
  for (; policy.earned(); ++spent) policy.spend();
  EXPECT_EQ(spent, 4);
}

}  // namespace
}  // namespace skimfs::fetch
