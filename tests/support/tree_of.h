// SPDX-License-Identifier: MIT
//
// A tree from the lines of a manifest, without its first line.
#pragma once

#include <memory>
#include <string>

#include "fs/manifest/load.h"

namespace skimfs::test {

inline std::shared_ptr<const fs::manifest::Tree> tree_of(const std::string& entries) {
  return fs::manifest::load_text("#skimfs 1\n" + entries, "test", {}).tree;
}

}  // namespace skimfs::test
