// SPDX-License-Identifier: MIT
#include "fs/in_order_check.h"

#include <gtest/gtest.h>

#include <memory>
#include <new>

#include "tests/cache/helpers.h"
#include "tests/support/digests_of.h"

namespace skimfs::fs {
namespace {

using cache::Extent;
using Verdict = InOrderCheck::Verdict;

constexpr std::uint64_t kPart = 32 * 1024, kSize = 3 * kPart;

class InOrder : public ::testing::Test {
 protected:
  InOrder() { cache::load(cache_, 1, {0, kSize}); }

  ReadView view(Extent bytes) {
    return {std::make_shared<const std::vector<cache::Pin>>(*cache_.find(1, bytes)), bytes};
  }
  // Of the nth third.
  Verdict pass(std::uint64_t n, const InOrderCheck::Recall& recall) {
    return check.passing(view({n * kPart, kPart}), recall);
  }

  InOrderCheck check{*parse_digest(test::digest_of(cache::pattern(1, 0).first(kSize))), kSize};
  const InOrderCheck::Recall from_memory = [this](Extent bytes) { return view(bytes); };
  const InOrderCheck::Recall no_memory = [](Extent) -> std::optional<ReadView> {
    throw std::bad_alloc();
  };

 private:
  cache::BlockCache cache_{4 * cache::kMiB};
};

// Once nobody added any more: the file was served without a verdict from then on.
TEST_F(InOrder, AReaderWithoutMemoryLeavesTheAddingToTheNext) {
  EXPECT_EQ(pass(1, from_memory), Verdict::open) << "before its turn";
  EXPECT_THROW(pass(0, no_memory), std::bad_alloc);
  EXPECT_EQ(pass(2, from_memory), Verdict::right);
}

}  // namespace
}  // namespace skimfs::fs
