// SPDX-License-Identifier: MIT
#include "cache/block_cache.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "cache/eviction.h"
#include "tests/cache/helpers.h"

namespace skimfs::cache {
namespace {

using Why = BlockCache::Why;
using namespace std::chrono_literals;

BlockCache::TimePoint manual_now{};
BlockCache::TimePoint now() noexcept { return manual_now; }

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SKIMFS_SHADOW_MEMORY  // of a sanitizer: resident memory says nothing of ours
#endif

#ifndef SKIMFS_SHADOW_MEMORY
std::uint64_t resident_bytes() {
  std::uint64_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}
#endif

TEST(BlockCache, AClaimCoversTheBytesWithBlocksThatKeepToTheirBounds) {
  BlockCache cache(4 * kMiB);
  const Extent bytes{kBlock - 2 * kGrain, kMiB};
  BlockCache::Claim claim = *cache.claim(1, bytes, Why::demand, {});
  EXPECT_TRUE(cover(claim.pins, bytes));
  EXPECT_EQ(claim.missing.size(), claim.pins.size());
  for (const Pin& pin : claim.pins) {
    EXPECT_EQ(pin->extent().offset / kBlock, (pin->extent().end() - 1) / kBlock);
  }
  fill(claim, 1);
  for (const Pin& pin : claim.pins) EXPECT_TRUE(right_bytes(*pin, 1));
}

TEST(BlockCache, AThousandClaimsOfOneColdBlockGiveOneTicket) {
  BlockCache cache(4 * kMiB);
  std::vector<BlockCache::Claim> claims;
  std::size_t tickets = 0;
  for (int i = 0; i < 1000; ++i) {
    claims.push_back(*cache.claim(1, {0, kBlock}, Why::demand, {}));
    tickets += claims.back().missing.size();
  }
  EXPECT_EQ(tickets, 1u);
}

TEST(BlockCache, AClaimTakesOnlyTheGrainsNobodyHas) {
  BlockCache cache(4 * kMiB);
  ASSERT_TRUE(load(cache, 1, {8 * kGrain, kGrain}));
  BlockCache::Claim claim = *cache.claim(1, {7 * kGrain, 3 * kGrain}, Why::demand, {});
  ASSERT_EQ(claim.missing.size(), 2u);
  EXPECT_EQ(claim.missing[0].extent(), (Extent{7 * kGrain, kGrain}));
  EXPECT_EQ(claim.missing[1].extent(), (Extent{9 * kGrain, kGrain}));
  EXPECT_TRUE(cover(claim.pins, {7 * kGrain, 3 * kGrain}));
}

TEST(BlockCache, FindGivesBytesThatAreReadableAndOnlyThose) {
  BlockCache cache(4 * kMiB);
  BlockCache::Claim claim = *cache.claim(1, {0, kBlock}, Why::demand, {});
  write(claim.missing.front(), 1, 10'000);
  claim.missing.front().publish();
  EXPECT_TRUE(cache.find(1, {100, 9'900}));
  EXPECT_FALSE(cache.find(1, {100, 9'901}));
  EXPECT_FALSE(cache.find(2, {100, 9'900}));
}

TEST(BlockCache, FindReachesAcrossBlocks) {
  BlockCache cache(4 * kMiB);
  ASSERT_TRUE(load(cache, 1, {0, kMiB}));
  const auto pins = cache.find(1, {kBlock - 1, kBlock + 2});
  ASSERT_TRUE(pins);
  EXPECT_EQ(pins->size(), 3u);
  EXPECT_TRUE(cover(*pins, {kBlock - 1, kBlock + 2}));
}

TEST(BlockCache, TheEndOfAVersionNeedNotBeAGrain) {
  BlockCache cache(4 * kMiB);
  ASSERT_TRUE(load(cache, 1, {0, kBlock + 5}));
  EXPECT_TRUE(cache.find(1, {kBlock, 5}));
  EXPECT_EQ(cache.held(1), kBlock + 5u);
  EXPECT_EQ(cache.status().used, (64 + 1) * kGrain + 2 * kBookkeeping);
}

TEST(BlockCache, AFailedBlockIsFetchedAfreshByTheNextClaim) {
  BlockCache cache(4 * kMiB);
  BlockCache::Claim failed = *cache.claim(1, {0, kBlock}, Why::demand, {});
  failed.missing.front().fail(io_error());
  BlockCache::Claim fresh = *cache.claim(1, {0, kBlock}, Why::demand, {});
  ASSERT_EQ(fresh.missing.size(), 1u);
  fill(fresh, 1);
  EXPECT_TRUE(cache.find(1, {0, kBlock}));
}

// Claims again the moment it learns of the failure.
struct Reclaimer final : Waiter {
  explicit Reclaimer(BlockCache& of) : cache(of) {}
  void wake(std::error_code) noexcept override {
    claim = cache.claim(1, {0, kBlock}, Why::demand, {});
  }
  BlockCache& cache;
  std::optional<BlockCache::Claim> claim;
};

TEST(BlockCache, WhoIsWokenByAFailureGetsTheFreshTicket) {
  BlockCache cache(4 * kMiB);
  BlockCache::Claim claim = *cache.claim(1, {0, kBlock}, Why::demand, {});
  const auto waiter = std::make_shared<Reclaimer>(cache);
  std::error_code why;
  ASSERT_EQ(claim.pins.front()->await(1, waiter, why), Wait::waiting);
  claim.missing.front().fail(io_error());
  ASSERT_TRUE(waiter->claim);
  EXPECT_EQ(waiter->claim->missing.size(), 1u);
}

TEST(BlockCache, UseNeverExceedsTheLimit) {
  BlockCache cache(kMiB);
  for (std::uint64_t i = 0; i < 100; ++i) {
    load(cache, i, {0, (i * 7919) % (kMiB / 2) + 1});
    ASSERT_LE(cache.status().used, kMiB);
  }
  EXPECT_LE(cache.status().peak, kMiB);
  EXPECT_GT(cache.status().peak, kMiB / 2);
}

TEST(BlockCache, AClaimThatCannotFitEvictsNothing) {
  BlockCache cache(2 * kMiB);
  const BlockCache::Claim busy = *cache.claim(1, {0, kMiB}, Why::demand, {.group = 1});
  ASSERT_TRUE(load(cache, 2, {0, kBlock}));
  const CacheStatus before = cache.status();
  EXPECT_FALSE(cache.claim(3, {0, kMiB}, Why::demand, {}));
  EXPECT_EQ(cache.status().used, before.used);
  EXPECT_EQ(cache.status().evictions, 0u);
  EXPECT_TRUE(cache.find(2, {0, kBlock}));
}

TEST(BlockCache, AClaimDoesNotEvictItsOwnBlocks) {
  BlockCache cache(kMiB);
  ASSERT_TRUE(load(cache, 1, {0, kBlock}));
  EXPECT_FALSE(cache.claim(1, {0, kMiB}, Why::demand, {}));  // only by evicting its first quarter
  EXPECT_TRUE(cache.find(1, {0, kBlock}));
}

TEST(BlockCache, PinnedBlocksAreNeverEvicted) {
  BlockCache cache(2 * kMiB);
  ASSERT_TRUE(load(cache, 1, {0, kBlock}, Why::demand, {.group = 1}));
  const std::vector<Pin> pins = *cache.find(1, {0, kBlock});
  for (VersionId version = 2; version < 10; ++version) {
    ASSERT_TRUE(load(cache, version, {0, 3 * kBlock}));
  }
  EXPECT_TRUE(right_bytes(*pins.front(), 1));
  EXPECT_TRUE(cache.find(1, {0, kBlock}));
}

TEST(BlockCache, BlocksDeliveredInOrderLeaveBeforeOthers) {
  BlockCache cache(kMiB);
  ASSERT_TRUE(load(cache, 1, {0, kBlock}));
  ASSERT_TRUE(load(cache, 2, {0, kBlock}));
  cache.consumed(2, {kBlock / 2, kBlock / 2}, false);
  ASSERT_TRUE(load(cache, 3, {0, 2 * kBlock}));
  EXPECT_TRUE(cache.find(1, {0, kBlock}));
  EXPECT_FALSE(cache.find(2, {0, kBlock}));
}

TEST(BlockCache, WhatOnlyPassesThroughIsUsedAgainButForATail) {
  BlockCache cache(64 * kMiB);
  for (std::uint64_t at = 0; at < 32 * kMiB; at += kBlock) {
    ASSERT_TRUE(load(cache, 1, {at, kBlock}));
    cache.consumed(1, {at, kBlock}, true);
  }
  EXPECT_LE(cache.status().peak, 6 * kMiB);
  EXPECT_TRUE(cache.find(1, {32 * kMiB - kBlock, kBlock}));
  EXPECT_FALSE(cache.find(1, {0, kBlock}));
}

TEST(BlockCache, ABlockDeliveredInPartIsNotConsumed) {
  BlockCache cache(kMiB);
  ASSERT_TRUE(load(cache, 1, {0, kBlock}));
  ASSERT_TRUE(load(cache, 2, {0, kBlock}));
  cache.consumed(2, {0, kBlock / 2}, false);
  ASSERT_TRUE(load(cache, 3, {0, 2 * kBlock}));
  EXPECT_FALSE(cache.find(1, {0, kBlock}));
}

TEST(BlockCache, AConsumedBlockThatIsAskedForAgainIsOrdinaryAgain) {
  BlockCache cache(kMiB);
  ASSERT_TRUE(load(cache, 1, {0, kBlock}));
  cache.consumed(1, {0, kBlock}, false);
  ASSERT_TRUE(load(cache, 2, {0, kBlock}));
  ASSERT_TRUE(cache.find(1, {0, kBlock}));
  ASSERT_TRUE(load(cache, 3, {0, 2 * kBlock}));
  EXPECT_TRUE(cache.find(1, {0, kBlock}));
  EXPECT_FALSE(cache.find(2, {0, kBlock}));
}

TEST(BlockCache, AClaimByDemandMakesAConsumedBlockOrdinaryAgain) {
  BlockCache cache(kMiB);
  ASSERT_TRUE(load(cache, 1, {0, kBlock}));
  cache.consumed(1, {0, kBlock}, false);
  ASSERT_TRUE(load(cache, 2, {0, kBlock}));
  ASSERT_TRUE(cache.claim(1, {0, kBlock}, Why::demand, {}));
  ASSERT_TRUE(load(cache, 3, {0, 2 * kBlock}));
  EXPECT_TRUE(cache.find(1, {0, kBlock}));
}

TEST(BlockCache, ReadAheadLeavesRoomForDemand) {
  BlockCache cache(16 * kMiB);
  std::vector<BlockCache::Claim> ahead;
  for (std::uint64_t at = 0;; at += kMiB) {
    auto claim = cache.claim(1, {at, kMiB}, Why::ahead, {});
    if (!claim) break;
    ahead.push_back(*std::move(claim));
  }
  EXPECT_GE(ahead.size(), 6u);  // half, but for the reserve
  EXPECT_TRUE(cache.claim(2, {0, kMiB + kMiB / 2}, Why::demand, {}));
}

TEST(BlockCache, ReadAheadDoesNotPushOutUnreadReadAheadButDemandDoes) {
  manual_now = {};
  BlockCache cache(8 * kMiB, &now);
  VersionId version = 1;
  while (load(cache, version, {0, kMiB}, Why::ahead)) ++version;
  EXPECT_GT(version, 6u);
  EXPECT_EQ(cache.held(1), kMiB);
  ASSERT_TRUE(load(cache, 100, {0, 2 * kMiB}));
  EXPECT_LT(cache.held(1), kMiB);
}

TEST(BlockCache, ReadAheadThatNobodyReadsGivesWayInTheEnd) {
  manual_now = {};
  BlockCache cache(8 * kMiB, &now);
  VersionId version = 1;
  while (load(cache, version, {0, kMiB}, Why::ahead)) ++version;
  manual_now += Eviction::kUnreadGrace;
  EXPECT_TRUE(load(cache, version, {0, kMiB}, Why::ahead));
}

TEST(BlockCache, ReadAheadDoesNotEvictItsOwnBlocks) {
  manual_now = {};
  BlockCache cache(8 * kMiB, &now);
  ASSERT_TRUE(load(cache, 1, {0, kBlock}));
  {
    const std::vector<Pin> pins = *cache.find(1, {0, kBlock});
    for (VersionId version = 2; load(cache, version, {0, kBlock}, Why::ahead);) ++version;
  }
  EXPECT_FALSE(cache.claim(1, {0, 2 * kBlock}, Why::ahead, {}));
  EXPECT_TRUE(cache.find(1, {0, kBlock}));
}

TEST(BlockCache, FragmentedMemoryIsCutIntoSmallBlocks) {
  BlockCache cache(kMiB);
  std::vector<std::vector<Pin>> kept;
  for (VersionId version = 1; version <= 200; ++version) {
    ASSERT_TRUE(load(cache, version, {0, kGrain}, Why::demand, {.group = 1}));
    if (version % 2 == 0) kept.push_back(*cache.find(version, {0, kGrain}));
  }
  BlockCache::Claim claim = *cache.claim(1000, {0, kBlock}, Why::demand, {});
  EXPECT_GT(claim.missing.size(), 1u);
  EXPECT_TRUE(cover(claim.pins, {0, kBlock}));
  fill(claim, 1000);
  for (const Pin& pin : claim.pins) EXPECT_TRUE(right_bytes(*pin, 1000));
  EXPECT_LE(cache.status().peak, kMiB);
}

TEST(BlockCache, AbsentNamesTheRunsThatWouldHaveToBeFetched) {
  BlockCache cache(4 * kMiB);
  ASSERT_TRUE(load(cache, 1, {kBlock, kGrain}));
  const BlockCache::Claim coming = *cache.claim(1, {2 * kBlock, kBlock}, Why::demand, {});
  EXPECT_EQ(
      cache.absent(1, {0, kMiB}),
      (std::vector<Extent>{{0, kBlock}, {kBlock + kGrain, kBlock - kGrain}, {3 * kBlock, kBlock}}));
}

TEST(BlockCache, DropForgetsAVersionAndItsPinnedBlocksDieWithTheirPins) {
  BlockCache cache(4 * kMiB);
  ASSERT_TRUE(load(cache, 1, {0, kMiB}));
  std::vector<Pin> pins = *cache.find(1, {0, kBlock});
  BlockCache::Claim coming = *cache.claim(1, {kMiB, kBlock}, Why::demand, {});
  cache.drop(1);
  EXPECT_FALSE(cache.find(1, {0, 1}));
  EXPECT_EQ(cache.status().blocks, 2u);
  EXPECT_TRUE(right_bytes(*pins.front(), 1));
  fill(coming, 1);
  EXPECT_TRUE(right_bytes(*coming.pins.front(), 1));
  pins.clear();
  coming.pins.clear();
  EXPECT_EQ(cache.status().used, 0u);
}

TEST(BlockCache, StatusCountsWhatIsPinnedAndFilling) {
  BlockCache cache(4 * kMiB);
  const std::uint64_t one = kBlock + kBookkeeping;
  BlockCache::Claim claim = *cache.claim(1, {0, 2 * kBlock}, Why::demand, {});
  EXPECT_EQ(cache.status().filling, 2 * one);
  EXPECT_EQ(cache.status().misses, 2u);
  fill(claim, 1);
  EXPECT_EQ(cache.status().filling, 0u);
  EXPECT_EQ(cache.status().pinned, 2 * one);
  claim.pins.clear();
  EXPECT_EQ(cache.status().pinned, 0u);
  EXPECT_EQ(cache.status().used, 2 * one);
  cache.find(1, {0, 1});
  EXPECT_EQ(cache.status().hits, 1u);
}

TEST(BlockCache, AnAbandonedClaimLeavesNothingBehind) {
  BlockCache cache(4 * kMiB);
  cache.claim(1, {0, kMiB}, Why::demand, {});
  EXPECT_EQ(cache.status().used, 0u);
  EXPECT_EQ(cache.status().blocks, 0u);
}

#ifndef SKIMFS_SHADOW_MEMORY
TEST(BlockCache, AFullCacheStaysWithinItsLimitInResidentMemory) {
  constexpr std::uint64_t limit = 32 * kMiB;
  BlockCache cache(limit);
  const std::uint64_t before = resident_bytes();
  for (VersionId version = 1; version <= 40; ++version) {
    ASSERT_TRUE(load(cache, version, {0, version % 2 != 0 ? kMiB : 68 * kKiB}));
    for (std::uint64_t at = 0; at < 64; ++at) {
      ASSERT_TRUE(load(cache, 1000 + version, {at * kMiB, kGrain}));
    }
  }
  EXPECT_LE(resident_bytes() - before, limit + 2 * kMiB);
}

TEST(BlockCache, DropGivesMemoryBackToTheSystem) {
  BlockCache cache(32 * kMiB);
  ASSERT_TRUE(load(cache, 1, {0, 24 * kMiB}));
  const std::uint64_t before = resident_bytes();
  cache.drop(1);
  EXPECT_GE(before - resident_bytes(), 20 * kMiB);
}
#endif

}  // namespace
}  // namespace skimfs::cache
