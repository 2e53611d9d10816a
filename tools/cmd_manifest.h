// SPDX-License-Identifier: MIT
//
// skimfs manifest check FILE... [--json]: the words; tools/manifest_cmd.h does the work.
#pragma once

#include "tools/words.h"

namespace skimfs::tools {

// Result: one of Exit.  Throws UsageError, fs::OptionError.
int manifest_command(Words words);

}  // namespace skimfs::tools
