// SPDX-License-Identifier: MIT
//
// Who may hold how much, and whose turn it is, against a plain count.
#include "cache/shares.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>

#include "tests/cache/helpers.h"

namespace skimfs::cache {
namespace {

constexpr std::uint64_t kLimit = 1000;

// What a group takes for itself in pieces of one, until it is refused.
std::uint64_t take_all(Shares& shares, GroupId id) {
  Shares::Group& group = shares.enter(id);
  while (shares.admits(id, 1, 0)) shares.hold(group, 1);
  return group.held;
}

TEST(Shares, EachGroupHoldsHalfOfWhatTheOthersLeave) {
  Shares shares(kLimit);
  EXPECT_EQ(take_all(shares, 1), 500u);
  EXPECT_EQ(take_all(shares, 2), 250u);
  EXPECT_EQ(take_all(shares, 3), 125u);
}

TEST(Shares, WhatAGroupGivesBackIsThereForAll) {
  Shares shares(kLimit);
  Shares::Group& one = shares.enter(1);
  shares.hold(one, 500);
  EXPECT_EQ(take_all(shares, 2), 250u);
  shares.let_go(one, 500);
  shares.leave(one);
  EXPECT_EQ(shares.held(), 250u);
  EXPECT_EQ(take_all(shares, 3), 375u);
}

TEST(Shares, AReserveStaysFreeBesideTheShare) {
  Shares shares(kLimit);
  Shares::Group& group = shares.enter(1);
  shares.hold(group, 100);
  EXPECT_TRUE(shares.admits(1, 300, 200));
  EXPECT_FALSE(shares.admits(1, 301, 200));
  EXPECT_TRUE(shares.admits(1, 400, 0));
}

TEST(Shares, WhileAnotherGroupWaitsPartsAreEqual) {
  Shares shares(kLimit);
  Shares::Group& busy = shares.enter(1);
  shares.hold(busy, 333);
  EXPECT_TRUE(shares.admits(1, 1, 0));
  shares.queue(2, 700, std::make_shared<CountingWaiter>());
  EXPECT_FALSE(shares.admits(1, 1, 0));   // more than half of what 700 leave
  EXPECT_TRUE(shares.admits(3, 250, 0));  // a first claim may be larger than a part
  EXPECT_FALSE(shares.admits(3, 251, 0));
  EXPECT_FALSE(shares.due());
  shares.let_go(busy, 183);
  EXPECT_FALSE(shares.admits(1, 1, 0));
  EXPECT_TRUE(shares.due());
}

TEST(Shares, WhoWaitsLongestGetsAllThatItWants) {
  Shares shares(kLimit);
  Shares::Group& busy = shares.enter(1);
  shares.hold(busy, 500);
  EXPECT_FALSE(shares.admits(2, 400, 0));  // more than it would leave
  shares.queue(2, 400, std::make_shared<CountingWaiter>());
  shares.queue(3, 400, std::make_shared<CountingWaiter>());
  ASSERT_TRUE(shares.due());
  shares.begin_turn();
  EXPECT_FALSE(shares.admits(3, 400, 0));
  EXPECT_TRUE(shares.admits(2, 400, 0));  // still, in its turn
  shares.hold(shares.enter(2), 100);
  EXPECT_FALSE(shares.admits(2, 300, 0));  // not a second time
  shares.end_turn();
  EXPECT_TRUE(shares.due());
}

// S-WAIT-3: who holds something waits for its own server first.
TEST(Shares, WhoseGroupHoldsNothingComesBeforeWhoWaitsLonger) {
  Shares shares(kLimit);
  Shares::Group& silent = shares.enter(1);
  shares.hold(silent, 500);
  shares.queue(1, 300, std::make_shared<CountingWaiter>());
  EXPECT_FALSE(shares.due());
  EXPECT_FALSE(shares.admits(2, 400, 0));
  shares.queue(2, 400, std::make_shared<CountingWaiter>());
  ASSERT_TRUE(shares.due());
  EXPECT_EQ(shares.begin_turn().front().cost, 400u);
}

TEST(Shares, TheOneThatCameFirstOfAllThatFitHasTheTurn) {
  Shares shares(kLimit);
  Shares::Group& busy = shares.enter(1);
  shares.hold(busy, 1000);
  const auto large = std::make_shared<CountingWaiter>();
  const auto first = std::make_shared<CountingWaiter>();
  const auto later = std::make_shared<CountingWaiter>();
  shares.queue(4, 950, large);
  shares.queue(2, 10, first);
  shares.queue(2, 10, later);
  EXPECT_FALSE(shares.due());
  shares.let_go(busy, 900);
  ASSERT_TRUE(shares.due());
  EXPECT_EQ(shares.begin_turn().front().waiter, first);
  EXPECT_TRUE(shares.behind(2, later.get()));
  EXPECT_FALSE(shares.behind(2, first.get()));
  shares.end_turn();
  EXPECT_EQ(shares.forget(*later).size(), 1u);
  EXPECT_EQ(shares.forget(*later).size(), 0u);
  EXPECT_EQ(shares.forget(*large).size(), 1u);
  EXPECT_TRUE(shares.idle());
}

// Whatever comes and goes: nobody is refused for ever, queues are in order, and what was refused
// would have broken a bound.
TEST(Shares, RandomGroupsKeepTheirBoundsAndAllGetTheirTurn) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  Shares shares(kLimit);
  struct Held {
    Shares::Group* group;
    std::uint64_t cost;
  };
  std::deque<Held> held;
  std::map<GroupId, std::uint64_t> of;
  std::map<const Waiter*, std::uint64_t> cost_of;
  std::map<GroupId, std::deque<const Waiter*>> queues;
  std::map<const Waiter*, GroupId> group_of;
  std::vector<std::shared_ptr<CountingWaiter>> waiters;
  std::uint64_t sum = 0, served = 0;

  const auto take = [&](GroupId id, std::uint64_t cost) {
    Shares::Group& group = shares.enter(id);
    shares.hold(group, cost);
    held.push_back({&group, cost});
    of[id] += cost;
    sum += cost;
    ASSERT_LE(sum, kLimit);
    // One claim, or no more than is left to all others.
    ASSERT_TRUE(of[id] == cost || of[id] <= kLimit - sum) << of[id] << " of " << sum;
  };
  const auto serve = [&] {
    while (shares.due()) {
      const auto turn = shares.begin_turn();
      const Waiter* const waiter = turn.front().waiter.get();
      const GroupId id = group_of[waiter];
      ASSERT_EQ(queues[id].front(), waiter) << "out of order";
      queues[id].pop_front();
      ASSERT_FALSE(shares.behind(id, waiter));
      ASSERT_TRUE(shares.admits(id, cost_of[waiter], 0));
      take(id, cost_of[waiter]);
      shares.end_turn();
      ++served;
    }
  };
  const auto give = [&](std::size_t i) {
    const Held each = held[i];
    held.erase(held.begin() + static_cast<std::ptrdiff_t>(i));
    const GroupId id = each.group->id;
    shares.let_go(*each.group, each.cost);
    shares.leave(*each.group);
    of[id] -= each.cost;
    sum -= each.cost;
    serve();
  };
  for (int step = 0; step < 20'000 && !testing::Test::HasFatalFailure(); ++step) {
    const GroupId id = random() % 5;
    const std::uint64_t cost = 1 + random() % 300;
    if (random() % 2 == 0 && !held.empty()) {
      give(random() % held.size());
    } else if (!shares.behind(id, nullptr) && shares.admits(id, cost, 0)) {
      take(id, cost);
    } else if (queues[id].size() < 10) {
      waiters.push_back(std::make_shared<CountingWaiter>());
      const Waiter* const waiter = waiters.back().get();
      group_of[waiter] = id;
      cost_of[waiter] = cost;
      queues[id].push_back(waiter);
      shares.queue(id, cost, waiters.back());
      serve();
    }
    ASSERT_EQ(shares.held(), sum);
  }
  EXPECT_GT(served, 500u);
  while (!held.empty()) give(0);
  EXPECT_TRUE(shares.idle());
  for (const auto& [id, queue] : queues) EXPECT_TRUE(queue.empty()) << id;
}

}  // namespace
}  // namespace skimfs::cache
