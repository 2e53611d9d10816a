// SPDX-License-Identifier: MIT
//
// A command line as a program gets it.
#pragma once

#include <string>
#include <vector>

#include "tools/cli.h"

namespace skimfs::test {

// What stops a parse, or "accepted".
template <class Parse>
std::string complaint(Parse parse, const std::vector<std::string>& words) {
  try {
    parse(words);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace skimfs::test
