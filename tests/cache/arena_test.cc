// SPDX-License-Identifier: MIT
#include "cache/arena.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <set>
#include <vector>

namespace skimfs::cache {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

TEST(Arena, GivesEveryPageItHas) {
  Arena arena(kMiB);
  std::set<std::byte*> pages;
  for (Arena::Run run; (run = arena.take(1)).pages == 1;) pages.insert(run.data);
  EXPECT_EQ(pages.size(), kMiB / Arena::kPage);
}

TEST(Arena, HandsOutTheMemoryGivenLastFirst) {
  Arena arena(kMiB);
  const Arena::Run first = arena.take(64);
  const Arena::Run second = arena.take(64);
  arena.give(first);
  arena.give(second);
  EXPECT_EQ(arena.take(64).data, second.data);
}

TEST(Arena, PutsSmallRunsIntoBrokenChunks) {
  Arena arena(kMiB);
  arena.take(1);
  for (int i = 0; i < 63; ++i) arena.take(1);
  int whole = 0;
  while (arena.take(64).pages == 64) ++whole;
  EXPECT_EQ(whole, 3);
}

TEST(Arena, JoinsNeighboursOfAnySize) {
  Arena arena(256 * 1024);
  std::vector<Arena::Run> runs;
  for (std::uint32_t pages : {3u, 17u, 1u, 30u, 13u}) runs.push_back(arena.take(pages));
  ASSERT_EQ(arena.free_pages(), 0u);
  for (std::size_t i : {1u, 4u, 0u, 3u, 2u}) arena.give(runs[i]);
  EXPECT_EQ(arena.take(64).pages, 64u);
}

TEST(Arena, OffersTheLongestRunLeftWhenNoneIsLongEnough) {
  Arena arena(256 * 1024);
  const Arena::Run low = arena.take(10);
  arena.take(20);
  const Arena::Run high = arena.take(30);
  arena.take(4);
  arena.give(low);
  arena.give(high);
  EXPECT_EQ(arena.take(64).pages, 30u);
  EXPECT_EQ(arena.take(64).pages, 10u);
  EXPECT_EQ(arena.take(1).pages, 0u);
}

TEST(Arena, DiscardedMemoryIsZero) {
  Arena arena(kMiB);
  const Arena::Run run = arena.take(2);
  std::memset(run.data, 1, 2 * Arena::kPage);
  Arena::discard(run);
  EXPECT_EQ(run.data[Arena::kPage], std::byte{0});
}

TEST(Arena, NeverGivesAPageToTwoOwners) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  Arena arena(kMiB);
  std::vector<Arena::Run> owned;
  std::set<std::byte*> pages;
  for (int step = 0; step < 20'000; ++step) {
    if (owned.empty() || random() % 2 == 0) {
      const Arena::Run run = arena.take(1 + random() % 64);
      for (std::uint32_t i = 0; i < run.pages; ++i) {
        ASSERT_TRUE(pages.insert(run.data + i * Arena::kPage).second);
      }
      if (run.pages > 0) owned.push_back(run);
    } else {
      std::swap(owned[random() % owned.size()], owned.back());
      for (std::uint32_t i = 0; i < owned.back().pages; ++i) {
        pages.erase(owned.back().data + i * Arena::kPage);
      }
      arena.give(owned.back());
      owned.pop_back();
    }
    ASSERT_EQ(arena.free_pages() + pages.size(), kMiB / Arena::kPage);
  }
}

}  // namespace
}  // namespace skimfs::cache
