// SPDX-License-Identifier: MIT
//
// Compiled manifests: made because somebody asked, or kept so that the next mount need not read the
// text.
//
// Compiling takes memory for a window of the tree while paths ascend, and room on the disk for two
// of it.  One thread.
#pragma once

#include <cstdint>
#include <string>

#include "fs/manifest/load.h"

namespace skimfs::fs::manifest {

// Reads the manifest at `from`, as load(), and writes it compiled to `to`, whole or not at all.
// Refuses to replace what is no compiled manifest.  Throws ManifestError.
Loaded compile(const std::string& from, const std::string& to, const ReadOptions& options);

struct Keeping {
  std::string directory;  // absolute, see index_store.h
  // Bytes: a smaller text is read as quickly as its index is found.
  std::uint64_t least_text = 4 * 1024 * 1024;
};

// load(), by way of the index kept of a large text.  Where none can be kept it is load() and a
// warning.  Throws ManifestError.
Loaded load_kept(const std::string& path, const ReadOptions& options, const Keeping& keeping);

}  // namespace skimfs::fs::manifest
