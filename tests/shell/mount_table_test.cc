// SPDX-License-Identifier: MIT
//
// The kernel's mount table, as text.
#include "fs/mount_table.h"

#include <gtest/gtest.h>

namespace skimfs::fs {
namespace {

constexpr std::string_view kTable =
    "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
    "40 27 0:38 / /data/set rw,relatime shared:9 - autofs systemd-1 rw,fd=42,pgrp=1\n"
    "41 40 0:39 / /data/set ro,nosuid - fuse.skimfs /etc/a\\040b.skimfs "
    "ro,user_id=1000,group_id=5\n"
    "42 27 0:40 / /wait rw shared:3 - autofs systemd-1 rw,fd=43\n"
    "43 27 0:41 / /with\\040space rw,relatime shared:2 master:1 - tmpfs tmpfs rw\n";

TEST(MountTable, ARowIsReadWithItsEscapes) {
  const auto row = topmost_at(parse_mount_table(kTable), "/data/set");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->type, kMountType);
  EXPECT_EQ(row->device, "0:39");
  EXPECT_EQ(row->source, "/etc/a b.skimfs");
  EXPECT_EQ(row->user, uid_t{1000});
}

TEST(MountTable, AnAutomountThatWaitsForUsIsNoMount) {
  EXPECT_FALSE(topmost_at(parse_mount_table(kTable), "/wait"));
}

TEST(MountTable, AnyNumberOfTagsMayStandBeforeTheDash) {
  const auto row = topmost_at(parse_mount_table(kTable), "/with space");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->type, "tmpfs");
  EXPECT_FALSE(row->user);
}

TEST(MountTable, TheLastMountCoversTheOthers) {
  const auto table =
      parse_mount_table("1 0 0:1 / /m rw - tmpfs below rw\n2 1 0:2 / /m rw - tmpfs above rw\n");
  EXPECT_EQ(topmost_at(table, "/m")->source, "above");
}

TEST(MountTable, AMountIsFoundWhereverItsDirectoryWasMoved) {
  const MountRow ours = parse_mount_table("7 1 0:5 / /a/m ro - fuse.skimfs s ro\n").front();
  const auto found = same_mount(ours, parse_mount_table("8 1 0:5 / /a/m ro - fuse.skimfs s ro\n"
                                                        "7 1 0:5 / /b/m ro - fuse.skimfs s ro\n"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->directory, "/b/m");
}

// The next mount may get both of its numbers.
TEST(MountTable, AMountThatIsGoneIsNotFoundInAnother) {
  const MountRow ours = parse_mount_table("7 1 0:5 / /m ro - fuse.skimfs s ro\n").front();
  EXPECT_FALSE(same_mount(ours, {}));
  for (const char* other :
       {"7 1 0:6 / /m ro - fuse.skimfs s ro\n", "7 1 0:5 / /m ro - fuse.skimfs next ro\n",
        "7 1 0:5 / /m ro - fuse.sshfs s ro\n", "8 1 0:5 / /m ro - fuse.skimfs s ro\n"})
    EXPECT_FALSE(same_mount(ours, parse_mount_table(other))) << other;
}

TEST(MountTable, LinesOfAnotherShapeAreSkipped) {
  EXPECT_TRUE(parse_mount_table("").empty());
  EXPECT_TRUE(parse_mount_table("\n\nnonsense\n1 2 3 4 5 6\n1 2 3 4 5 6 - tmpfs\n").empty());
}

TEST(MountTable, TheRunningSystemHasARoot) { EXPECT_TRUE(topmost_at(read_mount_table(), "/")); }

}  // namespace
}  // namespace skimfs::fs
