// SPDX-License-Identifier: MIT
//
// What a command prints as its result.
#include "tools/page.h"

#include <iostream>

#include "fetch/fetcher.h"
#include "fs/shell/mount.h"
#include "tools/exit_code.h"

namespace skimfs::tools {

int print(std::string_view text) {
  std::cout << text << std::flush;
  if (std::cout) return kDone;
  std::cerr << "skimfs: cannot write to standard output\n";
  return kFailed;
}

std::string version_text() {
  return "skimfs " SKIMFS_VERSION "\nlibfuse " + fs::shell::fuse_version() + "\nlibcurl " +
         fetch::transport_version() + "\n";
}

}  // namespace skimfs::tools
