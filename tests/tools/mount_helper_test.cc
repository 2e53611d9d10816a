// SPDX-License-Identifier: MIT
//
// The words mount(8) gives its helpers, as util-linux 2.38 really orders them.
#include "tools/mount_helper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fs/option_list.h"
#include "tests/tools/words.h"

namespace skimfs::tools {
namespace {

MountWords parsed(const std::vector<std::string>& words) { return parse_mount_helper(words); }
std::string refused(const std::vector<std::string>& words) {
  return test::complaint(parse_mount_helper, words);
}

TEST(MountHelper, IsKnownByItsName) {
  EXPECT_TRUE(is_mount_helper("/sbin/mount.skimfs"));
  EXPECT_TRUE(is_mount_helper("mount.skimfs"));
  EXPECT_TRUE(is_mount_helper("/usr/sbin/mount.fuse.skimfs"));
  EXPECT_FALSE(is_mount_helper("/usr/bin/skimfs"));
  EXPECT_FALSE(is_mount_helper("/home/mount.skimfs/skimfs"));
}

// mount -t skimfs /m /d
TEST(MountHelper, TakesWhatAPlainMountPasses) {
  const MountWords result = parsed({"/m", "/d", "-o", "rw"});
  EXPECT_EQ(result.options.source, "/m");
  EXPECT_EQ(result.options.mountpoint, "/d");
}

// mount -t skimfs /m /d -o ro,_netdev,nofail,noauto,user,x-systemd.automount,comment=foo,memory=32M
TEST(MountHelper, TakesWhatAnFstabLineBecomes) {
  const MountWords result =
      parsed({"/m", "/d", "-o", "ro,noexec,nosuid,nodev,memory=32M,_netdev,nofail,user"});
  EXPECT_EQ(result.options.memory, 32u << 20);
  EXPECT_EQ(result.options.kernel_options, "noexec");
}

// mount -v -n -s -f -t fuse.skimfs.sub /m /d
TEST(MountHelper, TakesTheFlagsOfMountAsSeparateWords) {
  const MountWords result = parsed({"/m", "/d", "-s", "-f", "-n", "-v", "-o", "rw", "-t", "sub"});
  EXPECT_TRUE(result.options.sloppy);
  EXPECT_TRUE(result.check_only);
  EXPECT_TRUE(result.verbose);
  EXPECT_FALSE(result.options.foreground);
}

TEST(MountHelper, TakesWordsInAnyOrderAndJoined) {
  for (const auto& words : {std::vector<std::string>{"-sfo", "memory=32M", "/m", "/d"},
                            {"-omemory=32M", "/m", "-sf", "/d"},
                            {"/m", "-s", "/d", "-fomemory=32M"},
                            {"-s", "-f", "-o", "memory=32M", "--", "/m", "/d"}}) {
    const MountWords result = parsed(words);
    EXPECT_EQ(result.options.source, "/m");
    EXPECT_EQ(result.options.mountpoint, "/d");
    EXPECT_EQ(result.options.memory, 32u << 20);
    EXPECT_TRUE(result.options.sloppy && result.check_only);
  }
}

// mount -N NS: libmount opens it and passes /proc/PID/fd/N.
TEST(MountHelper, TakesANamespace) {
  EXPECT_EQ(parsed({"/m", "/d", "-N", "/proc/7/fd/3", "-o", "rw"}).mount_namespace, "/proc/7/fd/3");
}

TEST(MountHelper, SloppinessCountsWhereverItStands) {
  const MountWords result = parsed({"/m", "/d", "-o", "unheard_of=1", "-s"});
  EXPECT_THAT(result.warnings, testing::ElementsAre("unknown option \"unheard_of\"; skimfs --help "
                                                    "lists them (ignored)"));
  EXPECT_THROW(parsed({"/m", "/d", "-o", "unheard_of=1"}), fs::OptionError);
}

TEST(MountHelper, TakesTheOldFormOfASource) {
  EXPECT_EQ(parsed({"skimfs#/m", "/d"}).options.source, "/m");
}

// systemd and mount(8) run helpers in a directory of their own.
TEST(MountHelper, RefusesARelativeSource) {
  for (const std::string source : {"m.skimfs", "./m", "skimfs#m", "-"}) {
    EXPECT_THROW(parsed({source, "/d"}), fs::OptionError) << source;
  }
  EXPECT_EQ(refused({"m.skimfs", "/d"}),
            "source \"m.skimfs\" is relative; mount(8) and fstab need an absolute path");
}

TEST(MountHelper, WantsExactlyTwoOperands) {
  EXPECT_EQ(refused({}), "wanted SOURCE and DIR, found 0 operands");
  EXPECT_EQ(refused({"/m"}), "wanted SOURCE and DIR, found 1 operands");
  EXPECT_EQ(refused({"/m", "/d", "/e"}), "wanted SOURCE and DIR, found 3 operands");
}

TEST(MountHelper, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(refused({"/m", "/d", "-x"}), "unknown option -x");
  EXPECT_EQ(refused({"/m", "/d", "-o"}), "-o needs an argument");
  EXPECT_THROW(parsed({"/m", "/d", "-o", "remount,ro"}), fs::RemountError);
}

TEST(MountHelper, HelpAndVersionNeedNoOperands) {
  EXPECT_TRUE(parsed({"-h"}).help);
  EXPECT_TRUE(parsed({"-V"}).version);
}

}  // namespace
}  // namespace skimfs::tools
