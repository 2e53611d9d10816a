// SPDX-License-Identifier: MIT
//
// Mounting: in the foreground, or in the background once the mount answers.
#pragma once

#include "tools/cli.h"

namespace skimfs::tools {

// `parse`: parse_mount or parse_mount_helper.  Result: the exit code, one of MountExit; what there
// is to say has been printed.
int mount_command(Words words, MountWords (*parse)(Words));

}  // namespace skimfs::tools
