// SPDX-License-Identifier: MIT
//
// What the commands exit with.
#pragma once

namespace skimfs::tools {

// The mount family, as mount(8): bits that may be joined.
enum MountExit : int {
  kMounted = 0,
  kMountUsage = 1,     // wrong words, or not permitted
  kMountSystem = 2,    // out of memory, cannot fork
  kMountInternal = 4,  // a mistake of ours
                       // 8: interrupted by the user, told by fs/shell/daemonise
  kMountFailed = 32,
};

// All other commands.
enum Exit : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kNoDaemon = 3,  // no skimfs is running there
};

}  // namespace skimfs::tools
