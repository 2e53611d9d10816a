// SPDX-License-Identifier: MIT
//
// skimfs status DIR [--json]: asks the mount's own process.
#pragma once

#include "tools/words.h"

namespace skimfs::tools {

// Result: one of Exit.  Throws UsageError, fs::OptionError.
int status_command(Words words);

}  // namespace skimfs::tools
