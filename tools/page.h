// SPDX-License-Identifier: MIT
//
// What a command prints as its result.
#pragma once

#include <string>
#include <string_view>

namespace skimfs::tools {

// To standard output.  Result: kDone, or kFailed when it could not be written there.
int print(std::string_view text);

// The versions of skimfs and of the libraries that move the bytes.
std::string version_text();

}  // namespace skimfs::tools
