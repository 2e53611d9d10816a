// SPDX-License-Identifier: MIT
//
// Deadlines and interrupts of requests that nobody else answers.
#include "fs/shell/keeper.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <vector>

#include "tests/support/manual_clock.h"

namespace skimfs::fs::shell {
namespace {

using namespace std::chrono_literals;

struct FakeKept final : Keeper::Kept {
  bool open() const noexcept override { return !closed; }
  void settle(std::error_code why) noexcept override { reasons.push_back(why); }
  void settle_interrupted() noexcept override {
    ++interrupts;
    told.set_value();
  }

  bool closed = false;
  std::vector<std::error_code> reasons;
  int interrupts = 0;
  std::promise<void> told;
};

class KeeperTest : public ::testing::Test {
 protected:
  std::shared_ptr<FakeKept> keep() {
    auto request = std::make_shared<FakeKept>();
    EXPECT_TRUE(keeper.link(request));
    return request;
  }

  test::ManualClock clock;
  Keeper keeper{clock, 60s};
};

TEST_F(KeeperTest, AnAnsweredRequestIsNotKept) {
  const auto request = std::make_shared<FakeKept>();
  request->closed = true;
  EXPECT_FALSE(keeper.link(request));
  EXPECT_EQ(keeper.gauge().kept, 0u);
}

TEST_F(KeeperTest, OnlyWhatIsOverdueTimesOut) {
  const auto older = keep();
  clock.advance(30s);
  const auto younger = keep();
  clock.advance(30s);
  keeper.tick();
  EXPECT_EQ(older->reasons, std::vector{std::make_error_code(std::errc::timed_out)});
  EXPECT_TRUE(younger->reasons.empty());
}

TEST_F(KeeperTest, TheNextLookIsDueWithTheOldestRequest) {
  keep();
  clock.advance(20s);
  keep();
  EXPECT_EQ(keeper.tick(), 40s);
}

TEST_F(KeeperTest, WithNothingKeptItSleepsAsLongAsAnythingNewMayWait) {
  EXPECT_EQ(keeper.tick(), 60s);
}

TEST_F(KeeperTest, TheGaugeTellsTheOldestAge) {
  const auto oldest = keep();
  clock.advance(5s);
  keep();
  EXPECT_EQ(keeper.gauge().kept, 2u);
  EXPECT_EQ(keeper.gauge().oldest, 5s);
  keeper.unlink(*oldest);
  EXPECT_EQ(keeper.gauge().oldest, 0s);
}

TEST_F(KeeperTest, TheGaugeRemembersTheLongestWaitHoweverItEnded) {
  const auto answered = keep();
  clock.advance(7s);
  keeper.unlink(*answered);
  EXPECT_EQ(keeper.gauge().longest, 7s);
  keep();
  clock.advance(9s);
  EXPECT_EQ(keeper.gauge().longest, 9s);  // waiting still
  clock.advance(52s);
  keeper.tick();  // overdue
  EXPECT_EQ(keeper.gauge().longest, 61s);
  EXPECT_EQ(keeper.gauge().oldest, 0s);
}

TEST_F(KeeperTest, AnUnlinkedRequestIsLeftAlone) {
  const auto request = keep();
  keeper.unlink(*request);
  keeper.unlink(*request);
  clock.advance(60s);
  keeper.tick();
  keeper.settle_all();
  EXPECT_TRUE(request->reasons.empty());
  EXPECT_EQ(request.use_count(), 1);
}

TEST_F(KeeperTest, SettlingAllAnswersEachOnceAndRefusesTheNext) {
  const auto one = keep();
  const auto two = keep();
  keeper.settle_all();
  keeper.settle_all();
  const std::vector canceled{std::make_error_code(std::errc::operation_canceled)};
  EXPECT_EQ(one->reasons, canceled);
  EXPECT_EQ(two->reasons, canceled);
  EXPECT_FALSE(keeper.link(std::make_shared<FakeKept>()));
}

TEST_F(KeeperTest, EveryInterruptIsAnsweredInOneTick) {
  std::vector<std::shared_ptr<FakeKept>> requests;
  for (int i = 0; i < 100; ++i) requests.push_back(keep());
  for (const auto& request : requests) keeper.interrupted(request);
  keeper.tick();
  for (const auto& request : requests) EXPECT_EQ(request->interrupts, 1);
}

TEST_F(KeeperTest, ItsThreadAnswersAnInterruptAtOnce) {
  keeper.start();
  const auto request = keep();
  keeper.interrupted(request);
  EXPECT_EQ(request->told.get_future().wait_for(10s), std::future_status::ready);
}

}  // namespace
}  // namespace skimfs::fs::shell
