// SPDX-License-Identifier: MIT
#include "fs/steps.h"

#include <gtest/gtest.h>

#include <random>

namespace skimfs::fs {
namespace {

using cache::Extent;
using Extents = std::vector<Extent>;

constexpr std::uint64_t kSize = 1 << 30;
constexpr std::uint64_t kMost = 16 << 20;

TEST(Steps, ThreeEqualStepsTellTheNextThree) {
  Steps steps;
  for (std::uint64_t at = 5000; at < 3 * 100'000; at += 100'000)
    EXPECT_EQ(steps.on_step({at, 4096}, 0, kSize, kMost), Extents{});
  EXPECT_EQ(steps.on_step({305'000, 4096}, 4096, kSize, kMost),
            (Extents{{405'000, 4096}, {505'000, 4096}, {605'000, 4096}}));
}

TEST(Steps, EachFurtherOneTellsOneOrTwoMoreAndNoneTwice) {
  Steps steps;
  std::vector<std::uint64_t> named;
  for (std::uint64_t i = 1; i <= 40; ++i)
    for (const Extent& next : steps.on_step({i * 100'000, 4096}, 4096, kSize, kMost))
      named.push_back(next.offset);
  for (std::size_t i = 0; i < named.size(); ++i) EXPECT_EQ(named[i], (i + 5) * 100'000);
  EXPECT_EQ(named.back(), 56u * 100'000) << "sixteen ahead at the most";
}

TEST(Steps, BackwardsTheyEndAtTheBeginningOfTheFile) {
  Steps steps;
  Extents named;
  for (std::uint64_t at = 10 << 20; at > 0; at -= 1 << 20)
    for (const Extent& next : steps.on_step({at - (1 << 20), 1 << 20}, 1 << 20, kSize, kMost))
      named.push_back(next);
  ASSERT_FALSE(named.empty());
  EXPECT_EQ(named.back(), (Extent{0, 1 << 20}));
}

TEST(Steps, ForwardsTheyAreCutAtItsEnd) {
  Steps steps;
  Extents named;
  for (std::uint64_t at = 1000; at < 6000; at += 1000)
    for (const Extent& next : steps.on_step({at, 600}, 600, 6100, kMost)) named.push_back(next);
  EXPECT_EQ(named, (Extents{{5000, 600}, {6000, 100}}));
}

TEST(Steps, AsLongAsWhatTheOneBeforeBecame) {
  Steps steps;
  Extents last;
  for (std::uint64_t at = 1; at <= 4; ++at)
    last = steps.on_step({at << 20, 4096}, 65'536, kSize, kMost);
  ASSERT_EQ(last.size(), 3u);
  EXPECT_EQ(last.front().length, 65'536u);
}

TEST(Steps, NeverMoreBytesThanAllowed) {
  Steps steps;
  std::uint64_t named = 0;
  for (std::uint64_t i = 1; i <= 8; ++i) {
    named = 0;
    for (const Extent& next : steps.on_step({i * 100'000, 4096}, 0, kSize, 2 * 4096))
      named += next.length;
    EXPECT_LE(named, 2u * 4096);
  }
}

TEST(Steps, AnUnequalStepBeginsAfresh) {
  Steps steps;
  for (std::uint64_t i = 1; i <= 5; ++i) steps.on_step({i * 100'000, 4096}, 0, kSize, kMost);
  EXPECT_EQ(steps.on_step({7'654'321, 4096}, 0, kSize, kMost), Extents{});
  EXPECT_EQ(steps.on_step({7'754'321, 4096}, 0, kSize, kMost), Extents{});
}

TEST(Steps, RandomReadsTellNothing) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  Steps steps;
  std::size_t named = 0;
  for (int i = 0; i < 10'000; ++i)
    named += steps.on_step({random() % (1 << 18) * 4096, 4096}, 4096, kSize, kMost).size();
  EXPECT_EQ(named, 0u);
}

TEST(Steps, OverlappingOnesAreNoSteps) {
  Steps steps;
  for (std::uint64_t i = 1; i <= 8; ++i)
    EXPECT_EQ(steps.on_step({i * 4096, 8192}, 0, kSize, kMost), Extents{});
}

}  // namespace
}  // namespace skimfs::fs
