// SPDX-License-Identifier: MIT
//
// How much is asked for together with a size.
#include "fs/probe_width.h"

#include <gtest/gtest.h>

namespace skimfs::fs {
namespace {

// What was asked for and not read.
struct Waste {
  unsigned beginnings = 0;
  std::uint64_t bytes = 0;
};

// Of every `of` files the first `read` are read.
Waste waste(ProbeWidth& width, int files, int read, int of) {
  Waste waste;
  for (int i = 0; i < files; ++i) {
    const std::uint64_t asked = width.next();
    if (i % of < read) {
      width.was_read();
    } else if (asked > 1) {
      ++waste.beginnings;
      waste.bytes += asked;
    }
  }
  return waste;
}

TEST(ProbeWidth, WhoLooksOnlyCostsFourFlightsForGood) {
  ProbeWidth width;
  EXPECT_EQ(waste(width, 10'000, 0, 1).bytes, 4 * ProbeWidth::kNarrow);
  EXPECT_EQ(width.next(), 1u);
}

TEST(ProbeWidth, AFileThatIsReadWidensTheNext) {
  ProbeWidth width;
  EXPECT_EQ(width.next(), ProbeWidth::kNarrow);
  width.was_read();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(width.next(), ProbeWidth::kWidest);
    width.was_read();
  }
}

TEST(ProbeWidth, HalfOfTheFilesReadKeepItGoing) {
  ProbeWidth width;
  waste(width, 1000, 1, 2);
  EXPECT_GT(width.next(), 1u);
}

TEST(ProbeWidth, WithAThirdReadAtMostTwoAreWastedForEach) {
  ProbeWidth width;
  EXPECT_LE(waste(width, 999, 1, 3).beginnings, 2 * 333 + ProbeWidth::kFree);
}

TEST(ProbeWidth, AfterACopyWhoLooksOnlyCostsLessThanAMebibyte) {
  ProbeWidth width;
  waste(width, 1000, 1, 1);
  EXPECT_LT(waste(width, 1000, 0, 1).bytes, 1u << 20);
  EXPECT_EQ(width.next(), 1u);
}

TEST(ProbeWidth, ReadingBringsItBackHoweverMuchWasLookedAt) {
  ProbeWidth width;
  waste(width, 1000, 0, 1);
  EXPECT_EQ(width.next(), 1u);
  width.was_read();
  EXPECT_EQ(width.next(), ProbeWidth::kNarrow);
}

}  // namespace
}  // namespace skimfs::fs
