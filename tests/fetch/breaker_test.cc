// SPDX-License-Identifier: MIT
//
// When a silent host is left alone, and how soon it is found again.
#include "fetch/breaker.h"

#include <gtest/gtest.h>

#include "fetch/error.h"

namespace skimfs::fetch {
namespace {

using namespace std::chrono_literals;
using State = Breaker::State;

constexpr TimePoint at(Duration time) { return TimePoint(1h + time); }

class BreakerTest : public testing::Test {
 protected:
  bool fail(Duration time, bool trial = false, Errc why = Errc::unreachable) {
    return breaker.failed(why, trial, at(time - 1ms), at(time));
  }
  // The next trial, when it is due, fails at once; returns when.
  Duration fail_trial() {
    const TimePoint due = breaker.next_trial().value();
    EXPECT_FALSE(breaker.admits(due - 1ms));
    EXPECT_TRUE(breaker.admits(due));
    breaker.started();
    EXPECT_FALSE(breaker.admits(due + 1h)) << "one at a time";
    const Duration time = due - at(0s) + 1ms;
    breaker.failed(Errc::unreachable, true, due, at(time));
    return time;
  }
  Duration fail_until_open() {
    Duration time{};
    for (int i = 0; i < 3; ++i) fail(1s);
    while (breaker.state() != State::open) time = fail_trial();
    return time;
  }

  Breaker breaker;
};

TEST_F(BreakerTest, AClosedOneAdmitsEverybody) {
  EXPECT_EQ(breaker.state(), State::closed);
  EXPECT_TRUE(breaker.admits(at(0s)));
  EXPECT_EQ(breaker.next_trial(), std::nullopt);
}

TEST_F(BreakerTest, DoubtsAfterThreeFailuresInARow) {
  EXPECT_FALSE(fail(1s));
  EXPECT_FALSE(fail(2s));
  EXPECT_TRUE(breaker.admits(at(2s)));
  EXPECT_TRUE(fail(3s)) << "the state is another now";
  EXPECT_EQ(breaker.state(), State::doubtful);
  EXPECT_FALSE(breaker.admits(at(3s)));
  EXPECT_TRUE(breaker.admits(at(3s + 200ms)));
}

TEST_F(BreakerTest, OneSignOfLifeBetweenThemForgivesFailures) {
  fail(1s);
  fail(2s);
  EXPECT_FALSE(breaker.alive(at(2s))) << "there was no doubt to end";
  fail(3s);
  fail(4s);
  EXPECT_EQ(breaker.state(), State::closed);
}

TEST_F(BreakerTest, WhatBeganBeforeASignOfLifeSaysNothing) {
  breaker.alive(at(10s));
  for (int i = 0; i < 9; ++i) breaker.failed(Errc::timed_out, false, at(1s), at(16s));
  EXPECT_EQ(breaker.failures(), 0u);
}

TEST_F(BreakerTest, AServerThatRestartsWithinEightSecondsIsNotGivenUp) {
  for (int i = 0; i < 3; ++i) fail(1s);
  for (Duration time{}; time < 8900ms;) {
    time = fail_trial();
    if (time < 9s) {
      ASSERT_EQ(breaker.state(), State::doubtful);
    }
  }
  while (breaker.state() == State::doubtful) fail_trial();
  EXPECT_EQ(breaker.state(), State::open);
  EXPECT_EQ(breaker.opened(), 1u);
}

TEST_F(BreakerTest, SlowFailuresAreRepeatedFourTimesBeforeItOpens) {
  for (int i = 0; i < 3; ++i) fail(10s);
  for (int trial = 1; trial <= 4; ++trial) {
    EXPECT_EQ(breaker.state(), State::doubtful);
    breaker.started();
    const TimePoint began = breaker.next_trial().value_or(at(10s));
    breaker.failed(Errc::timed_out, true, began, at(10s + trial * 11s));
  }
  EXPECT_EQ(breaker.state(), State::open);
}

TEST_F(BreakerTest, TrialsComeLessThanASecondApartHoweverLongItLasts) {
  Duration before = fail_until_open();
  for (int i = 0; i < 100; ++i) {
    const Duration time = fail_trial();
    EXPECT_LT(time - before, 1s);
    before = time;
  }
  EXPECT_LT(Breaker::kPatience, 1s);
  EXPECT_GT(Breaker::kPatience, Breaker::kLongestSpacing) << "who waits hears of the next trial";
}

TEST_F(BreakerTest, OneSignOfLifeClosesAnOpenOne) {
  fail_until_open();
  EXPECT_EQ(breaker.cause(), Errc::unreachable);
  EXPECT_TRUE(breaker.alive(at(60s)));
  EXPECT_EQ(breaker.state(), State::closed);
  EXPECT_TRUE(breaker.admits(at(60s)));
  EXPECT_FALSE(breaker.cause());
}

TEST_F(BreakerTest, ATrialThatEndsWithoutAWordLetsTheNextOneStart) {
  for (int i = 0; i < 3; ++i) fail(1s);
  breaker.started();
  EXPECT_FALSE(breaker.admits(at(5s)));
  breaker.trial_over(at(5s));
  EXPECT_TRUE(breaker.admits(at(5s)));
  EXPECT_EQ(breaker.state(), State::doubtful);
}

TEST_F(BreakerTest, ATrialOfAnEarlierDoubtThatEndsLateLetsNoSecondOneOut) {
  for (int i = 0; i < 3; ++i) fail(1s);
  breaker.started();
  breaker.alive(at(6s));
  for (int i = 0; i < 3; ++i) fail(7s);
  breaker.started();
  breaker.trial_over(at(5s));
  EXPECT_FALSE(breaker.admits(at(10s)));
  breaker.trial_over(at(9s));
  EXPECT_TRUE(breaker.admits(at(10s)));
}

TEST_F(BreakerTest, FailuresOfWhatBeganEarlierAreNoTrials) {
  for (int i = 0; i < 3; ++i) fail(1s);
  breaker.started();
  for (int i = 0; i < 13; ++i) breaker.failed(Errc::timed_out, false, at(0s), at(20s));
  EXPECT_EQ(breaker.state(), State::doubtful);
  EXPECT_FALSE(breaker.admits(at(30s))) << "the trial is still out";
}

TEST_F(BreakerTest, AnotherNetworkIsAnotherChance) {
  fail_until_open();
  breaker.reset(at(60s));
  EXPECT_EQ(breaker.state(), State::closed);
  EXPECT_EQ(breaker.opened(), 1u) << "it is counted all the same";
  for (int i = 0; i < 9; ++i) breaker.failed(Errc::timed_out, false, at(59s), at(61s));
  EXPECT_EQ(breaker.failures(), 0u) << "they began on the old one";
}

TEST_F(BreakerTest, AHostIsTrustedFromItsFirstAnswerToItsNextFailure) {
  EXPECT_FALSE(breaker.trusted());
  breaker.alive(at(1s));
  EXPECT_TRUE(breaker.trusted());
  fail(2s);
  EXPECT_FALSE(breaker.trusted());
}

}  // namespace
}  // namespace skimfs::fetch
