// SPDX-License-Identifier: MIT
//
// skimfs umount [-z] DIR: by umount(2) as root, by fusermount3 as a user.
#pragma once

#include "tools/words.h"

namespace skimfs::tools {

// Result: one of MountExit, as umount(8).  Throws UsageError, fs::OptionError, std::system_error.
int umount_command(Words words);

}  // namespace skimfs::tools
