// SPDX-License-Identifier: MIT
//
// fusermount3(1), which mounts and unmounts for users who may not.
//
// Any thread.  Nothing of ours is inherited but what is named here.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace skimfs::fs::shell {

struct HelperResult {
  bool ran = false;  // false: there is no such program
  int exit_code = 0;
  std::string complaint;  // the last line it wrote to standard error
  int device = -1;        // the descriptor it sent, now the caller's; -1: none
};

// fusermount3 -o OPTIONS -- DIRECTORY; sends the open /dev/fuse back.  Throws std::system_error.
HelperResult helper_mount(const std::string& options, const std::string& directory);

enum class Unmount { if_idle, lazily };

// fusermount3 -u [-z] -- DIRECTORY.  Throws std::system_error.
HelperResult helper_unmount(const std::string& directory, Unmount how = Unmount::lazily);

}  // namespace skimfs::fs::shell
