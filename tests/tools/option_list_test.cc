// SPDX-License-Identifier: MIT
//
// The grammar of -o, and which words of fstab go where.
#include "fs/option_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace skimfs::fs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Options applied(std::string_view list) {
  Options options;
  EXPECT_THAT(apply_option_list(list, options), IsEmpty());
  return options;
}

TEST(OptionList, SplitsAtCommas) {
  EXPECT_THAT(split_option_list("memory=64M,ro,log=debug"),
              ElementsAre("memory=64M", "ro", "log=debug"));
}

TEST(OptionList, ABackslashKeepsACommaOrABackslash) {
  EXPECT_THAT(split_option_list(R"(base=http://h/a\,b/,ro)"),
              ElementsAre("base=http://h/a,b/", "ro"));
  EXPECT_THAT(split_option_list(R"(base=a\\,ro)"), ElementsAre(R"(base=a\)", "ro"));
  EXPECT_THAT(split_option_list(R"(base=a\\\,ro)"), ElementsAre(R"(base=a\,ro)"));
}

TEST(OptionList, AnyOtherBackslashStandsForItself) {
  EXPECT_THAT(split_option_list(R"(base=a\n,x\)"), ElementsAre(R"(base=a\n)", R"(x\)"));
}

// mount(8) leaves "nodev,,users" behind when it takes words out.
TEST(OptionList, EmptyItemsAreLeftOut) {
  EXPECT_THAT(split_option_list(",ro,,log=info,"), ElementsAre("ro", "log=info"));
  EXPECT_THAT(split_option_list(""), IsEmpty());
}

TEST(OptionList, AQuotedValueKeepsItsCommas) {
  EXPECT_THAT(split_option_list(R"(context="u:r:t:s0:c1,c2",ro)"),
              ElementsAre(R"(context="u:r:t:s0:c1,c2")", "ro"));
  EXPECT_THROW(split_option_list(R"(context="u:r)"), OptionError);
}

TEST(OptionList, EscapingAnythingAndSplittingGivesItBack) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string_view alphabet = R"(a,\=b)";
  for (int round = 0; round < 1000; ++round) {
    std::string item = "x", escaped = "x";
    for (int length = static_cast<int>(random() % 12); length > 0; --length) {
      const char byte = alphabet[random() % alphabet.size()];
      item += byte;
      if (byte == ',' || byte == '\\') escaped += '\\';
      escaped += byte;
    }
    EXPECT_THAT(split_option_list(escaped + "," + escaped), ElementsAre(item, item));
  }
}

class DroppedWord : public testing::TestWithParam<const char*> {};

TEST_P(DroppedWord, IsAcceptedAndChangesNothing) {
  const Options options = applied(GetParam());
  EXPECT_EQ(options.kernel_options, "");
}

INSTANTIATE_TEST_SUITE_P(Fstab, DroppedWord,
                         testing::Values("auto", "noauto", "user", "nouser", "users", "owner",
                                         "group", "_netdev", "nofail", "defaults", "rw", "dev",
                                         "suid", "relatime", "norelatime", "atime", "noatime",
                                         "diratime", "nodiratime", "sync", "async", "loop",
                                         "comment=anything", "x-systemd.automount",
                                         "x-systemd.idle-timeout=10min", "X-mount.mkdir",
                                         "user=ann"));

INSTANTIATE_TEST_SUITE_P(Forced, DroppedWord, testing::Values("ro", "nosuid", "nodev"));

class NotDroppedWord : public testing::TestWithParam<const char*> {};

TEST_P(NotDroppedWord, IsUnknown) {
  Options options;
  EXPECT_THROW(apply_option_list(GetParam(), options), OptionError);
}

INSTANTIATE_TEST_SUITE_P(NearMisses, NotDroppedWord,
                         testing::Values("automatic", "netdev", "comment", "xsystemd", "users2",
                                         "ro=1", "fsname=x", "subtype=y", "nonempty"));

TEST(OptionList, ExecAndContextsGoToTheKernelInOrder) {
  EXPECT_EQ(applied("noexec,memory=64M,exec").kernel_options, "noexec,exec");
  EXPECT_EQ(applied(R"(context=u:r:t,fscontext=a,defcontext=b,rootcontext=c)").kernel_options,
            "context=u:r:t,fscontext=a,defcontext=b,rootcontext=c");
}

TEST(OptionList, KernelOptionsSplitIntoWhatWasGiven) {
  const Options options = applied(R"(context="u:r:t:s0:c1,c2",noexec,fscontext=a\,b\\)");
  EXPECT_THAT(split_option_list(options.kernel_options),
              ElementsAre(R"(context="u:r:t:s0:c1,c2")", "noexec", R"(fscontext=a,b\)"));
}

TEST(OptionList, RemountIsRefusedWithWhatToDo) {
  Options options;
  EXPECT_THROW(apply_option_list("remount", options), RemountError);
  try {
    apply_option_list("ro,remount", options);
    FAIL();
  } catch (const RemountError& error) {
    EXPECT_STREQ(error.what(),
                 "remount: a running mount cannot be changed; unmount it, then mount again");
  }
}

TEST(OptionList, AnUnknownWordIsAnErrorUnlessSloppy) {
  Options options;
  EXPECT_THROW(apply_option_list("ro,memry=64M", options), OptionError);
  options.sloppy = true;
  EXPECT_THAT(apply_option_list("memry=64M,log=debug", options),
              ElementsAre("unknown option \"memry\"; did you mean \"memory\"? (ignored)"));
  EXPECT_EQ(options.log_level, log::Level::debug);
}

TEST(OptionList, SloppyForgivesNoBadValue) {
  Options options;
  options.sloppy = true;
  EXPECT_THROW(apply_option_list("memory=8M", options), OptionError);
}

TEST(OptionList, AValueMayHoldAnEqualsSign) {
  EXPECT_EQ(applied("base=https://h/?a=b").base, "https://h/?a=b");
}

TEST(OptionList, TheLastOfTwoWins) {
  EXPECT_EQ(applied("memory=64M,memory=32M").memory, 32u << 20);
}

}  // namespace
}  // namespace skimfs::fs
