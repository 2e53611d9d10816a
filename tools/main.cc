// SPDX-License-Identifier: MIT
//
// skimfs, and mount.skimfs by another name.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <exception>
#include <filesystem>
#include <iostream>

#include "tools/cli.h"
#include "tools/cmd_manifest.h"
#include "tools/cmd_mount.h"
#include "tools/cmd_reload.h"
#include "tools/cmd_status.h"
#include "tools/cmd_umount.h"
#include "tools/exit_code.h"
#include "tools/mount_helper.h"

namespace skimfs::tools {
namespace {

struct Command {
  std::string_view name;
  int (*run)(Words);
  int usage_code;  // for words nobody can mean
};

int mount_by_name(Words words) { return mount_command(words, parse_mount); }

constexpr std::array<Command, 5> kCommands{{{"mount", mount_by_name, kMountUsage},
                                            {"umount", umount_command, kMountUsage},
                                            {"reload", reload_command, kUsage},
                                            {"status", status_command, kUsage},
                                            {"manifest", manifest_command, kUsage}}};

int run(const Command& command, Words words) {
  try {
    return command.run(words);
  } catch (const UsageError& error) {
    std::cerr << "skimfs: " << error.what() << "; skimfs --help tells how\n";
    return command.usage_code;
  } catch (const fs::OptionError& error) {
    std::cerr << "skimfs: " << error.what() << '\n';
    return command.usage_code;
  } catch (const std::exception& error) {
    std::cerr << "skimfs: " << command.name << ": " << error.what() << '\n';
    return kFailed;
  }
}

// "skimfs SOURCE DIR"; a source named "status" is "./status".
int mount_without_name(Words words) {
  const bool is_word = !words.empty() && words[0].find_first_of("-/.") == std::string::npos;
  std::error_code unknown;
  if (is_word && !std::filesystem::exists(words[0], unknown) && !unknown)
    throw UsageError('"' + words[0] + "\" is neither a command nor a manifest");
  return mount_by_name(words);
}

int run_skimfs(Words words) {
  for (const Command& command : kCommands) {
    if (!words.empty() && words[0] == command.name) return run(command, words.subspan(1));
  }
  return run({"mount", mount_without_name, kMountUsage}, words);
}

// What all that follows relies on, whoever started us.
bool mend_inheritance() noexcept {
  std::signal(SIGCHLD, SIG_DFL);  // else the kernel keeps no exit codes
  // The next file opened would be taken for a stream that is closed.  The wrong way round, so that
  // the stream fails as before.
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    const int mode = stream == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (fcntl(stream, F_GETFD) < 0 && open("/dev/null", mode) != stream) return false;
  }
  return true;
}

}  // namespace
}  // namespace skimfs::tools

int main(int count, char* arguments[]) {
  using namespace skimfs::tools;
  if (!mend_inheritance()) {
    std::cerr << "skimfs: a standard stream is closed, and /dev/null cannot be opened\n";
    return kMountSystem;
  }
  const std::vector<std::string> words(arguments + (count > 0 ? 1 : 0), arguments + count);
  if (count > 0 && is_mount_helper(arguments[0])) return mount_command(words, parse_mount_helper);
  return run_skimfs(words);
}
