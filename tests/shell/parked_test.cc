// SPDX-License-Identifier: MIT
//
// The race to answer a parked request: one winner, whoever comes first.
#include "fs/shell/parked.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "fetch/error.h"
#include "tests/shell/fake_kernel.h"
#include "tests/support/manual_clock.h"

namespace skimfs::fs::shell {
namespace {

using namespace std::chrono_literals;
using test::CountingOperation;
using test::FakeReplies;
using test::FakeRequest;

class ParkedTest : public ::testing::Test {
 protected:
  std::shared_ptr<Parked> park() {
    return Parked::park(request.handle(), Asked::read, replies, keeper);
  }

  test::ManualClock clock;
  FakeReplies replies;
  Keeper keeper{clock, 60s};
  FakeRequest request;
};

TEST_F(ParkedTest, ARequestIsAnsweredByItsBytes) {
  const auto parked = park();
  parked->read({});
  EXPECT_EQ(request.answers, 1);
  EXPECT_EQ(request.error, 0);
  EXPECT_EQ(keeper.gauge().kept, 0u);
}

TEST_F(ParkedTest, ItIsAnsweredOnlyOnce) {
  const auto parked = park();
  parked->fail(make_error_code(fetch::Errc::server_failed));
  parked->read({});
  parked->entry({});
  parked->opened(nullptr);
  parked->settle(make_error_code(std::errc::timed_out));
  EXPECT_EQ(request.answers, 1);
  EXPECT_EQ(request.error, EIO);
}

TEST_F(ParkedTest, AnInterruptIsAnsweredByTheKeeperAndNotByTheCallback) {
  const auto parked = park();
  request.interrupt();
  EXPECT_EQ(request.answers, 0);
  EXPECT_FALSE(parked->open());
  keeper.tick();
  EXPECT_EQ(request.answers, 1);
  EXPECT_EQ(request.error, EINTR);
}

TEST_F(ParkedTest, AnInterruptAfterTheLastByteAnswersOnlyOnce) {
  const auto parked = park();
  parked->read({});
  request.interrupt();
  keeper.tick();
  EXPECT_EQ(request.answers, 1);
  EXPECT_EQ(request.error, 0);
}

TEST_F(ParkedTest, TheLastByteAfterAnInterruptAnswersNothing) {
  const auto parked = park();
  request.interrupt();
  parked->read({});
  EXPECT_EQ(request.answers, 0);
  keeper.tick();
  EXPECT_EQ(request.error, EINTR);
}

TEST_F(ParkedTest, AnInterruptThatCameBeforeParkingStartsNoWork) {
  request.interrupt();
  EXPECT_EQ(park(), nullptr);
  keeper.tick();
  EXPECT_EQ(request.answers, 1);
  EXPECT_EQ(request.error, EINTR);
}

TEST_F(ParkedTest, ItsDeadlineAnswersTimedOut) {
  const auto parked = park();
  clock.advance(59s);
  keeper.tick();
  EXPECT_EQ(request.answers, 0);
  clock.advance(1s);
  keeper.tick();
  EXPECT_EQ(request.answers, 1);
  EXPECT_EQ(request.error, ETIMEDOUT);
}

TEST_F(ParkedTest, AStoppingMountAnswersAllWithEintr) {
  const auto parked = park();
  keeper.settle_all();
  EXPECT_EQ(request.answers, 1);
  EXPECT_EQ(request.error, EINTR);
}

TEST_F(ParkedTest, AStoppingMountStartsNoWork) {
  keeper.settle_all();
  EXPECT_EQ(park(), nullptr);
  EXPECT_EQ(request.error, EINTR);
}

TEST_F(ParkedTest, TheKeeperKeepsItWhenNobodyElseDoes) {
  park().reset();
  EXPECT_EQ(keeper.gauge().kept, 1u);
  clock.advance(60s);
  keeper.tick();
  EXPECT_EQ(request.error, ETIMEDOUT);
}

TEST_F(ParkedTest, WorkIsAbandonedWhenItsReaderLeaves) {
  const auto work = std::make_shared<CountingOperation>();
  const auto parked = park();
  parked->work(work);
  request.interrupt();
  keeper.tick();
  EXPECT_EQ(work->abandoned, 1);
}

TEST_F(ParkedTest, WorkIsToldWhenItsTimeIsOverAndOnlyThen) {
  const auto work = std::make_shared<CountingOperation>();
  const auto parked = park();
  parked->work(work);
  clock.advance(60s);
  keeper.tick();
  EXPECT_EQ(work->overdue_told, 1);
  EXPECT_EQ(work->abandoned, 1);
}

// S-ERR-1
TEST_F(ParkedTest, WorkThatEndsAsItsTimeIsOverIsStillTold) {
  std::atomic<int> told{0};
  struct Ending final : Operation {
    explicit Ending(std::atomic<int>& told) : told_(told) {}
    void overdue() noexcept override { ++told_; }
    void abandon() noexcept override {}
    std::atomic<int>& told_;
  };
  std::shared_ptr<Operation> work = std::make_shared<Ending>(told);
  const auto parked = park();
  parked->work(work);
  replies.before_disarming = [&] {  // its own failure finds the request answered
    parked->fail(make_error_code(fetch::Errc::server_failed));
    work.reset();
  };
  clock.advance(60s);
  keeper.tick();
  EXPECT_EQ(request.error, ETIMEDOUT);
  EXPECT_EQ(told, 1);
}

TEST_F(ParkedTest, AReaderThatLeavesIsNotOverdue) {
  const auto work = std::make_shared<CountingOperation>();
  const auto parked = park();
  parked->work(work);
  request.interrupt();
  keeper.tick();
  EXPECT_EQ(work->overdue_told, 0);
}

TEST_F(ParkedTest, WorkThatAnswersIsNotAbandoned) {
  const auto work = std::make_shared<CountingOperation>();
  const auto parked = park();
  parked->work(work);
  parked->read({});
  request.interrupt();
  keeper.tick();
  EXPECT_EQ(work->abandoned, 0);
}

TEST_F(ParkedTest, WorkThatIsNamedTooLateIsAbandonedAtOnce) {
  const auto work = std::make_shared<CountingOperation>();
  const auto parked = park();
  clock.advance(60s);
  keeper.tick();
  parked->work(work);
  EXPECT_EQ(work->abandoned, 1);
}

// One request, and everything that may happen to it, each from its own thread and in any order.
class Race {
 public:
  explicit Race(unsigned seed) : random_(seed) {}

  void run() {
    const auto parked = Parked::park(request_.handle(), Asked::read, replies_, keeper_);
    ASSERT_NE(parked, nullptr);
    const auto work = std::make_shared<CountingOperation>();
    std::vector<std::function<void()>> events{
        [parked] { parked->read({}); },   [this] { request_.interrupt(); },
        [this] { keeper_.tick(); },       [this] { clock_.advance(60s), keeper_.tick(); },
        [this] { keeper_.settle_all(); }, [parked, work] { parked->work(work); },
    };
    std::shuffle(events.begin(), events.end(), random_);
    std::vector<std::thread> threads;
    for (const auto& event : events) threads.emplace_back(event);
    for (std::thread& thread : threads) thread.join();
    keeper_.tick();

    EXPECT_EQ(request_.answers, 1);
    EXPECT_LE(work->abandoned, 1);
    if (request_.error != 0) {
      EXPECT_EQ(work->abandoned, 1);
    }
    EXPECT_EQ(keeper_.gauge().kept, 0u);
    EXPECT_FALSE(request_.armed());
  }

 private:
  std::mt19937 random_;
  test::ManualClock clock_;
  FakeReplies replies_;
  Keeper keeper_{clock_, 60s};
  FakeRequest request_;
};

TEST(ParkedRace, InEveryOrderExactlyOneWins) {
  const unsigned first = std::random_device{}();
  for (unsigned seed = first; seed != first + 500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Race(seed).run();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace skimfs::fs::shell
