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

TEST(Arena, KeepsAPromiseWithTheMemoryGivenLast) {
  Arena arena(kMiB);
  const Arena::Run first = arena.take(64);
  ASSERT_TRUE(arena.promise());
  arena.give(first);
  const Arena::Run kept = arena.redeem();
  EXPECT_EQ(kept.data, first.data);
  EXPECT_EQ(kept.pages, 64u);
}

TEST(Arena, BreaksNoChunkThatIsPromised) {
  Arena arena(512 * 1024);
  const Arena::Run small = arena.take(10);
  ASSERT_TRUE(arena.promise());
  EXPECT_FALSE(arena.promise());
  EXPECT_EQ(arena.free_pages(), 54u);
  EXPECT_EQ(arena.take(64).pages, 54u);
  EXPECT_EQ(arena.take(1).pages, 0u);
  arena.give(small);
  EXPECT_EQ(arena.redeem().pages, 64u);
}

TEST(Arena, APromiseRenouncedIsMemoryForOthers) {
  Arena arena(256 * 1024);
  ASSERT_TRUE(arena.promise());
  EXPECT_EQ(arena.take(1).pages, 0u);
  arena.renounce();
  EXPECT_EQ(arena.take(64).pages, 64u);
}

TEST(Arena, NeverGivesAPageToTwoOwners) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  Arena arena(kMiB);
  std::vector<Arena::Run> owned;
  std::set<std::byte*> pages;
  std::uint64_t promised = 0;
  const auto own = [&](Arena::Run run) {
    for (std::uint32_t i = 0; i < run.pages; ++i)
      ASSERT_TRUE(pages.insert(run.data + i * Arena::kPage).second);
    if (run.pages > 0) owned.push_back(run);
  };
  for (int step = 0; step < 20'000; ++step) {
    const auto what = random() % 8;
    if (what == 0) {
      promised += arena.promise() ? 1 : 0;
    } else if (what == 1 && promised > 0) {
      --promised;
      const Arena::Run kept = arena.redeem();
      ASSERT_EQ(kept.pages, 64u);
      own(kept);
    } else if (what == 2 && promised > 0) {
      --promised;
      arena.renounce();
    } else if (owned.empty() || what < 5) {
      own(arena.take(1 + random() % 64));
    } else {
      std::swap(owned[random() % owned.size()], owned.back());
      for (std::uint32_t i = 0; i < owned.back().pages; ++i)
        pages.erase(owned.back().data + i * Arena::kPage);
      arena.give(owned.back());
      owned.pop_back();
    }
    ASSERT_EQ(arena.free_pages() + pages.size() + 64 * promised, kMiB / Arena::kPage);
  }
}

}  // namespace
}  // namespace skimfs::cache
