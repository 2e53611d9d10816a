// SPDX-License-Identifier: MIT
//
// Reads a manifest, whatever its format, into a tree, or opens a compiled one.
//
// Bounded memory apart from the tree, and no memory to speak of for a compiled one.  Any thread;
// nothing is shared.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "fs/manifest/error.h"
#include "fs/manifest/tree.h"

namespace skimfs::fs::manifest {

enum class OnBadEntry { fail, skip };

struct ReadOptions {
  std::string format;      // "skimfs", "urls"; empty: by the first line
  std::string base;        // for relative references before any @base
  unsigned strip = 0;      // names dropped from each path of a list of URLs
  bool raw_names = false;  // names need not be UTF-8
  OnBadEntry on_bad_entry = OnBadEntry::fail;
  // If set, every error comes here instead, and reading goes on as far as it can.
  std::function<void(const ManifestError&)> report;
  std::stop_token stop;  // once requested, reading ends with an error
};

struct Loaded {
  std::shared_ptr<const Tree> tree;
  std::string format;                 // as read
  std::uint64_t errors = 0;           // entries skipped; with `report`, errors of all kinds
  std::vector<std::string> examples;  // what() of the first of them
  std::vector<std::string> warnings;  // without the file; nothing depends on them
  std::string kept_index;             // what the tree is mapped from, when load_kept() keeps it
};

// The warning of a manifest in the native format without @end.
inline constexpr std::string_view kNoEnd =
    "no @end: a file cut short between lines would not show";

// Would it show if its text had been cut short?
bool shows_its_end(const Loaded& loaded);

// `path`: a regular file, a FIFO, or "-" for standard input.  Throws ManifestError.  With `report`,
// all of a compiled manifest is held against its checks.
Loaded load(const std::string& path, const ReadOptions& options);

// The same from memory; `name` stands for the file in messages.
Loaded load_text(std::string_view text, std::string_view name, const ReadOptions& options);

}  // namespace skimfs::fs::manifest
