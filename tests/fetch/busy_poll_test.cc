// SPDX-License-Identifier: MIT
//
// When a lane looks again before it sleeps, and when it must not.
#include "fetch/busy_poll.h"

#include <gtest/gtest.h>

namespace skimfs::fetch {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kRead = 4096;

class BusyPollTest : public testing::Test {
 protected:
  // Waits until something comes after `gap`; whether it was looked for.
  bool wait(Duration gap) {
    const bool looks = poll.look_until(now) > now;
    now += gap;
    poll.waited(now);
    return looks;
  }
  // The reader comes back after `pause`, its answer after `answer`; whether each was looked for.
  std::pair<bool, bool> read(Duration pause, Duration answer, std::uint64_t bytes = kRead) {
    const bool order = wait(pause);
    poll.started(bytes);
    const bool body = wait(answer);
    poll.ended(bytes);
    return {order, body};
  }
  void read_closely() {
    for (int i = 0; i < 10; ++i) read(20us, 40us);
  }
  static constexpr std::pair kBoth{true, true};
  static constexpr std::pair kNeither{false, false};

  TimePoint now{1h};
  BusyPoll poll{true};
};

TEST_F(BusyPollTest, AFreshLaneSleeps) { EXPECT_EQ(read(1us, 1us), kNeither); }

TEST_F(BusyPollTest, ShortAnswersThatFollowEachOtherCloselyAreLookedFor) {
  read_closely();
  EXPECT_EQ(read(20us, 40us), kBoth);
}

TEST_F(BusyPollTest, ItLooksForNoLongerThanItsLimit) {
  read_closely();
  EXPECT_EQ(poll.look_until(now), now + BusyPoll::kLook);
}

TEST_F(BusyPollTest, WhoSleepsIsGivenTheTimeThatItTakesToBeWoken) {
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(wait(BusyPoll::kLook + 80us));  // to be woken
  EXPECT_TRUE(wait(BusyPoll::kLook));
}

TEST_F(BusyPollTest, AnIdleLaneLooksOnceAndSleeps) {
  read_closely();
  EXPECT_TRUE(wait(1h));
  EXPECT_TRUE(wait(1h)) << "one exception is borne";
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(wait(1h));
}

TEST_F(BusyPollTest, OneLateAnswerEndsNothing) {
  read_closely();
  read(5ms, 5ms);
  EXPECT_EQ(read(20us, 40us), kBoth);
}

TEST_F(BusyPollTest, AFarServersAnswerIsNotLookedFor) {
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(read(20us, 20ms).second);
  EXPECT_TRUE(read(20us, 20ms).first) << "its reader comes back at once";
}

TEST_F(BusyPollTest, WhereHalfOfTheWaitsAreLongNothingIsLookedFor) {
  read_closely();
  for (int i = 0; i < 10; ++i) wait(i % 2 ? 20us : 1ms);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(wait(i % 2 ? 20us : 1ms));
}

TEST_F(BusyPollTest, AServerJustTooSlowToBeSeenIsLookedForAThirdOfTheTime) {
  int looked = 0;
  for (int i = 0; i < 300; ++i) looked += wait(BusyPoll::kLook + 40us);
  EXPECT_LE(looked, 100);
}

TEST_F(BusyPollTest, NothingIsLookedForWhileAStreamRuns) {
  read_closely();
  poll.started(8 << 20);
  EXPECT_FALSE(wait(20us));
  poll.started(kRead);  // another reader beside it
  EXPECT_FALSE(wait(20us));
  poll.ended(kRead);
  EXPECT_FALSE(wait(20us));
  poll.ended(8 << 20);
  EXPECT_FALSE(wait(20us)) << "its next request";
}

TEST_F(BusyPollTest, WhoReadsOnInSmallPiecesAfterAStreamIsLookedForAgain) {
  read_closely();
  read(20us, 10ms, 8 << 20);
  read(20us, 40us);
  EXPECT_EQ(read(20us, 40us), kBoth);
}

TEST_F(BusyPollTest, ManySmallAnswersAtOnceAreAStream) {
  read_closely();
  for (std::uint64_t left = BusyPoll::kBrief; left > 0; left -= kRead) poll.started(kRead);
  EXPECT_TRUE(wait(20us));
  poll.started(kRead);
  EXPECT_FALSE(wait(20us));
}

TEST_F(BusyPollTest, AnswersOfUnknownLengthAreStreams) {
  read_closely();
  for (int i = 0; i < 2; ++i) poll.started(std::uint64_t{1} << 63);
  EXPECT_FALSE(wait(20us));
}

TEST_F(BusyPollTest, WithoutASpareProcessorItSleeps) {
  BusyPoll alone(false);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(alone.look_until(now), now);
    alone.waited(now += 10us);
  }
}

}  // namespace
}  // namespace skimfs::fetch
