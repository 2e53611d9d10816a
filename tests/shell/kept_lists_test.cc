// SPDX-License-Identifier: MIT
//
// Which lists the kernel is to forget, and what they say of files.
#include "fs/shell/kept_lists.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/manual_clock.h"

namespace skimfs::fs::shell {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Described = KeptLists::Described;

class KeptListsTest : public testing::Test {
 protected:
  // A program takes as many names as it needs to see that they are used.
  bool look_up_some(Inode directory, std::size_t files = KeptLists::kLeftOut) {
    bool tell = false;
    for (std::size_t i = 0; i < files; ++i) tell = lists_.looked_up(directory, ++file_);
    return tell;
  }
  // Of which enough files were left out.
  Described sample(Inode directory) {
    const Described files = lists_.given(directory, true);
    if (files == Described::sample) lists_.sampled();
    return files;
  }

  test::ManualClock clock_;
  KeptLists lists_{clock_};
  Inode file_ = 1000;  // looked up last
};

TEST_F(KeptListsTest, AListIsToBeForgottenWithItsNames) {
  lists_.given(7, false);
  clock_.advance(seconds(30));
  lists_.given(9, false);
  clock_.advance(seconds(29));
  EXPECT_THAT(lists_.take_useless(), IsEmpty());
  clock_.advance(seconds(1));
  EXPECT_THAT(lists_.take_useless(), ElementsAre(7));
  EXPECT_THAT(lists_.take_useless(), IsEmpty());
  clock_.advance(seconds(100));
  EXPECT_THAT(lists_.take_useless(), ElementsAre(9));
}

TEST_F(KeptListsTest, OfVeryManyTheLastAreRemembered) {
  constexpr Inode kGiven = 70'000, kMost = 65'536;
  for (Inode directory = 1; directory <= kGiven; ++directory) sample(directory);
  EXPECT_FALSE(look_up_some(kGiven - kMost));
  clock_.advance(seconds(60));
  const auto useless = lists_.take_useless();
  ASSERT_EQ(useless.size(), kMost);
  EXPECT_EQ(useless.front(), kGiven - kMost + 1);
  EXPECT_EQ(useless.back(), kGiven);
}

TEST_F(KeptListsTest, SmallListsAlwaysDescribeTheirFiles) {
  EXPECT_EQ(lists_.given(7, false), Described::all);
  EXPECT_EQ(lists_.given(9, true), Described::sample);
  EXPECT_EQ(lists_.given(11, false), Described::all);
}

TEST_F(KeptListsTest, WhileASampleIsNotUsedLargeListsAreNamesAlone) {
  EXPECT_EQ(sample(7), Described::sample);
  EXPECT_TRUE(lists_.describes_rest(7)) << "all but the few that were left out";
  EXPECT_FALSE(lists_.describes_rest(9));
  EXPECT_EQ(lists_.given(9, true), Described::none);
  EXPECT_EQ(lists_.given(7, true), Described::none);
  clock_.advance(seconds(59));
  EXPECT_EQ(lists_.given(11, true), Described::none);
  clock_.advance(seconds(1));
  EXPECT_EQ(lists_.given(13, true), Described::sample);
}

TEST_F(KeptListsTest, OnceASampleIsUsedListsDescribeTheirFilesForAMinute) {
  sample(7);
  EXPECT_TRUE(look_up_some(7));
  EXPECT_TRUE(lists_.describes_rest(9));
  EXPECT_EQ(lists_.given(9, true), Described::all);
  clock_.advance(seconds(59));
  EXPECT_EQ(lists_.given(11, true), Described::all);
  clock_.advance(seconds(1));
  EXPECT_FALSE(lists_.describes_rest(9));
  EXPECT_EQ(lists_.given(13, true), Described::sample);
}

// cat(1) of a file, or a few.
TEST_F(KeptListsTest, AFewFilesAreNoUseOfAList) {
  sample(7);
  lists_.given(9, true);
  EXPECT_FALSE(look_up_some(7, KeptLists::kLeftOut - 1));
  EXPECT_FALSE(look_up_some(9, KeptLists::kLeftOut - 1));
  EXPECT_FALSE(look_up_some(11, 100));  // never listed
  EXPECT_EQ(lists_.given(13, true), Described::none);
  EXPECT_THAT(lists_.take_useless(), IsEmpty());
}

TEST_F(KeptListsTest, OnceFilesAreLookedUpListsOfNamesAloneAreToBeForgotten) {
  for (const Inode directory : {7, 9, 11}) sample(directory);
  lists_.given(13, false);
  EXPECT_TRUE(look_up_some(9));
  EXPECT_FALSE(look_up_some(9, 1));  // it is told once
  clock_.advance(seconds(2));
  EXPECT_THAT(lists_.take_useless(), UnorderedElementsAre(9, 11));
  EXPECT_THAT(lists_.take_useless(), IsEmpty());
}

TEST_F(KeptListsTest, AListThatMayBeOnItsWayIsToBeForgottenAgain) {
  for (const Inode directory : {7, 9}) sample(directory);
  look_up_some(7);
  EXPECT_THAT(lists_.take_useless(), ElementsAre(9));
  clock_.advance(seconds(2));
  EXPECT_THAT(lists_.take_useless(), ElementsAre(9));
  EXPECT_THAT(lists_.take_useless(), IsEmpty());
}

TEST_F(KeptListsTest, AListWithNothingToLeaveOutIsNoSample) {
  EXPECT_EQ(lists_.given(7, true), Described::sample);
  EXPECT_EQ(sample(9), Described::sample);
  EXPECT_EQ(sample(11), Described::none);
}

TEST_F(KeptListsTest, OneFileThatIsLookedUpAgainAndAgainIsOne) {
  sample(7);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(lists_.looked_up(7, 1000));
}

TEST_F(KeptListsTest, AListGivenAnewWithItsFilesIsKept) {
  for (const Inode directory : {7, 9, 11}) sample(directory);
  look_up_some(7);
  lists_.given(11, true);
  EXPECT_THAT(lists_.take_useless(), ElementsAre(9));
}

TEST_F(KeptListsTest, WhatIsKnownOfAListLastsAsLongAsTheLastOneGiven) {
  for (const Inode directory : {7, 9}) sample(directory);
  clock_.advance(seconds(50));
  lists_.given(9, true);
  clock_.advance(seconds(10));
  EXPECT_THAT(lists_.take_useless(), ElementsAre(7, 9));
  EXPECT_TRUE(look_up_some(9));
}

}  // namespace
}  // namespace skimfs::fs::shell
