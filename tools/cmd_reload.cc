// SPDX-License-Identifier: MIT
//
// skimfs reload.
#include "tools/cmd_reload.h"

#include <iostream>

#include "fs/control.h"
#include "tools/command_line.h"
#include "tools/exit_code.h"
#include "tools/page.h"

namespace skimfs::tools {

int reload_command(Words words) {
  std::string directory;
  bool help = false;
  CommandLine line;
  line.add_option("DIR", directory);
  line.add_flag("-h,--help", help);
  line.take(words);
  if (help) return print("Usage: skimfs reload DIR\n");
  if (directory.empty()) throw UsageError("reload: wanted DIR, found nothing");
  try {
    return print(fs::control::reload(directory) + "\n");
  } catch (const fs::control::Refused& error) {
    std::cerr << "skimfs: " << error.what() << '\n';
    return kFailed;
  } catch (const fs::control::NotServed& error) {
    std::cerr << "skimfs: " << error.what() << '\n';
    return kNoDaemon;
  }
}

}  // namespace skimfs::tools
