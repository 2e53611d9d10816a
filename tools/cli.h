// SPDX-License-Identifier: MIT
//
// The words after "skimfs".
#pragma once

#include <string>
#include <vector>

#include "fs/options.h"
#include "tools/words.h"

namespace skimfs::tools {

// What "skimfs mount" and mount.skimfs were asked to do.
struct MountWords {
  fs::Options options;
  std::vector<std::string> warnings;  // one line each
  bool help = false, version = false;
  bool verbose = false;
  bool check_only = false;      // read the manifest, mount nothing
  std::string mount_namespace;  // a file to enter first, see setns(2); empty: none
};

// "SOURCE DIR [-f] [-v] [-o LIST]... [--NAME=VALUE]...".  Source and mountpoint are as written.
// Throws UsageError, fs::OptionError.
MountWords parse_mount(Words words);

// Synopsis, two examples, the six options used most, all others by group: at most 80 columns.
std::string help_text();

}  // namespace skimfs::tools
