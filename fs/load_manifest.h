// SPDX-License-Identifier: MIT
//
// The manifest as the options of a mount want it read: the mount and the commands that check
// without mounting come here, so that both accept the same files.
#pragma once

#include "fs/manifest/load.h"
#include "fs/options.h"

namespace skimfs::fs {

manifest::ReadOptions read_options(const Options& options);

// A large manifest is compiled and kept, or found compiled, as index= says.
// Throws manifest::ManifestError; with size_probe=refuse also for files without a size.
manifest::Loaded load_manifest(const Options& options);

}  // namespace skimfs::fs
