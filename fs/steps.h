// SPDX-License-Identifier: MIT
//
// Readers that go through a file in equal steps: backwards, or through one column of a table.
//
// Pure; one per open file, its caller serialises.  Where steps are equal the next ones are known;
// as many are worth having as were taken, so never more bytes than were read.
#pragma once

#include <cstdint>
#include <vector>

#include "cache/names.h"

namespace skimfs::fs {

class Steps {
 public:
  // A read began that continues no other.  `before`: bytes that the previous one came to with what
  // continued it.  Returns what will be read next, not named before, nearest first: inside a file
  // of `size`, at most `most` bytes ahead.
  std::vector<cache::Extent> on_step(cache::Extent bytes, std::uint64_t before, std::uint64_t size,
                                     std::uint64_t most);
  std::uint64_t start() const noexcept { return start_; }  // of the last one

 private:
  std::uint64_t start_ = 0;
  std::int64_t step_ = 0;
  std::uint64_t length_ = 0;   // the longest of the equal ones; 0: none came yet
  unsigned equal_ = 0;         // steps in a row
  std::uint64_t planned_ = 0;  // steps from start_ on that were named
};

}  // namespace skimfs::fs
