// SPDX-License-Identifier: MIT
//
// How the bytes of a file are verified, decided from what its manifest line states.
//
// Two ways: in units, of which no byte is served before all of the unit's were found right (the
// pieces of pieces=, or the whole file where it fits), or afterwards, where the file is too large
// to be one unit.  Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cache/names.h"
#include "fs/digest.h"
#include "fs/manifest/tree.h"

namespace skimfs::fs {

enum class Verify : std::uint8_t { automatic, strict, off };

struct VerifyPolicy {
  Verify mode = Verify::automatic;
  std::uint64_t whole_max = 32u << 20;  // bytes: a larger file is no unit
  std::uint64_t list_max = 32u << 20;   // bytes: a larger list cannot be compared with its digest
};

// A file cut into units of equal length; the last may be shorter.
struct Units {
  std::uint64_t length = 0;  // bytes; 0: there are none
  std::uint64_t size = 0;    // bytes of the file

  explicit operator bool() const noexcept { return length != 0; }
  cache::Extent at(std::uint64_t offset) const noexcept;     // the unit with this byte
  cache::Extent cover(cache::Extent bytes) const noexcept;   // the units with any of `bytes`
  cache::Extent within(cache::Extent bytes) const noexcept;  // the units wholly in `bytes`
};

struct Verification {
  enum class How : std::uint8_t { nothing, units, afterwards };

  // A file of raw digests, one for each unit.
  struct List {
    manifest::Content content;  // its place and, if stated, its own digest
    std::uint64_t size = 0;     // bytes
  };

  How how = How::nothing;
  Units units;  // with How::units
  Algorithm algorithm = Algorithm::sha256;
  std::vector<std::byte> digest;  // of the whole file; empty with a list
  std::optional<List> list;
  std::string refusal;  // why nobody may open the file; empty: they may
};

// `size`: of the file in bytes, not 0.  The strongest digest that can be computed here counts.
Verification plan_verification(const manifest::Content& content, std::uint64_t size,
                               const VerifyPolicy& policy);

}  // namespace skimfs::fs
