// SPDX-License-Identifier: MIT
//
// skimfs manifest check: reads manifests as a mount would, offline, and tells all that is wrong.
// skimfs manifest build: compiles one.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "fs/manifest/load.h"

namespace skimfs::tools {

struct ManifestCheck {
  std::vector<std::string> files;  // "-": standard input
  fs::manifest::ReadOptions read;  // as the mount's options; `report` is not used
  bool json = false;               // one object a line on `out` and nothing on `err`
};

// A summary of each file on `out`; errors and warnings on `err`.  0, or 1 if there was an error.
int manifest_check(const ManifestCheck& check, std::ostream& out, std::ostream& err);

struct ManifestBuild {
  std::string from;  // "-": standard input
  std::string to;
  fs::manifest::ReadOptions read;
};

// A summary on `out`; errors and warnings on `err`.  0, or 1 when nothing was written or entries
// were left out.
int manifest_build(const ManifestBuild& build, std::ostream& out, std::ostream& err);

}  // namespace skimfs::tools
