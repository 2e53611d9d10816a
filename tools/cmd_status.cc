// SPDX-License-Identifier: MIT
//
// skimfs status.
#include "tools/cmd_status.h"

#include <iostream>

#include "fs/control.h"
#include "tools/command_line.h"
#include "tools/exit_code.h"
#include "tools/page.h"

namespace skimfs::tools {

int status_command(Words words) {
  std::string directory;
  bool json = false, help = false;
  CommandLine line;
  line.add_option("DIR", directory);
  line.add_flag("--json", json);
  line.add_flag("-h,--help", help);
  line.take(words);
  if (help) return print("Usage: skimfs status DIR [--json]\n");
  if (directory.empty()) throw UsageError("status: wanted DIR, found nothing");
  try {
    return print(fs::control::ask(directory, json ? "status --json" : "status"));
  } catch (const fs::control::NotServed& error) {
    std::cerr << "skimfs: " << error.what() << '\n';
    return kNoDaemon;
  }
}

}  // namespace skimfs::tools
