// SPDX-License-Identifier: MIT
//
// The queue for room.
#include <gtest/gtest.h>

#include <deque>
#include <functional>

#include "tests/cache/helpers.h"

namespace skimfs::cache {
namespace {

using Why = BlockCache::Why;

class RoomTest : public testing::Test {
 protected:
  // All that a group may hold, being filled.
  std::vector<BlockCache::Claim> take_everything(GroupId group = 0) {
    std::vector<BlockCache::Claim> claims;
    while (auto claim = cache_.claim(++version_, {0, kBlock}, Why::demand, {.group = group})) {
      claims.push_back(*std::move(claim));
    }
    return claims;
  }

  BlockCache cache_{4 * kMiB};
  VersionId version_ = 0;
};

TEST_F(RoomTest, RoomThatIsThereIsReadyAtOnce) {
  const auto waiter = std::make_shared<CountingWaiter>();
  EXPECT_EQ(cache_.await_room(kMiB, 0, waiter), Wait::ready);
  EXPECT_FALSE(cache_.forget_room(*waiter));
}

TEST_F(RoomTest, MoreThanTheCacheCouldEverGiveFails) {
  EXPECT_EQ(cache_.await_room(4 * kMiB, 0, std::make_shared<CountingWaiter>()), Wait::failed);
}

TEST_F(RoomTest, UnpinningWakesWhoWaits) {
  auto claims = take_everything();
  for (auto& claim : claims) fill(claim, 0);
  const auto waiter = std::make_shared<CountingWaiter>();
  ASSERT_EQ(cache_.await_room(kBlock, 0, waiter), Wait::waiting);
  while (waiter->woken == 0) {
    ASSERT_FALSE(claims.empty());
    claims.pop_back();
  }
  EXPECT_TRUE(cache_.claim(1000, {0, kBlock}, Why::demand, {}));
  EXPECT_EQ(cache_.status().room_waits, 1u);
}

TEST_F(RoomTest, AFinishedFillWakesWhoWaits) {
  auto claims = take_everything();
  for (auto& claim : claims) claim.pins.clear();
  const auto waiter = std::make_shared<CountingWaiter>();
  ASSERT_EQ(cache_.await_room(kBlock, 0, waiter), Wait::waiting);
  for (auto& claim : claims) fill(claim, 0);
  EXPECT_EQ(waiter->woken, 1);
}

TEST_F(RoomTest, AFailedFillWakesWhoWaits) {
  auto claims = take_everything();
  for (auto& claim : claims) claim.pins.clear();
  const auto waiter = std::make_shared<CountingWaiter>();
  ASSERT_EQ(cache_.await_room(kBlock, 0, waiter), Wait::waiting);
  for (auto& claim : claims) claim.missing.front().fail(io_error());
  EXPECT_EQ(waiter->woken, 1);
  EXPECT_FALSE(waiter->why);
}

TEST_F(RoomTest, AForgottenWaiterIsNotWokenAndDoesNotHoldUpTheNext) {
  auto claims = take_everything();
  const auto big = std::make_shared<CountingWaiter>();
  const auto small = std::make_shared<CountingWaiter>();
  ASSERT_EQ(cache_.await_room(3 * kMiB, 0, big), Wait::waiting);
  ASSERT_EQ(cache_.await_room(kGrain, 0, small), Wait::waiting);
  claims.resize(claims.size() / 2);
  EXPECT_EQ(small->woken, 0);  // first come, first served
  EXPECT_TRUE(cache_.forget_room(*big));
  EXPECT_EQ(small->woken, 1);
  EXPECT_EQ(big->woken, 0);
}

TEST_F(RoomTest, ALaterWaiterDoesNotOvertakeAnEarlierOne) {
  auto claims = take_everything();
  const auto big = std::make_shared<CountingWaiter>();
  const auto small = std::make_shared<CountingWaiter>();
  ASSERT_EQ(cache_.await_room(3 * kMiB, 0, big), Wait::waiting);
  claims.resize(claims.size() / 2);
  EXPECT_EQ(cache_.await_room(kGrain, 0, small), Wait::waiting);
  claims.clear();
  EXPECT_EQ(big->woken, 1);
  EXPECT_EQ(small->woken, 1);
}

TEST_F(RoomTest, ReadAheadDoesNotOvertakeWhoWaits) {
  auto claims = take_everything();
  const auto waiter = std::make_shared<CountingWaiter>();
  ASSERT_EQ(cache_.await_room(3 * kMiB, 0, waiter), Wait::waiting);
  claims.resize(2);
  ASSERT_EQ(waiter->woken, 0);
  EXPECT_FALSE(cache_.claim(1000, {0, kGrain}, Why::ahead, {}));
  EXPECT_TRUE(cache_.forget_room(*waiter));
}

// Takes the room it waited for as soon as it is told.
struct Taker final : Waiter {
  Taker(BlockCache& of, VersionId v, std::vector<VersionId>& log)
      : cache(of), version(v), order(log) {}
  void wake(std::error_code) noexcept override {
    claim = cache.claim(version, {0, kBlock}, Why::demand, {.waiter = this});
    if (claim) order.push_back(version);
  }
  BlockCache& cache;
  VersionId version;
  std::vector<VersionId>& order;
  std::optional<BlockCache::Claim> claim;
};

TEST_F(RoomTest, WaitersTakeTheirRoomOneAfterTheOtherInOrder) {
  auto claims = take_everything();
  std::vector<VersionId> order;
  std::vector<std::shared_ptr<Taker>> takers;
  for (VersionId version = 1001; version <= 1004; ++version) {
    takers.push_back(std::make_shared<Taker>(cache_, version, order));
    ASSERT_EQ(cache_.await_room(kBlock, 0, takers.back()), Wait::waiting);
  }
  claims.clear();
  EXPECT_EQ(order, (std::vector<VersionId>{1001, 1002, 1003, 1004}));
}

// Drops what it holds when woken, which makes room for the next one.
struct Chain final : Waiter {
  explicit Chain(std::function<void(const Waiter&)> then_do) : then(std::move(then_do)) {}
  void wake(std::error_code) noexcept override { then(*this); }
  std::function<void(const Waiter&)> then;
};

TEST_F(RoomTest, ALongChainOfWaitersNeedsNoDeepStack) {
  auto claims = take_everything();
  int depth = 0, deepest = 0, woken = 0;
  std::vector<std::shared_ptr<Chain>> chain;
  for (int i = 0; i < 1000; ++i) {
    chain.push_back(std::make_shared<Chain>([&](const Waiter& self) {
      deepest = std::max(deepest, ++depth);
      // Its unpinning makes the next one due.
      woken += load(cache_, 5000, {0, kBlock}, Why::demand, {.waiter = &self}) ? 1 : 0;
      --depth;
    }));
    ASSERT_EQ(cache_.await_room(kBlock, 0, chain.back()), Wait::waiting);
  }
  claims.clear();
  EXPECT_EQ(woken, 1000);
  EXPECT_EQ(deepest, 1);
}

// Seen as a reader of a healthy server that waited for the deadline of readers of silent ones.
TEST_F(RoomTest, WhoIsForemostOnceItWaitsIsToldWithoutAnyEvent) {
  BlockCache cache(12 * kMiB);
  std::vector<BlockCache::Claim> silent;
  const std::size_t held[] = {5, 3, 1, 1};
  for (GroupId group = 1; group <= 4; ++group) {
    for (std::size_t i = 0; i < held[group - 1]; ++i) {
      auto claim = cache.claim(++version_, {0, kMiB}, Why::demand, {.group = group});
      ASSERT_TRUE(claim);
      silent.push_back(*std::move(claim));
    }
  }
  const auto take = [&](const Waiter* waiter) {
    return cache.claim(1000, {0, kMiB}, Why::demand, {.group = 99, .waiter = waiter});
  };
  ASSERT_FALSE(take(nullptr));
  std::optional<BlockCache::Claim> taken;
  const auto healthy = std::make_shared<Chain>([&](const Waiter& self) { taken = take(&self); });
  EXPECT_EQ(cache.await_room(kMiB, 99, healthy), Wait::waiting);
  EXPECT_TRUE(taken);
}

// Seen as readers of large ranges that waited until their deadline beside many readers of small
// ones.
TEST_F(RoomTest, ASmallClaimDoesNotOvertakeALargerOneThatWaits) {
  auto claims = take_everything();
  const auto large = std::make_shared<CountingWaiter>();
  ASSERT_EQ(cache_.await_room(kMiB, 0, large), Wait::waiting);
  claims.pop_back();
  EXPECT_FALSE(cache_.claim(1000, {0, kGrain}, Why::demand, {}));
  EXPECT_EQ(cache_.await_room(kGrain, 0, std::make_shared<CountingWaiter>()), Wait::waiting);
  claims.clear();
  EXPECT_EQ(large->woken, 1);
}

TEST_F(RoomTest, WhatIsThereIsNotWaitedFor) {
  ASSERT_TRUE(load(cache_, 500, {0, kBlock}));
  auto claims = take_everything();
  const auto large = std::make_shared<CountingWaiter>();
  ASSERT_EQ(cache_.await_room(3 * kMiB, 0, large), Wait::waiting);
  EXPECT_TRUE(cache_.claim(500, {0, kBlock}, Why::demand, {}));
  EXPECT_TRUE(cache_.forget_room(*large));
}

// Finds, when its turn has come, that it needs more than it waited for, and waits on.
struct Unlucky final : Waiter, std::enable_shared_from_this<Unlucky> {
  explicit Unlucky(BlockCache& of) : cache(of) {}
  void wake(std::error_code) noexcept override {
    ++woken;
    claim = cache.claim(1001, {0, 3 * kMiB}, Why::demand, {.waiter = this});
    if (!claim) wait = cache.await_room(3 * kMiB, 0, shared_from_this());
  }
  BlockCache& cache;
  int woken = 0;
  std::optional<BlockCache::Claim> claim;
  Wait wait = Wait::ready;
};

TEST_F(RoomTest, WhoFindsTooLittleInItsTurnKeepsItsPlace) {
  auto claims = take_everything();
  const auto first = std::make_shared<Unlucky>(cache_);
  ASSERT_EQ(cache_.await_room(kMiB, 0, first), Wait::waiting);
  std::vector<VersionId> order;
  const auto second = std::make_shared<Taker>(cache_, 1002, order);
  ASSERT_EQ(cache_.await_room(kBlock, 0, second), Wait::waiting);
  while (first->woken == 0) claims.pop_back();
  ASSERT_FALSE(first->claim);
  EXPECT_EQ(first->wait, Wait::waiting);
  EXPECT_TRUE(order.empty());
  claims.clear();
  EXPECT_TRUE(first->claim);
  first->claim.reset();
  EXPECT_EQ(order.size(), 1u);
}

// Seen with a server that accepts connections and is silent: its readers had leased the whole
// cache, and a read from another server waited for room until their deadlines.
TEST_F(RoomTest, AGroupThatWaitsForItsFillerLeavesRoomToOthers) {
  const auto silent = take_everything(1);
  const auto stuck = std::make_shared<CountingWaiter>();
  ASSERT_EQ(cache_.await_room(kBlock, 1, stuck), Wait::waiting);
  for (VersionId version = 1001; version < 1100; ++version) {
    ASSERT_TRUE(load(cache_, version, {0, 3 * kBlock}, Why::demand, {.group = 2})) << version;
    ASSERT_TRUE(load(cache_, version, {kMiB, kGrain}, Why::ahead, {.group = 2})) << version;
  }
  EXPECT_EQ(stuck->woken, 0);
  EXPECT_TRUE(cache_.forget_room(*stuck));
}

TEST_F(RoomTest, AThirdGroupFindsRoomBesideTwoThatWait) {
  const auto one = take_everything(1), two = take_everything(2);
  EXPECT_GE(one.size(), 7u);  // half
  EXPECT_GE(two.size(), 3u);  // half of the rest
  EXPECT_TRUE(load(cache_, 1000, {0, kBlock}, Why::demand, {.group = 3}));
}

TEST_F(RoomTest, AGroupThatWaitsIsNotHeldUpByAnother) {
  auto one = take_everything(1), two = take_everything(2);
  const auto first = std::make_shared<CountingWaiter>();
  const auto second = std::make_shared<CountingWaiter>();
  ASSERT_EQ(cache_.await_room(kMiB, 1, first), Wait::waiting);
  ASSERT_EQ(cache_.await_room(kGrain, 2, second), Wait::waiting);
  two.clear();
  EXPECT_EQ(first->woken, 0);
  EXPECT_EQ(second->woken, 1);
  one.clear();
  EXPECT_EQ(first->woken, 1);
}

// Other groups come and go all the time, and together they would never leave it enough.
TEST_F(RoomTest, ALargeClaimGetsItsRoomBesideABusyGroup) {
  auto busy = take_everything(1);
  std::vector<VersionId> order;
  const auto large = std::make_shared<CountingWaiter>();
  ASSERT_EQ(cache_.await_room(kMiB - 3 * kBlock / 2, 2, large), Wait::waiting);
  for (VersionId version = 1000; large->woken == 0 && version < 1100; ++version) {
    busy.erase(busy.begin());
    auto next = cache_.claim(version, {0, kBlock}, Why::demand, {.group = 1});
    if (next) busy.push_back(*std::move(next));
  }
  EXPECT_EQ(large->woken, 1);
}

// Streams that take all they are let, each giving back its oldest part in turn.
class Streams {
 public:
  Streams(BlockCache& cache, unsigned count, Why why) : cache_(cache), why_(why), held_(count) {
    for (unsigned i = 0; i < count; ++i) go_on();
  }
  void go_on() {
    auto& mine = held_[next_ % held_.size()];
    if (!mine.empty()) mine.pop_front();
    const GroupId group = 1 + next_++ % held_.size();
    while (auto claim = cache_.claim(++version_, {0, 4 * kMiB}, why_, {.group = group})) {
      mine.push_back(*std::move(claim));
    }
  }

 private:
  BlockCache& cache_;
  const Why why_;
  std::vector<std::deque<BlockCache::Claim>> held_;
  unsigned next_ = 0;
  VersionId version_ = 0;
};

// Seen with a file of 64 MiB that is verified as a whole: beside streams from two other servers it
// waited until its deadline.
TEST(Room, AClaimOfAnySizeGetsItsRoomBesideStreams) {
  for (const unsigned streams : {1u, 2u, 4u, 8u, 16u}) {
    for (const std::uint64_t mib : {16u, 48u, 64u, 120u}) {
      for (const Why why : {Why::demand, Why::ahead}) {
        BlockCache cache(240 * kMiB);
        Streams busy(cache, streams, why);
        const auto large = std::make_shared<CountingWaiter>();
        if (cache.await_room(mib * kMiB, 99, large) == Wait::ready) continue;
        for (unsigned turn = 0; large->woken == 0 && turn < 40 * streams; ++turn) busy.go_on();
        EXPECT_EQ(large->woken, 1) << streams << " streams, " << mib << " MiB";
        cache.forget_room(*large);
      }
    }
  }
}

TEST_F(RoomTest, IdleMemoryIsGivenToAClaimOfAnySize) {
  EXPECT_TRUE(cache_.claim(1000, {0, 3 * kMiB}, Why::demand, {}));
}

}  // namespace
}  // namespace skimfs::cache
