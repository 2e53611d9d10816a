// SPDX-License-Identifier: MIT
//
// Which other hosts a program that has come into a directory will need next.
//
// Pure.  Looks at some rows only: it is asked while a program waits.
#pragma once

#include <vector>

#include "fetch/range.h"
#include "fs/manifest/tree.h"

namespace skimfs::fs {

struct NextHost {
  manifest::Row row;     // the next file of that host; its size is known and not zero
  fetch::Object object;  // where its first byte is; nobody's profile
};

// Of the rows behind this file in its directory, the first of each host but its own, in order.
std::vector<NextHost> next_hosts(const manifest::Tree& tree, manifest::Row row);

}  // namespace skimfs::fs
