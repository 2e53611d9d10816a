// SPDX-License-Identifier: MIT
//
// How a file looks to stat(2): what the tree says, seen through the mount's options.
//
// Pure; any thread.
#pragma once

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "fs/answer.h"
#include "fs/filesystem.h"
#include "fs/options.h"

namespace skimfs::fs::shell {

inline constexpr std::size_t kLongestName = 255;  // bytes; the kernel would take longer ones

struct Look {
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t file_mask = 0222;       // permission bits taken away
  mode_t directory_mask = 0222;  // likewise

  // Without uid= or gid= all belongs to the process.
  static Look of(const Options& options);
};

// st_blocks is the size rounded up to 512 bytes: with 0, du says 0 and cp looks for holes.
struct stat to_stat(const Attributes& attributes, const Look& look) noexcept;

// Directory entries need no more than an inode and a type.
struct stat to_entry_stat(Inode inode, manifest::Kind kind) noexcept;

// A full, read-only file system, like a mounted image: nothing is free.
struct statvfs to_statvfs(const SpaceTotals& totals) noexcept;

}  // namespace skimfs::fs::shell
