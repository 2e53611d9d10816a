// SPDX-License-Identifier: MIT
//
// The extended attributes of a file: where its bytes come from and how they fare.
//
// Pure.  Queries and credentials in URLs never show.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/range.h"
#include "fetch/result.h"
#include "fs/integrity.h"
#include "fs/manifest/tree.h"

namespace skimfs::fs {

struct XattrSource {
  const manifest::Content& content;
  fetch::Version version = {};   // of the first part, as known now
  std::uint64_t cached = 0;      // bytes in memory
  std::uint64_t size = 0;        // bytes
  std::string mirror = {};       // the URL that bytes last came from; empty: none yet
  std::string error = {};        // the last failure; empty: none
  Integrity::State verified = Integrity::State::no;
};

// The names listxattr(2) shows: what a copy may keep.
std::vector<std::string> xattr_names(const manifest::Content& content);

// Errors: ENODATA for a name under "user." that this file lacks, EOPNOTSUPP outside it.
fetch::Result<std::string> xattr(const XattrSource& source, std::string_view name);

}  // namespace skimfs::fs
