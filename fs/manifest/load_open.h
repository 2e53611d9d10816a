// SPDX-License-Identifier: MIT
//
// Loading what has been opened: a text, or a compiled manifest.
#pragma once

#include "fs/manifest/index_file.h"
#include "fs/manifest/load.h"
#include "fs/manifest/text_file.h"

namespace skimfs::fs::manifest {

Loaded loaded_from(Index index);

// As load().  `file`: at its beginning.
Loaded load_open(const TextFile& file, const ReadOptions& options);

}  // namespace skimfs::fs::manifest
