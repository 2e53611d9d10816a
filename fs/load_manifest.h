// SPDX-License-Identifier: MIT
//
// The manifest as the options of a mount want it read: the mount and the commands that check
// without mounting come here, so that both accept the same files.
#pragma once

#include <stop_token>

#include "fs/manifest/load.h"
#include "fs/options.h"

namespace skimfs::fs {

manifest::ReadOptions read_options(const Options& options);

// A large manifest is compiled and kept, or found compiled, as index= says.
// Throws manifest::ManifestError; with size_probe=refuse also for files without a size, and once
// `stop` is requested.
manifest::Loaded load_manifest(const Options& options, std::stop_token stop = {});

}  // namespace skimfs::fs
