// SPDX-License-Identifier: MIT
//
// A set of bytes of one file, kept as few runs.
//
// Bounded: where there would be more runs than kMost it forgets the shortest.  So it may not know
// what it was told, but never says what it was not.  Guarded by its owner.
#pragma once

#include <cstddef>
#include <vector>

#include "cache/names.h"

namespace skimfs::fs {

class Ranges {
 public:
  static constexpr std::size_t kMost = 64;

  void add(cache::Extent bytes);  // joins what touches
  void remove(cache::Extent bytes);
  void clear() noexcept { runs_.clear(); }

  bool empty() const noexcept { return runs_.empty(); }
  bool covers(cache::Extent bytes) const noexcept;   // all of them
  bool touches(cache::Extent bytes) const noexcept;  // any of them
  // From `offset` on, as far as every byte is in the set; empty when that one is not.
  cache::Extent from(std::uint64_t offset) const noexcept;

 private:
  void bound();

  std::vector<cache::Extent> runs_;  // ascending, apart from each other
};

}  // namespace skimfs::fs
