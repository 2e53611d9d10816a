// SPDX-License-Identifier: MIT
//
// A mount namespace of a test's own.
#pragma once

#include <sched.h>
#include <sys/mount.h>

#include "fs/mount_table.h"

namespace skimfs::test {

// What the calling process mounts from now on nobody else sees.  FUSE mounts that it saw before it
// sees no more: a mount lives, and its daemon with it, as long as any namespace has it, and others
// that unmount theirs must not wait for the end of a test.  Throws std::system_error.
inline bool have_private_mounts() {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return false;
  for (const fs::MountRow& row : fs::read_mount_table())
    if (row.type == "fuse" || row.type.starts_with("fuse."))
      ::umount2(row.directory.c_str(), MNT_DETACH);
  return true;
}

}  // namespace skimfs::test
