// SPDX-License-Identifier: MIT
#include "fs/sibling_planner.h"

#include <gtest/gtest.h>

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
  Siblings() : tree(tree_of(files("a", 100, 16384) + files("b", 100, 16384))), planner(tree, {}) {}

  std::size_t read(fs::manifest::Row row) {
    for (const auto& early : planner.on_first_read(row).files) planned.push_back(early.row);
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
  const auto walk = planner.on_first_read(4).walk;
  EXPECT_FALSE(walk.expired());
  for (fs::manifest::Row row = 103; row <= 187; row += 12) read(row);  // eight strangers
  EXPECT_TRUE(walk.expired());
}

TEST_F(Siblings, ADirectoryIsEnteredOnce) {
  EXPECT_TRUE(planner.on_first_read(2).entered);
  EXPECT_FALSE(planner.on_first_read(3).entered) << "goes on";
  EXPECT_FALSE(planner.on_first_read(50).entered) << "another reader, the same directory";
  EXPECT_TRUE(planner.on_first_read(103).entered);
  EXPECT_FALSE(planner.on_first_read(51).entered) << "somebody is still there";
}

TEST_F(Siblings, AWalkEntersTheNextDirectory) {
  for (fs::manifest::Row row = 2; row <= 101; ++row)
    EXPECT_EQ(planner.on_first_read(row).entered, row == 2);
  EXPECT_TRUE(planner.on_first_read(103).entered);
}

TEST_F(Siblings, ReadersAllOverADirectoryEnterItOnce) {
  EXPECT_TRUE(planner.on_first_read(2).entered);
  for (const fs::manifest::Row row : {50u, 10u, 90u, 20u, 70u, 30u, 99u, 40u, 60u, 15u, 80u})
    EXPECT_FALSE(planner.on_first_read(row).entered) << row;
}

TEST(SiblingOrder, FilesOfADirectoryBeforeItsSubdirectories) {
  // Name order with a directory in the middle: rsync reads a1 a2 a3 z1 z2 and only then m/...
  const auto tree =
      tree_of("/a1\t9\t-\t-\thttp://h/1\n/a2\t9\t-\t-\thttp://h/2\n" + files("m", 10, 16) +
              "/z1\t9\t-\t-\thttp://h/3\n/z2\t9\t-\t-\thttp://h/4\n");
  SiblingPlanner planner(tree, {});
  planner.on_first_read(1);
  planner.on_first_read(2);
  const auto plan = planner.on_first_read(*tree->find(fs::manifest::kRoot, "z1"));
  ASSERT_FALSE(plan.files.empty());
  EXPECT_EQ(plan.files.front().row, *tree->find(fs::manifest::kRoot, "z2"));
}

TEST(SiblingBytes, BoundWhatIsPlanned) {
  const auto tree = tree_of(files("a", 100, 1 << 20));
  SiblingPlanner planner(tree, {.files_max = 64, .bytes_max = 4 << 20});
  std::size_t planned = 0;
  for (fs::manifest::Row row = 2; row <= 4; ++row)
    planned += planner.on_first_read(row).files.size();
  EXPECT_EQ(planned, 4u);
}

class LargeSiblings : public ::testing::Test {
 protected:
  // Rows: 1 is /a, 2..21 its files of 2 MiB.
  std::uint64_t bytes_of_the_first_planned(bool to_the_end) {
    SiblingPlanner planner(tree_of(files("a", 20, 2 << 20)), {});
    for (fs::manifest::Row row = 2; row <= 3; ++row) {
      planner.on_first_read(row);
      if (to_the_end) planner.on_read_to_end(row);
    }
    return planner.on_first_read(4).files.at(0).bytes;
  }
};

TEST_F(LargeSiblings, OfALargeFileItsBeginningIsFetched) {
  EXPECT_EQ(bytes_of_the_first_planned(false), 256u * 1024);
}

TEST_F(LargeSiblings, AWalkThatCopiesGetsThemWhole) {
  EXPECT_EQ(bytes_of_the_first_planned(true), 2u << 20);
}

}  // namespace
}  // namespace skimfs::test
