// SPDX-License-Identifier: MIT
#include "fs/next_hosts.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/tree_of.h"

namespace skimfs::test {
namespace {

using fs::manifest::kRoot;
using Names = std::vector<std::string>;

// The files named, of a manifest, behind this one.
Names behind(const std::string& name, const std::string& entries) {
  const auto tree = tree_of(entries);
  Names names;
  for (const auto& next : fs::next_hosts(*tree, tree->find(kRoot, name).value()))
    names.emplace_back(tree->entry(next.row).name);
  return names;
}

std::string file(const std::string& name, const std::string& url, const char* size = "9") {
  return "/" + name + "\t" + size + "\t-\t-\t" + url + "\n";
}

TEST(NextHosts, AreTheFirstFilesOfEachHostButTheOwn) {
  EXPECT_EQ(behind("b", file("a", "http://before/1") + file("b", "http://own/1") +
                            file("c", "http://x/1") + file("d", "http://own/2") +
                            file("e", "http://x/2") + file("f", "https://y:444/1?k=v")),
            (Names{"c", "f"}));
}

TEST(NextHosts, AreNoneWhereThereIsOneHost) {
  std::string entries;
  for (int i = 10; i < 99; ++i)
    entries += file("f" + std::to_string(i), "http://h/" + std::to_string(i));
  EXPECT_EQ(behind("f10", entries), Names{});
}

TEST(NextHosts, TellWhereTheFileIs) {
  const auto tree = tree_of(file("a", "http://own/1") + file("b", "http://x/1"));
  const auto next = fs::next_hosts(*tree, tree->find(kRoot, "a").value());
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].object.urls, std::vector<std::string>{"http://x/1"});
}

TEST(NextHosts, AreFourAtMost) {
  std::string entries;
  for (int i = 1; i < 9; ++i)
    entries += file("f" + std::to_string(i), "http://h" + std::to_string(i) + "/");
  EXPECT_EQ(behind("f1", entries), (Names{"f2", "f3", "f4", "f5"}));
}

TEST(NextHosts, AreLookedForInSoManyRowsAndNoMore) {
  std::string entries;
  for (int i = 10; i < 43; ++i)
    entries += file("f" + std::to_string(i), "http://own/" + std::to_string(i));
  entries += file("x", "http://x/");
  EXPECT_EQ(behind("f10", entries), Names{});
  EXPECT_EQ(behind("f11", entries), Names{"x"});
}

TEST(NextHosts, AreOfFilesWithBytesOfKnownNumber) {
  EXPECT_EQ(behind("a", file("a", "http://own/") + file("b", "http://x/", "0") +
                            file("c", "http://y/", "-") + "/d/\t-\t-\t-\t-\n" +
                            "/e\t-\t-\t-\t-\t!link=a\n" + file("f", "http://z/")),
            Names{"f"});
}

TEST(NextHosts, AreThoseOfTheDirectory) {
  EXPECT_EQ(behind("a", file("a", "http://own/") + file("d/b", "http://x/")), Names{});
}

}  // namespace
}  // namespace skimfs::test
