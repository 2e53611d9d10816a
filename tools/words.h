// SPDX-License-Identifier: MIT
//
// The words that follow a command's name.
#pragma once

#include <span>
#include <stdexcept>
#include <string>

namespace skimfs::tools {

using Words = std::span<const std::string>;

// A command line nobody can mean.  what(): one line.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace skimfs::tools
