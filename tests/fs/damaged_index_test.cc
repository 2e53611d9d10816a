// SPDX-License-Identifier: MIT
//
// A compiled manifest that is damaged under a running file system: no answer, in place of a wrong
// one.
#include <gtest/gtest.h>

#include "cache/block_cache.h"
#include "fs/filesystem.h"
#include "tests/fs/filesystem_fixture.h"
#include "tests/manifest/index_bytes.h"

namespace skimfs::test {
namespace {

using fs::manifest::Memory;

class DamagedIndex : public ::testing::Test {
 protected:
  // What a flipped bit does: everything but the root and "known" lies beyond the first page.
  void damage() {
    std::string bytes = index_.bytes();
    for (std::size_t at = 4096; at + 5000 < bytes.size(); at += 512) bytes[at] ^= 1;
    index_.write(0, bytes);
  }
  template <class T>
  static bool is_io_error(const fetch::Result<T>& result) {
    return !result && result.error() == std::make_error_code(std::errc::io_error);
  }

  static std::string entries() {
    std::string text = "/known\t1\t-\t-\thttp://h/x\n/link\t-\t-\t-\t-\t!link=known\n";
    for (int each = 0; each < 2000; ++each)
      text += "/d/" + std::to_string(each) + "\t-\t-\t-\thttp://h/x\n";
    return text;
  }

  const Memory index_{fs::manifest::index_of(entries())};
  const std::shared_ptr<const fs::manifest::Tree> tree_ =
      std::make_shared<const fs::manifest::Tree>(
          fs::manifest::open_index(index_.descriptor()).tree);
  cache::BlockCache cache_{16 * kMiB};
  FakeFetching fetching_;
  ManualClock clock_;
  fs::FileSystem filesystem_{tree_, cache_, fetching_, clock_, {}};
};

TEST_F(DamagedIndex, IsUsedLikeAnyTreeUntilThen) {
  EXPECT_TRUE(filesystem_.try_lookup(1, "known").value().has_value());
  EXPECT_EQ(filesystem_.link_target(3).value(), "known");
  EXPECT_TRUE(filesystem_.try_open(2).value().has_value());
}

TEST_F(DamagedIndex, AnswersEveryQuestionWithAnError) {
  damage();
  EXPECT_TRUE(is_io_error(filesystem_.try_lookup(1, "known").value()));
  EXPECT_TRUE(is_io_error(filesystem_.try_lookup(1, "missing").value())) << "ENOENT would be a lie";
  EXPECT_TRUE(is_io_error(filesystem_.attributes(1000)));
  EXPECT_TRUE(is_io_error(filesystem_.try_open(2).value()));
  EXPECT_TRUE(is_io_error(filesystem_.link_target(3)));
  EXPECT_TRUE(is_io_error(filesystem_.xattr(2, "user.skimfs.url")));
}

TEST_F(DamagedIndex, AsksNoServerForASize) {
  ASSERT_FALSE(filesystem_.try_lookup(4, "7")) << "its size is not known: it would be asked for";
  damage();
  const auto answer = std::make_shared<FakeAnswer>();
  filesystem_.lookup(4, "7", answer);
  EXPECT_EQ(answer->error, std::make_error_code(std::errc::io_error));
  EXPECT_EQ(filesystem_.status().probes, 0u);
}

}  // namespace
}  // namespace skimfs::test
