// SPDX-License-Identifier: MIT
//
// What is remembered of files that nobody has open any more.
#include "fs/files.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdio>

#include "fetch/error.h"
#include "tests/support/tree_of.h"

namespace skimfs::test {
namespace {

using fs::Inode;
using fs::Integrity;
using fs::RemoteFile;

const std::string kDigest = "sha256:" + std::string(64, 'a');
const std::string kTag = "\"0123456789abcdef0123456789abcdef\"";
const fetch::Version kSeen{100, kTag, 1700000000};
constexpr fetch::TimePoint kNow{std::chrono::hours(1)};

// One is looked at again and again by programs; the others make it rest in between.
class FilesTest : public ::testing::Test {
 protected:
  static constexpr Inode kOthers = 1000;

  void make(const std::string& line) {
    std::string text = "/a\t" + line + "\n";
    for (Inode i = 0; i < kOthers; ++i)
      text += "/f" + std::to_string(i) + "\t100\t-\t-\thttp://h/f" + std::to_string(i) + "\n";
    tree = tree_of(text);
    files.emplace(tree, fs::manifest::Time{}, fs::Validator::strict,
                  fs::VerifyPolicy{.whole_max = 4096}, fs::Credentials{});
  }
  Inode inode() const {
    return files->attributes(*files->names(), *tree->find(fs::manifest::kRoot, "a"))->inode;
  }
  std::shared_ptr<RemoteFile> open() { return files->open(inode()).value(); }
  void open_others() {
    for (Inode i = 0; i < kOthers; ++i) {
      const auto row = tree->find(fs::manifest::kRoot, "f" + std::to_string(i));
      ASSERT_TRUE(files->open(fs::inode_of(*row, 0)));
    }
  }

  std::shared_ptr<const fs::manifest::Tree> tree;
  std::optional<fs::Files> files;
};

TEST_F(FilesTest, AFileOfWhichNothingCameLeavesNothing) {
  make("100\t-\t" + kDigest + "\thttp://h/a");
  open();
  open_others();
  open_others();
  EXPECT_LT(files->remembered(), 5u);
}

TEST_F(FilesTest, AVersionIsTheSameAfterItsHandlesAreGone) {
  make("100\t-\t-\thttp://h/a");
  ASSERT_TRUE(open()->pin().learn(0, 0, kSeen, kNow));
  open_others();
  const auto file = open();
  EXPECT_EQ(file->pin().known(0), kSeen);
  EXPECT_EQ(file->pin().last_source(0), 0u);
  EXPECT_TRUE(file->pin().learned());
  EXPECT_FALSE(file->pin().matches(0, 0, {100, "\"another\"", 1700000000}));
  EXPECT_TRUE(file->pin().decides(0, 0));
  EXPECT_FALSE(file->pin().due(kNow + std::chrono::seconds(59), std::chrono::seconds(60)));
  EXPECT_TRUE(file->pin().due(kNow + std::chrono::seconds(60), std::chrono::seconds(60)));
}

TEST_F(FilesTest, AVersionWithMirrorsIsTheSameAfterItsHandlesAreGone) {
  make("100\t-\t-\thttp://h/a\tmirror=http://m/a");
  ASSERT_TRUE(open()->pin().learn(0, 1, kSeen, kNow));
  open_others();
  EXPECT_EQ(open()->pin().expect(0, 1), kSeen);
  EXPECT_FALSE(open()->pin().matches(0, 0, {100, "\"another\"", 1700000000}));
}

TEST_F(FilesTest, AVersionWhoseSizeWasAskedForIsTheSameAfterwards) {
  make("-\t-\t-\thttp://h/a");
  const auto number = *tree->find(fs::manifest::kRoot, "a");
  ASSERT_TRUE(files->probed(number, 0, kSeen, kNow, false));
  open_others();
  EXPECT_EQ(open()->pin().known(0), kSeen);
}

TEST_F(FilesTest, AServerInDoubtStaysSo) {
  make("100\t-\t-\thttp://h/a");
  open()->pin().refuse(0, 0, kNow);
  open_others();
  EXPECT_EQ(open()->pin().standing(0, 0, kNow), fetch::Standing::doubtful);
}

TEST_F(FilesTest, AFileInUseStaysAsItIs) {
  make("100\t-\t" + kDigest + "\thttp://h/a");
  const auto file = open();
  open_others();
  file->pin().learn(0, 0, kSeen, kNow);
  EXPECT_EQ(open(), file);
}

TEST_F(FilesTest, WhatADigestSaidStays) {
  make("100\t-\t" + kDigest + "\thttp://h/a");
  open()->integrity()->checked({0, 100}, false);
  open_others();
  EXPECT_TRUE(open()->integrity()->is_wrong({0, 100}));
  EXPECT_EQ(open()->integrity()->state(), Integrity::State::no);
  open()->integrity()->checked({0, 100}, true);
  open_others();
  EXPECT_FALSE(open()->integrity()->is_wrong({0, 100}));
  EXPECT_EQ(open()->integrity()->state(), Integrity::State::yes);
}

TEST_F(FilesTest, WhatThePiecesOfAFileSaidStays) {
  make("200000\t-\t-\thttp://h/a\tpieces=sha256:65536:http://h/list");
  open()->integrity()->checked({0, 65536}, true);
  ASSERT_TRUE(open()->integrity()->list()->pin().learn(0, 0, {128, kTag, {}}, kNow));
  open_others();
  EXPECT_EQ(open()->integrity()->state(), Integrity::State::partial);
  EXPECT_EQ(open()->integrity()->list()->pin().known(0).etag, kTag)
      << "of the digests that are in memory";
}

TEST_F(FilesTest, AVersionThatEndedIsNotRemembered) {
  make("100\t-\t" + kDigest + "\thttp://h/a");
  const Inode before = inode();
  ASSERT_TRUE(open()->pin().learn(0, 0, kSeen, kNow));
  ASSERT_TRUE(files->supersede(before));
  open_others();
  EXPECT_EQ(inode(), fs::inode_of(fs::number_of(before), 1));
  EXPECT_FALSE(open()->pin().learned());
  EXPECT_EQ(files->open(before).error(), fetch::Errc::changed);
}

// S-MEM-1
TEST(FilesMemory, AFileThatWasReadCostsWhatTheStatusSays) {
  const bool counted = mallinfo2().uordblks > 0;  // not by a sanitizer's malloc
  constexpr Inode kFiles = 5000;
  constexpr std::uint64_t kSize = 200000;
  struct {
    std::string digest, more;
    double most;  // bytes
  } const kinds[] = {{"-", "", 400},
                     {kDigest, "", 400},
                     {kDigest, "\tmirror=http://m/f", 1400},
                     {"-", "\tpieces=sha256:65536:http://h/list", 2200}};
  for (const auto& kind : kinds) {
    std::string text;
    for (Inode i = 0; i < kFiles; ++i)
      text += "/f" + std::to_string(i) + "\t200000\t-\t" + kind.digest + "\thttp://h/f" +
              kind.more + "\n";
    fs::Files files(tree_of(text), {}, fs::Validator::strict, {}, {});
    const auto before = mallinfo2().uordblks;
    for (Inode i = 0; i < kFiles; ++i) {
      const auto file = files.open(fs::inode_of(i + 1, 0)).value();
      ASSERT_TRUE(file->pin().learn(0, 0, {kSize, kTag, 1700000000}, kNow));
      if (file->integrity()) file->integrity()->checked(file->units().at(0), true);
    }
    const double each = static_cast<double>(mallinfo2().uordblks - before) / kFiles;
    std::printf("%.6s%s: %.0f bytes a file\n", kind.digest.c_str(), kind.more.c_str(), each);
    EXPECT_EQ(files.remembered(), kFiles);
    EXPECT_LE(counted ? each : 0, kind.most);
  }
}

}  // namespace
}  // namespace skimfs::test
