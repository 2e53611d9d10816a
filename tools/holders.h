// SPDX-License-Identifier: MIT
//
// Who keeps a mount busy, as the kernel's own tables tell it.
//
// The mount itself is never touched: it may be hung.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace skimfs::tools {

// One entry each, e.g. "bash (pid 1234, current directory)", "loop0 (image /data/a.img)",
// "the mount /data/sub".  `directory`: as in the mount table.  Processes of other users are only
// seen by root.
std::vector<std::string> holders_of(std::string_view directory);

}  // namespace skimfs::tools
