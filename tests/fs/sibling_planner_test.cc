// SPDX-License-Identifier: MIT
#include "fs/sibling_planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/support/tree_of.h"

namespace skimfs::test {
namespace {

using fs::SiblingPlanner;
using manifest_rows = std::vector<fs::manifest::Row>;

// `count` files of `size` bytes in directory `name`.
std::string files(const std::string& name, int count, std::uint64_t size) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text += "/" + name + "/" + std::to_string(1000 + i) + "\t" + std::to_string(size) +
            "\t-\t-\thttp://h.example/" + name + std::to_string(i) + "\n";
  return text;
}

class Siblings : public ::testing::Test {
 protected:
  // Rows: 1 is /a, 2..101 its files; 102 is /b, 103..202 its files.
  Siblings()
      : tree(tree_of(files("a", 100, 16384) + files("b", 100, 16384))),
        planner(tree, {}, SiblingPlanner::Of::reads) {}

  std::size_t read(fs::manifest::Row row) {
    for (const auto& early : planner.on_use(row).files) planned.push_back(early.row);
    return planned.size();
  }

  std::shared_ptr<const fs::manifest::Tree> tree;
  SiblingPlanner planner;
  manifest_rows planned;
};

TEST_F(Siblings, TwoFilesInOrderAreChance) {
  read(2);
  EXPECT_EQ(read(3), 0u);
}

TEST_F(Siblings, TheThirdFileInOrderMakesAWalk) {
  read(2);
  read(3);
  EXPECT_EQ(read(4), 16u);
  EXPECT_EQ(planned.front(), 5u);
}

TEST_F(Siblings, AWalksWindowIsKeptFullAndGrowsUpToTheLimit) {
  for (fs::manifest::Row row = 2; row <= 4; ++row) read(row);
  for (fs::manifest::Row row = 5; row <= 30; ++row) {
    read(row);
    EXPECT_EQ(planned.back() - row, 16u + row - 4u);
  }
  for (fs::manifest::Row row = 31; row <= 60; ++row) read(row);
  EXPECT_EQ(planned.back() - 60, 64u + 1);  // one row is a directory
}

TEST_F(Siblings, AWalkPlansEveryFileOnceAndCrossesIntoTheNextDirectory) {
  for (fs::manifest::Row row = 2; row <= 202; ++row)
    if (row != 102) read(row);
  manifest_rows all;
  for (fs::manifest::Row row = 5; row <= 202; ++row)
    if (row != 102) all.push_back(row);
  EXPECT_EQ(planned, all);
}

TEST_F(Siblings, NeverMoreFilesAheadThanTheLimit) {
  for (fs::manifest::Row row = 2; row <= 60; ++row) {
    read(row);
    EXPECT_LE(planned.empty() ? 0 : planned.back() - row, 64u + 1);  // one row is a directory
  }
}

TEST_F(Siblings, SkippedFilesDoNotEndAWalk) {
  read(2);
  read(4);
  read(7);
  EXPECT_GT(planned.size(), 0u);
  EXPECT_EQ(planned.front(), 8u);
}

TEST_F(Siblings, RandomReadsPlanNothing) {
  for (const fs::manifest::Row row : {50u, 3u, 90u, 20u, 70u, 11u, 99u, 35u}) read(row);
  EXPECT_TRUE(planned.empty());
}

TEST_F(Siblings, TwoWalksDoNotDisturbEachOther) {
  for (fs::manifest::Row i = 0; i < 10; ++i) {
    read(2 + i);
    read(103 + i);
  }
  EXPECT_GT(std::count(planned.begin(), planned.end(), 12u), 0);
  EXPECT_GT(std::count(planned.begin(), planned.end(), 113u), 0);
}

TEST_F(Siblings, AWalkNobodyFollowsAnyMoreEnds) {
  read(2);
  read(3);
  const auto walk = planner.on_use(4).walk;
  EXPECT_FALSE(walk.expired());
  for (fs::manifest::Row row = 103; row <= 187; row += 12) read(row);  // eight strangers
  EXPECT_TRUE(walk.expired());
}

TEST_F(Siblings, ADirectoryIsEnteredOnce) {
  EXPECT_TRUE(planner.on_use(2).entered);
  EXPECT_FALSE(planner.on_use(3).entered) << "goes on";
  EXPECT_FALSE(planner.on_use(50).entered) << "another reader, the same directory";
  EXPECT_TRUE(planner.on_use(103).entered);
  EXPECT_FALSE(planner.on_use(51).entered) << "somebody is still there";
}

TEST_F(Siblings, AWalkEntersTheNextDirectory) {
  for (fs::manifest::Row row = 2; row <= 101; ++row)
    EXPECT_EQ(planner.on_use(row).entered, row == 2);
  EXPECT_TRUE(planner.on_use(103).entered);
}

TEST_F(Siblings, ReadersAllOverADirectoryEnterItOnce) {
  EXPECT_TRUE(planner.on_use(2).entered);
  for (const fs::manifest::Row row : {50u, 10u, 90u, 20u, 70u, 30u, 99u, 40u, 60u, 15u, 80u})
    EXPECT_FALSE(planner.on_use(row).entered) << row;
}

// Rows 1 to 40, of sizes that the manifest does not state.
class UnstatedSiblings : public ::testing::Test {
 protected:
  UnstatedSiblings()
      : planner(tree_of(unstated(40)), {}, SiblingPlanner::Of::reads,
                [this](fs::manifest::Row row) {
                  return row <= told ? std::optional(size) : std::nullopt;
                }) {}

  static std::string unstated(int count) {
    std::string text;
    for (int i = 0; i < count; ++i)
      text += "/" + std::to_string(1000 + i) + "\t-\t-\t-\thttp://h.example/" + std::to_string(i) +
              "\n";
    return text;
  }
  manifest_rows rows(fs::manifest::Row used) {
    manifest_rows found;
    for (const auto& early : planner.on_use(used).files) {
      EXPECT_EQ(early.bytes, size);
      found.push_back(early.row);
    }
    return found;
  }

  fs::manifest::Row told = 0;  // the last row whose size a server has told
  std::uint64_t size = 200'000;
  SiblingPlanner planner;
};

TEST_F(UnstatedSiblings, ArePlannedAsFarAsTheirSizesAreTold) {
  told = 5;
  rows(1);
  rows(2);
  EXPECT_EQ(rows(3), (manifest_rows{4, 5}));
  EXPECT_EQ(rows(4), manifest_rows{});
  told = 9;
  EXPECT_EQ(rows(5), (manifest_rows{6, 7, 8, 9}));
}

TEST_F(UnstatedSiblings, BytesBoundThemToo) {
  told = 40;
  size = 1 << 20;
  for (fs::manifest::Row row = 1; row <= 20; ++row) rows(row);
  EXPECT_EQ(rows(21), manifest_rows{29});
}

TEST(SiblingOrder, FilesOfADirectoryBeforeItsSubdirectories) {
  // Name order with a directory in the middle: rsync reads a1 a2 a3 z1 z2 and only then m/...
  const auto tree =
      tree_of("/a1\t9\t-\t-\thttp://h/1\n/a2\t9\t-\t-\thttp://h/2\n" + files("m", 10, 16) +
              "/z1\t9\t-\t-\thttp://h/3\n/z2\t9\t-\t-\thttp://h/4\n");
  SiblingPlanner planner(tree, {}, SiblingPlanner::Of::reads);
  planner.on_use(1);
  planner.on_use(2);
  const auto plan = planner.on_use(*tree->find(fs::manifest::kRoot, "z1"));
  ASSERT_FALSE(plan.files.empty());
  EXPECT_EQ(plan.files.front().row, *tree->find(fs::manifest::kRoot, "z2"));
}

TEST(SiblingBytes, BoundWhatIsPlanned) {
  const auto tree = tree_of(files("a", 100, 1 << 20));
  SiblingPlanner planner(tree, {.files_max = 64, .bytes_max = 4 << 20}, SiblingPlanner::Of::reads);
  std::size_t planned = 0;
  for (fs::manifest::Row row = 2; row <= 4; ++row) planned += planner.on_use(row).files.size();
  EXPECT_EQ(planned, 4u);
}

class LargeSiblings : public ::testing::Test {
 protected:
  // Rows: 1 is /a, 2..21 its files of 2 MiB.
  std::uint64_t bytes_of_the_first_planned(bool to_the_end) {
    SiblingPlanner planner(tree_of(files("a", 20, 2 << 20)), {}, SiblingPlanner::Of::reads);
    for (fs::manifest::Row row = 2; row <= 3; ++row) {
      planner.on_use(row);
      if (to_the_end) planner.on_read_to_end(row);
    }
    return planner.on_use(4).files.at(0).bytes;
  }
};

TEST_F(LargeSiblings, OfALargeFileItsBeginningIsFetched) {
  EXPECT_EQ(bytes_of_the_first_planned(false), 256u * 1024);
}

TEST_F(LargeSiblings, AWalkThatCopiesGetsThemWhole) {
  EXPECT_EQ(bytes_of_the_first_planned(true), 2u << 20);
}

// ------------------------------------------------------- lookups of files whose size is not stated

// `count` files in directory `name`; every `of`th is of unstated size.
std::string unsized_files(const std::string& name, int count, int of = 1) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text += "/" + name + "/" + std::to_string(1000 + i) + (i % of == 0 ? "\t-" : "\t16384") +
            "\t-\t-\thttp://h.example/" + name + std::to_string(i) + "\n";
  return text;
}

class Lookups : public ::testing::Test {
 protected:
  // Rows: 1 is /a, 2..101 its files; 102 is /b, 103..202 its files.
  explicit Lookups(const std::string& entries = unsized_files("a", 100) + unsized_files("b", 100))
      : tree(tree_of(entries)),
        planner(tree, {.files_max = 32, .bytes_max = 8 << 20}, SiblingPlanner::Of::lookups) {}

  std::size_t look_up(fs::manifest::Row row) {
    for (const auto& early : planner.on_use(row).files) planned.push_back(early.row);
    return planned.size();
  }
  // How many were planned and not among these.
  std::size_t in_vain(const manifest_rows& wanted) const {
    return std::ranges::count_if(planned, [&](fs::manifest::Row row) {
      return std::ranges::find(wanted, row) == wanted.end();
    });
  }

  std::shared_ptr<const fs::manifest::Tree> tree;
  SiblingPlanner planner;
  manifest_rows planned;
};

TEST_F(Lookups, OneAndTwoPlanNothing) {
  EXPECT_EQ(look_up(2), 0u);
  EXPECT_EQ(look_up(2), 0u) << "once more";
  EXPECT_EQ(look_up(3), 0u);
}

TEST_F(Lookups, EachThatProvesTheGuessRightPaysForOneMore) {
  look_up(2);
  look_up(3);
  EXPECT_EQ(look_up(4), 2u);
  EXPECT_EQ(planned, (manifest_rows{5, 6}));
  look_up(5);
  EXPECT_EQ(planned, (manifest_rows{5, 6, 7, 8}));
}

TEST_F(Lookups, NeverMoreAreAskedForInVainThanProvedTheGuessRight) {
  for (fs::manifest::Row row = 2; row <= 101; ++row) {
    look_up(row);
    EXPECT_LE(planned.empty() ? 0 : planned.back() - row, row - 2);
  }
}

TEST_F(Lookups, NeverMoreAheadThanTheLimitAndEachOnce) {
  for (fs::manifest::Row row = 2; row <= 202; ++row) {
    if (row == 102) continue;
    look_up(row);
    EXPECT_LE(planned.empty() ? 0 : planned.back() - row, 32u + 1);  // one row is a directory
  }
  manifest_rows all;
  for (fs::manifest::Row row = 5; row <= 202; ++row)
    if (row != 102) all.push_back(row);
  EXPECT_EQ(planned, all);
}

TEST_F(Lookups, WhoPassesMostFilesByGetsNoneAskedFor) {
  manifest_rows wanted;
  for (fs::manifest::Row row = 2; row <= 202; row += 5) {
    wanted.push_back(row);
    look_up(row);
  }
  EXPECT_EQ(planned.size(), 0u);
}

TEST_F(Lookups, WhoTakesEverySecondFileGetsNoMoreInVainThanHeTakes) {
  manifest_rows wanted;
  look_up(2);
  look_up(3);
  for (fs::manifest::Row row = 4; row <= 100; row += 2) {
    wanted.push_back(row);
    look_up(row);
    EXPECT_LE(in_vain(wanted),
              wanted.size() + 2 + (planned.empty() ? 0 : planned.back() - row) / 2);
  }
  EXPECT_GT(planned.size(), 0u);
}

TEST_F(Lookups, AllOverTheTreePlanNothing) {
  for (const fs::manifest::Row row : {50u, 3u, 90u, 20u, 70u, 11u, 99u, 35u}) look_up(row);
  EXPECT_TRUE(planned.empty());
}

TEST_F(Lookups, BytesBoundThemToo) {
  SiblingPlanner few(tree, {.files_max = 32, .bytes_max = 256 * 1024}, SiblingPlanner::Of::lookups);
  for (fs::manifest::Row row = 2; row <= 50; ++row)
    for (const auto& early : few.on_use(row).files) EXPECT_LE(early.row - row, 4u);
}

// As ls -R goes: the directory first, what is in its subdirectories later.
TEST(LookupOrder, AWrongGuessOfTheOrderIsPaidForByTheRightOne) {
  const auto tree = tree_of(unsized_files("a", 3) + unsized_files("a/1002x", 30) +
                            "/a/2001\t-\t-\t-\thttp://h/1\n/a/2002\t-\t-\t-\thttp://h/2\n"
                            "/a/2003\t-\t-\t-\thttp://h/3\n");
  SiblingPlanner planner(tree, {}, SiblingPlanner::Of::lookups);
  const auto a = *tree->find(fs::manifest::kRoot, "a");
  manifest_rows planned;
  for (const char* name : {"1000", "1001", "1002", "2001"})
    for (const auto& early : planner.on_use(*tree->find(a, name)).files)
      planned.push_back(early.row);
  EXPECT_EQ(planned.back(), *tree->find(a, "2002"));
}

class MixedLookups : public Lookups {
 protected:
  MixedLookups() : Lookups(unsized_files("a", 100, 3)) {}
};

TEST_F(MixedLookups, FilesOfStatedSizeAreNotMissed) {
  for (const fs::manifest::Row row : {2u, 5u, 8u}) look_up(row);
  EXPECT_EQ(planned, (manifest_rows{11, 14}));
}

class FarLookups : public Lookups {
 protected:
  FarLookups() : Lookups(unsized_files("a", 1000, 100)) {}
};

TEST_F(FarLookups, WhatIsFarAwayIsNotLookedFor) {
  for (const fs::manifest::Row row : {2u, 102u, 202u, 302u}) look_up(row);
  EXPECT_TRUE(planned.empty());
}

}  // namespace
}  // namespace skimfs::test
