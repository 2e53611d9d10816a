// SPDX-License-Identifier: MIT
#include "fs/ranges.h"

#include <gtest/gtest.h>

#include <bitset>
#include <random>

namespace skimfs::fs {
namespace {

using cache::Extent;

TEST(Ranges, WhatTouchesBecomesOneRun) {
  Ranges ranges;
  ranges.add({0, 10});
  ranges.add({20, 10});
  EXPECT_FALSE(ranges.covers({0, 30}));
  ranges.add({10, 10});
  EXPECT_TRUE(ranges.covers({0, 30}));
  EXPECT_EQ(ranges.from(5), (Extent{5, 25}));
  EXPECT_TRUE(ranges.from(30).empty());
}

TEST(Ranges, ForgetsTheShortestBeyondItsBoundAndInventsNothing) {
  Ranges ranges;
  for (std::uint64_t i = 0; i < Ranges::kMost; ++i) ranges.add({i * 100, 10});
  ranges.add({50, 1});
  EXPECT_FALSE(ranges.touches({50, 1}));
  for (std::uint64_t i = 0; i < Ranges::kMost; ++i) EXPECT_TRUE(ranges.covers({i * 100, 10})) << i;
}

TEST(Ranges, AgreesWithASetOfBytes) {
  constexpr std::size_t kBytes = 120;
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    Ranges ranges;
    std::bitset<kBytes> model;
    for (int step = 0; step < 40; ++step) {
      const std::uint64_t offset = random() % kBytes;
      const Extent bytes{offset, random() % (kBytes - offset + 1)};
      const bool adds = random() % 3 > 0;
      for (std::uint64_t at = offset; at < bytes.end(); ++at) model.set(at, adds);
      adds ? ranges.add(bytes) : ranges.remove(bytes);
      for (std::uint64_t at = 0; at < kBytes; ++at) {
        ASSERT_EQ(ranges.touches({at, 1}), model[at]) << at;
        std::uint64_t end = at;
        while (end < kBytes && model[end]) ++end;
        ASSERT_EQ(ranges.from(at).end(), end);
      }
    }
  }
}

}  // namespace
}  // namespace skimfs::fs
