// SPDX-License-Identifier: MIT
//
// The tree by itself: names to rows and back, and what it keeps apart.
#include "fs/manifest/tree.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/manifest/helpers.h"

namespace skimfs::fs::manifest {
namespace {

std::string entry(const std::string& path) { return path + "\t1\t-\t-\thttp://h/x\n"; }

TEST(Tree, TheRootIsItsOwnParentAndADirectory) {
  const Loaded loaded = read("@end 0\n");
  const Entry root = loaded.tree->entry(kRoot);
  EXPECT_EQ(root.parent, kRoot);
  EXPECT_EQ(root.kind, Kind::directory);
  EXPECT_EQ(root.mode, 0555u);
  EXPECT_FALSE(root.mtime);
  EXPECT_EQ(loaded.tree->path(kRoot), "/");
  EXPECT_TRUE(loaded.tree->children(kRoot).empty());
}

TEST(Tree, FindsNamesOnlyInTheirDirectory) {
  const Loaded loaded = read(entry("/a/x") + entry("/b/y"));
  const Tree& tree = *loaded.tree;
  const Row a = find_path(tree, "/a"), b = find_path(tree, "/b");
  EXPECT_TRUE(tree.find(a, "x"));
  EXPECT_FALSE(tree.find(b, "x"));
  EXPECT_FALSE(tree.find(kRoot, "x"));
  EXPECT_FALSE(tree.find(kRoot, ""));
  EXPECT_FALSE(tree.find(kRoot, "A"));
  EXPECT_FALSE(tree.find(kRoot, std::string(300, 'a')));
}

TEST(Tree, NothingIsBelowAFile) {
  const Loaded loaded = read(entry("/a"));
  EXPECT_FALSE(loaded.tree->find(1, "a"));
  EXPECT_TRUE(loaded.tree->children(1).empty());
}

TEST(Tree, ChildrenStandInRowOrderWhateverTheOrderOfLines) {
  const Loaded loaded =
      read(entry("/z/1") + entry("/a/1") + entry("/z/0") + entry("/a/0") + entry("/m"));
  const Tree& tree = *loaded.tree;
  EXPECT_EQ(std::vector<Row>(tree.children(kRoot).begin(), tree.children(kRoot).end()),
            (std::vector<Row>{1, 3, 7}));
  EXPECT_EQ(std::vector<Row>(tree.children(1).begin(), tree.children(1).end()),
            (std::vector<Row>{2, 5}));
}

TEST(Tree, KeepsManyNamesOfOneDirectoryApart) {
  std::string text;
  for (int number = 0; number < 20000; ++number) text += entry("/d/" + std::to_string(number));
  const Loaded loaded = read(text);
  for (int number = 0; number < 20000; ++number) {
    EXPECT_EQ(loaded.tree->find(1, std::to_string(number)), static_cast<Row>(number + 2));
  }
  EXPECT_FALSE(loaded.tree->find(1, "20000"));
}

TEST(Tree, SharesBeginningsOfUrlsBetweenEntries) {
  std::string shared, different;
  for (int number = 0; number < 10000; ++number) {
    const std::string name = std::to_string(number);
    shared +=
        "/" + name + "\t1\t-\t-\thttps://data.example.org/a/long/folder/of/files/" + name + "\n";
    different +=
        "/" + name + "\t1\t-\t-\thttps://data.example.org/a/long/folder/of/files_" + name + "/x\n";
  }
  EXPECT_LT(read(shared).tree->totals().memory + 400'000, read(different).tree->totals().memory);
}

TEST(Tree, SharesEqualScopesEvenWhenDirectivesAlternate) {
  std::string text;
  for (int number = 0; number < 10000; ++number) {
    text += number % 2 == 0 ? "@base https://one.example.org/" + std::string(200, 'a') + "/\n"
                            : "@base https://two.example.org/" + std::string(200, 'b') + "/\n";
    text += "/" + std::to_string(number) + "\t1\t-\t-\tx\n";
  }
  const Loaded loaded = read(text);
  EXPECT_LT(loaded.tree->totals().memory, 10000u * 100);
  EXPECT_EQ(loaded.tree->content(4).parts.at(0).urls.at(0).substr(0, 26),
            "https://two.example.org/bb");
}

}  // namespace
}  // namespace skimfs::fs::manifest
