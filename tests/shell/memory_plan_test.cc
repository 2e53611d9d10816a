// SPDX-License-Identifier: MIT
//
// memory= is one bound, whatever the number of connections.
#include "fs/memory_plan.h"

#include <gtest/gtest.h>

namespace skimfs::fs {
namespace {

constexpr std::uint64_t kMiB = 1u << 20;

std::uint64_t sum(const MemoryPlan& plan) {
  return plan.cache + plan.connections * MemoryPlan::kConnection;
}

TEST(MemoryPlan, TheDefaultLeavesAlmostAllToTheCache) {
  const MemoryPlan plan = plan_memory(128 * kMiB, 64);
  EXPECT_EQ(plan.connections, 64u);
  EXPECT_EQ(plan.cache, 124 * kMiB);
}

TEST(MemoryPlan, TheSmallestMemoryPaysForTheDefaultsConnections) {
  const MemoryPlan plan = plan_memory(16 * kMiB, 64);
  EXPECT_EQ(plan.connections, 64u);
  EXPECT_EQ(plan.cache, 12 * kMiB);
}

TEST(MemoryPlan, MoreConnectionsThanCanBePaidForAreFewer) {
  const MemoryPlan plan = plan_memory(16 * kMiB, 10'000);
  EXPECT_EQ(plan.connections, 64u);
  EXPECT_EQ(plan.cache, 12 * kMiB);
}

TEST(MemoryPlan, TheSumIsNeverAboveTheOptionAndTheCacheHasThreeQuarters) {
  for (std::uint64_t memory = 16 * kMiB; memory <= 1024 * kMiB; memory += 7 * kMiB + 4096)
    for (const unsigned connections : {1u, 3u, 16u, 64u, 500u, 4096u}) {
      const MemoryPlan plan = plan_memory(memory, connections);
      EXPECT_EQ(sum(plan), memory);
      EXPECT_GE(plan.cache, memory / 4 * 3);
      EXPECT_GE(plan.connections, 1u);
    }
}

TEST(MemoryWatch, ACrossingIsToldOnceUntilItFallsWellBelow) {
  MemoryWatch watch(1000);
  EXPECT_FALSE(watch.crossed(1000));
  EXPECT_TRUE(watch.crossed(1001));
  EXPECT_FALSE(watch.crossed(1500));
  EXPECT_FALSE(watch.crossed(950));
  EXPECT_FALSE(watch.crossed(1100));
  EXPECT_FALSE(watch.crossed(899));
  EXPECT_TRUE(watch.crossed(1100));
}

}  // namespace
}  // namespace skimfs::fs
