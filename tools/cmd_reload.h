// SPDX-License-Identifier: MIT
//
// skimfs reload DIR: has a mount read its manifest again.
#pragma once

#include "tools/words.h"

namespace skimfs::tools {

// Result: one of Exit.  Throws UsageError.
int reload_command(Words words);

}  // namespace skimfs::tools
