// SPDX-License-Identifier: MIT
//
// What stat(2) and statfs(2) show.
#include "fs/shell/look.h"

#include <gtest/gtest.h>

namespace skimfs::fs::shell {
namespace {

Attributes file_of(std::uint64_t size) {
  Attributes attributes;
  attributes.inode = 7;
  attributes.size = size;
  attributes.mtime = {1'700'000'000, 5};
  return attributes;
}

TEST(Look, BlocksAreTheSizeRoundedUpSoThatCpSeesNoHoles) {
  EXPECT_EQ(to_stat(file_of(0), {}).st_blocks, 0);
  EXPECT_EQ(to_stat(file_of(1), {}).st_blocks, 1);
  EXPECT_EQ(to_stat(file_of(512), {}).st_blocks, 1);
  EXPECT_EQ(to_stat(file_of(513), {}).st_blocks, 2);
}

TEST(Look, AFileIsWhatTheTreeSaysOfIt) {
  const struct stat stat = to_stat(file_of(1000), {});
  EXPECT_EQ(stat.st_ino, 7u);
  EXPECT_EQ(stat.st_mode, mode_t{S_IFREG | 0444});
  EXPECT_EQ(stat.st_nlink, 1u);
  EXPECT_EQ(stat.st_size, 1000);
  EXPECT_EQ(stat.st_mtim.tv_sec, 1'700'000'000);
  EXPECT_EQ(stat.st_mtim.tv_nsec, 5);
}

// readdir(3) asks for so much at once.
TEST(Look, ADirectorysBlockSizeIsWhatItsListTakesWithinLimits) {
  Attributes directory;
  directory.kind = manifest::Kind::directory;
  EXPECT_EQ(to_stat(directory, {}).st_blksize, 4096);
  directory.names = 186;
  EXPECT_EQ(to_stat(directory, {}).st_blksize, 32 << 10);
  directory.names = 1000;
  EXPECT_EQ(to_stat(directory, {}).st_blksize, 256 << 10);
  directory.names = 10'000'000;
  EXPECT_EQ(to_stat(directory, {}).st_blksize, 256 << 10);
}

TEST(Look, MasksTakePermissionsAwayFromFilesAndDirectoriesAlone) {
  const Look look{1, 2, 0077, 0227};
  Attributes attributes = file_of(1);
  attributes.permissions = 0555;
  EXPECT_EQ(to_stat(attributes, look).st_mode, mode_t{S_IFREG | 0500});
  attributes.kind = manifest::Kind::directory;
  EXPECT_EQ(to_stat(attributes, look).st_mode, mode_t{S_IFDIR | 0550});
  EXPECT_EQ(to_stat(attributes, look).st_nlink, 2u);
  attributes.kind = manifest::Kind::link;
  EXPECT_EQ(to_stat(attributes, look).st_mode, mode_t{S_IFLNK | 0777});
  EXPECT_EQ(to_stat(attributes, look).st_uid, 1u);
  EXPECT_EQ(to_stat(attributes, look).st_gid, 2u);
}

TEST(Look, FmaskAndDmaskStandBeforeUmask) {
  Options options;
  options.umask = 0077;
  options.dmask = 0022;
  options.uid = 33;
  const Look look = Look::of(options);
  EXPECT_EQ(look.file_mask, 0077u);
  EXPECT_EQ(look.directory_mask, 0022u);
  EXPECT_EQ(look.uid, 33u);
}

TEST(Look, TheFileSystemIsFull) {
  const struct statvfs space = to_statvfs({4097, 3});
  EXPECT_EQ(space.f_frsize, 4096u);
  EXPECT_EQ(space.f_blocks, 2u);
  EXPECT_EQ(space.f_bavail, 0u);
  EXPECT_EQ(space.f_files, 3u);
  EXPECT_EQ(space.f_namemax, 255u);
}

}  // namespace
}  // namespace skimfs::fs::shell
