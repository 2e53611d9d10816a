// SPDX-License-Identifier: MIT
//
// Files that count as open because they were read lately.
#include "fs/shell/recent_files.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/support/manual_clock.h"

namespace skimfs::fs::shell {
namespace {

using namespace std::chrono_literals;

// Any live object will do as an open file: nothing here looks inside.
std::shared_ptr<OpenFile> some_file(const std::shared_ptr<int>& life) {
  return {life, reinterpret_cast<OpenFile*>(life.get())};
}

class Recent : public ::testing::Test {
 protected:
  std::shared_ptr<OpenFile> add(Inode inode) { return files.add(inode, some_file(life)); }
  long open() const { return life.use_count() - 1; }

  test::ManualClock clock;
  const std::shared_ptr<int> life = std::make_shared<int>();
  RecentFiles files{clock};
};

TEST_F(Recent, AFileIsOpenOnceItWasAdded) {
  EXPECT_EQ(files.find(7), nullptr);
  EXPECT_EQ(add(7), some_file(life));
  EXPECT_EQ(files.find(7), some_file(life));
  EXPECT_EQ(files.find(8), nullptr);
  EXPECT_EQ(files.count(), 1u);
}

TEST_F(Recent, WhoOpensItSecondGetsTheFirstOne) {
  const auto other = std::make_shared<int>();
  add(7);
  EXPECT_EQ(files.add(7, some_file(other)), some_file(life));
  EXPECT_EQ(other.use_count(), 1);
  EXPECT_EQ(files.count(), 1u);
}

TEST_F(Recent, WhatNobodyReadsIsClosed) {
  add(7);
  clock.advance(RecentFiles::kKept - 1s);
  files.close_idle();
  EXPECT_EQ(open(), 1);
  clock.advance(1s);
  files.close_idle();
  EXPECT_EQ(open(), 0);
  EXPECT_EQ(files.find(7), nullptr);
}

TEST_F(Recent, WhatIsReadStaysOpen) {
  add(7);
  add(8);
  for (int i = 0; i < 10; ++i) {
    clock.advance(RecentFiles::kKept - 1s);
    EXPECT_NE(files.find(7), nullptr) << i;
    files.close_idle();
  }
  EXPECT_EQ(files.find(8), nullptr);
  EXPECT_EQ(open(), 1);
}

TEST_F(Recent, TheOneReadLongestAgoMakesRoom) {
  for (Inode inode = 1; inode <= RecentFiles::kMost; ++inode) add(inode);
  files.find(1);
  add(RecentFiles::kMost + 1);
  EXPECT_EQ(files.count(), RecentFiles::kMost);
  EXPECT_EQ(open(), static_cast<long>(RecentFiles::kMost));
  EXPECT_NE(files.find(1), nullptr);
  EXPECT_EQ(files.find(2), nullptr);
}

TEST_F(Recent, ThreadsAgreeOnOneFile) {
  constexpr Inode kInodes = 2 * RecentFiles::kMost;  // so that some are closed meanwhile
  std::vector<std::thread> readers;
  for (int id = 0; id < 4; ++id) {
    readers.emplace_back([this] {
      for (Inode inode = 1; inode <= kInodes; ++inode) {
        const auto found = files.find(inode);
        EXPECT_NE(found ? found : add(inode), nullptr);
        if (inode % 100 == 0) files.close_idle();
      }
    });
  }
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(files.count(), RecentFiles::kMost);
  EXPECT_EQ(open(), static_cast<long>(RecentFiles::kMost));
}

}  // namespace
}  // namespace skimfs::fs::shell
