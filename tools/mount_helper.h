// SPDX-License-Identifier: MIT
//
// The words mount(8) gives to mount.skimfs, see mount(8) "EXTERNAL HELPERS".
#pragma once

#include <string_view>

#include "tools/cli.h"

namespace skimfs::tools {

// Was this program called as mount.skimfs or mount.fuse.skimfs?
bool is_mount_helper(std::string_view program) noexcept;

// "SOURCE DIR [-sfnv] [-N namespace] [-o list]... [-t type]", options before, between or after the
// operands.  SOURCE may be written "skimfs#X", the form of old fstab lines.
// Throws UsageError, fs::OptionError, fs::RemountError.
MountWords parse_mount_helper(Words words);

}  // namespace skimfs::tools
