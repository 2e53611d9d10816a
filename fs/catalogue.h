// SPDX-License-Identifier: MIT
//
// The names that a mount shows at one time: a tree, and for each of its rows the number by which
// its file is known as long as the mount lasts.
//
// Immutable; any thread.  A number never comes back for another file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "fs/manifest/tree.h"

namespace skimfs::fs {

// Below kNumbers; the root's is 0.
using FileNumber = std::uint64_t;
inline constexpr FileNumber kNumbers = (FileNumber{1} << 40) - 1;

class Catalogue {
 public:
  // A directory's mtime, where the manifest states none, is when its list last changed.
  using ListTimes = std::unordered_map<FileNumber, manifest::Time>;

  // The first of a mount: each row is its own number.  `undated`: the mtime of what nobody dates.
  Catalogue(std::shared_ptr<const manifest::Tree> tree, manifest::Time undated);
  // The one after `before`.  `numbers`: of each row, those that are new from before.next_number()
  // on.
  Catalogue(const Catalogue& before, std::shared_ptr<const manifest::Tree> tree,
            manifest::Time undated, std::vector<FileNumber> numbers, ListTimes lists);

  const manifest::Tree& tree() const noexcept { return *tree_; }
  const std::shared_ptr<const manifest::Tree>& share_tree() const noexcept { return tree_; }
  std::uint32_t epoch() const noexcept { return epoch_; }  // how many came before it
  FileNumber next_number() const noexcept { return next_; }
  const ListTimes& list_times() const noexcept { return lists_; }

  FileNumber number(manifest::Row row) const noexcept {
    return numbers_.empty() ? row : numbers_[row];
  }
  // Empty: no name leads to it.
  std::optional<manifest::Row> row(FileNumber number) const noexcept;
  std::uint64_t memory() const noexcept;  // bytes
  // The mtime of a file for which neither manifest nor server has one.
  manifest::Time undated(FileNumber number) const;

 private:
  struct Era {  // what came with one manifest
    FileNumber first;
    manifest::Time undated;
  };

  bool is_past(const Era& era) const;

  const std::shared_ptr<const manifest::Tree> tree_;
  const std::uint32_t epoch_ = 0;
  FileNumber next_ = 0;
  std::vector<Era> eras_;              // ascending, the first from 0 on
  std::vector<FileNumber> numbers_;    // by row; empty: each row is its own
  std::vector<manifest::Row> sorted_;  // rows by number; empty as numbers_ is
  const ListTimes lists_;
};

}  // namespace skimfs::fs
