// SPDX-License-Identifier: MIT
//
// Why there is no mount.
#pragma once

#include <stdexcept>
#include <string>

namespace skimfs::fs::shell {

// Exit codes of mount(8).
inline constexpr int kUsageOrPermission = 1;
inline constexpr int kSystemError = 2;
inline constexpr int kInterrupted = 8;
inline constexpr int kMountFailed = 32;

// what(): one line without the program's name: what was wanted, what was found, what to do.
struct MountError : std::runtime_error {
  MountError(int exit_code, const std::string& line) : std::runtime_error(line), code(exit_code) {}
  int code;
};

}  // namespace skimfs::fs::shell
