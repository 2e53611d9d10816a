// SPDX-License-Identifier: MIT
//
// A tree as a file, which is mapped and read without parsing: opening one takes as long for ten
// million entries as for ten.
//
// The file is input, whoever wrote it: the header is checked here, the rest when it is read.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "fs/manifest/layout.h"
#include "fs/manifest/text_digest.h"

namespace skimfs::fs::manifest {

// What a compiled index says of the text it was made from.
struct Provenance {
  Digest text{};                      // SHA-256 of it
  Digest reading{};                   // of how it was read, see index_store.h
  std::string format;                 // as Loaded
  std::uint64_t errors = 0;           // as Loaded
  std::vector<std::string> examples;  // as Loaded
  std::vector<std::string> warnings;  // as Loaded
};

// Not an index, not of this build, or damaged.  what(): one clause.
struct IndexError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// `fd`: an empty file.  Writes once from front to back; the caller syncs and renames.  Throws
// std::system_error, and IndexError for a tree that is an index itself and turns out to be damaged.
void write_index(int fd, const Layout& tree, const Provenance& provenance);

struct Index {
  Layout tree;
  Provenance provenance;
};

// `fd`: a regular file; it may be closed afterwards.  Throws IndexError, std::system_error.
Index open_index(int fd);

// Does the file begin like one?  False too when it cannot be read.
bool is_index(int fd) noexcept;

// Reads all of it against its checks.  Throws IndexError.
void check_whole(const Layout& tree);

}  // namespace skimfs::fs::manifest
