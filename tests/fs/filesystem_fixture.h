// SPDX-License-Identifier: MIT
//
// A file system on a real cache and a real tree, with a fetcher that obeys the test.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "cache/block_cache.h"
#include "fs/filesystem.h"
#include "tests/support/fake_answer.h"
#include "tests/support/fake_fetching.h"
#include "tests/support/manual_clock.h"
#include "tests/support/tree_of.h"

namespace skimfs::test {

constexpr std::uint64_t kMiB = 1u << 20;

class FileSystemTest : public ::testing::Test {
 protected:
  explicit FileSystemTest(const std::string& entries, std::uint64_t memory = 16 * kMiB,
                          std::uint32_t siblings_max = 64)
      : tree(tree_of(entries)), cache(memory) {
    limits.siblings_max = siblings_max;
    limits.spool_max = memory / 4;
    limits.window_max = memory / 2;
    limits.segment_max = 4 * kMiB;
    filesystem = std::make_unique<fs::FileSystem>(tree, cache, fetching, clock, limits);
  }

  fs::Inode inode(const std::string& name) {
    return filesystem->try_lookup(1, name).value().value().attributes.inode;
  }
  std::shared_ptr<fs::OpenFile> open(const std::string& name) {
    return filesystem->try_open(inode(name)).value().value();
  }
  // As the shell reads: at once, or parked.
  std::shared_ptr<FakeAnswer> read(const std::shared_ptr<fs::OpenFile>& file, std::uint64_t offset,
                                   std::uint64_t length) {
    auto answer = std::make_shared<FakeAnswer>();
    const cache::Extent bytes{offset, length};
    if (const auto view = filesystem->try_read(*file, bytes))
      answer->read(*view);
    else
      filesystem->read(file, bytes, answer);
    return answer;
  }

  const std::shared_ptr<const fs::manifest::Tree> tree;
  cache::BlockCache cache;
  FakeFetching fetching;
  ManualClock clock;
  fs::FileSystemLimits limits;
  std::unique_ptr<fs::FileSystem> filesystem;
};

}  // namespace skimfs::test
