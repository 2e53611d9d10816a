// SPDX-License-Identifier: MIT
#include "cache/shelves.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/cache/helpers.h"

namespace skimfs::cache {
namespace {

class ShelvesTest : public testing::Test {
 protected:
  Entry& put(VersionId version, Extent extent) {
    entries_.push_back(
        std::make_unique<Entry>(cache_, group_, version, extent, Arena::Run{}, 0, false));
    shelves_.insert(*entries_.back());
    return *entries_.back();
  }

  Shares::Group group_{0};
  BlockCache cache_{kMiB};
  std::vector<std::unique_ptr<Entry>> entries_;
  Shelves shelves_;
};

TEST_F(ShelvesTest, FindsTheBlockThatHasAByte) {
  put(1, {0, 8192});
  Entry& wanted = put(1, {8192, 4096});
  put(1, {16384, 245760});
  EXPECT_EQ(shelves_.first(1, {8200, 100}).entry, &wanted);
}

TEST_F(ShelvesTest, AGapEndsAtTheNextBlock) {
  put(1, {12288, 4096});
  const Shelves::Part part = shelves_.first(1, {4096, 65536});
  EXPECT_EQ(part.entry, nullptr);
  EXPECT_EQ(part.bytes, (Extent{4096, 8192}));
}

TEST_F(ShelvesTest, AGapNeverCrossesABlockBound) {
  EXPECT_EQ(shelves_.first(1, {kBlock - 4096, 8192}).bytes, (Extent{kBlock - 4096, 4096}));
}

TEST_F(ShelvesTest, TheLastGrainOfAVersionMayBeShort) {
  Entry& tail = put(1, {kBlock, 10});
  const Shelves::Part part = shelves_.first(1, {kBlock + 2, 8});
  EXPECT_EQ(part.entry, &tail);
  EXPECT_EQ(part.bytes, (Extent{kBlock + 2, 8}));
}

TEST_F(ShelvesTest, VersionsDoNotMeet) {
  put(1, {0, kBlock});
  EXPECT_EQ(shelves_.first(2, {0, 4096}).entry, nullptr);
}

TEST_F(ShelvesTest, EveryGrainOfAShelfCanBeABlock) {
  for (std::uint64_t grain : {63, 0, 31, 32, 1, 62}) put(1, {grain * kGrain, kGrain});
  for (const auto& entry : entries_) {
    EXPECT_EQ(shelves_.first(1, {entry->extent().offset, 1}).entry, entry.get());
  }
}

TEST_F(ShelvesTest, AnEmptyShelfIsRemoved) {
  Entry& one = put(1, {0, 4096});
  Entry& other = put(1, {4096, 4096});
  shelves_.erase(one);
  EXPECT_EQ(shelves_.of(1), std::vector<Entry*>{&other});
  shelves_.erase(other);
  EXPECT_EQ(shelves_.size(), 0u);
}

TEST_F(ShelvesTest, OffsetsNearTheEndOfTheNumbersWork) {
  const std::uint64_t last = (std::uint64_t{1} << 63) - kBlock;
  Entry& entry = put(1, {last, kBlock});
  EXPECT_EQ(shelves_.first(1, {last + 5, 1}).entry, &entry);
}

}  // namespace
}  // namespace skimfs::cache
