// SPDX-License-Identifier: MIT
//
// How many of a file's first bytes are asked for together with its size.
//
// A program that looks at a file will read it, or will not (`ls -l`, `find -size`): nothing but
// what was done with other files tells.  So bytes are asked for on account.  A few times are free;
// each beginning that is read pays for two more.  Where less than half of the files are read the
// account runs dry, and then one byte is asked for.  Of beginnings that nobody reads there are
// never more than kMost, and two for each that is read.  Pure; the caller serialises its calls.
#pragma once

#include <cstdint>

namespace skimfs::fs {

class ProbeWidth {
 public:
  // Little more than a server may send before it has heard anything (ten segments, RFC 6928).
  // Whole grains of the cache.  Both compared with others: tests/bench/EXPERIMENTS.md.
  static constexpr std::uint64_t kNarrow = 16 * 1024;
  static constexpr std::uint64_t kWidest = 64 * 1024;  // most small files, in a flight or two more
  static constexpr unsigned kFree = 4;
  static constexpr unsigned kMost = 16;
  static constexpr unsigned kPaid = 2;

  // For the next file, in bytes; takes it off the account.  1: for nothing but the size.
  std::uint64_t next() noexcept;
  // A beginning was read of a file whose size had been asked for; it may have come with the answer
  // or not.
  void was_read() noexcept;

 private:
  unsigned account_ = kFree;
};

}  // namespace skimfs::fs
