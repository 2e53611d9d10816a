// SPDX-License-Identifier: MIT
//
// Which lists the kernel is to forget.
#include "fs/shell/kept_lists.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/manual_clock.h"

namespace skimfs::fs::shell {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(KeptLists, AListIsToBeForgottenWithItsNames) {
  test::ManualClock clock;
  KeptLists lists(clock);
  lists.given(7);
  clock.advance(seconds(30));
  lists.given(9);
  clock.advance(seconds(29));
  EXPECT_THAT(lists.take_outlived(), IsEmpty());
  clock.advance(seconds(1));
  EXPECT_THAT(lists.take_outlived(), ElementsAre(7));
  EXPECT_THAT(lists.take_outlived(), IsEmpty());
  clock.advance(seconds(100));
  EXPECT_THAT(lists.take_outlived(), ElementsAre(9));
}

TEST(KeptLists, OfVeryManyTheLastAreRemembered) {
  constexpr Inode kGiven = 70'000, kMost = 65'536;
  test::ManualClock clock;
  KeptLists lists(clock);
  for (Inode directory = 1; directory <= kGiven; ++directory) lists.given(directory);
  clock.advance(seconds(60));
  const auto outlived = lists.take_outlived();
  ASSERT_EQ(outlived.size(), kMost);
  EXPECT_EQ(outlived.front(), kGiven - kMost + 1);
  EXPECT_EQ(outlived.back(), kGiven);
}

}  // namespace
}  // namespace skimfs::fs::shell
