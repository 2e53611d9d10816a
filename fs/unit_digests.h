// SPDX-License-Identifier: MIT
//
// The digests some units of a file must have, and the check of bytes that pass by against them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cache/names.h"
#include "fs/digest.h"
#include "fs/verification.h"

namespace skimfs::fs {

// Immutable; any thread.
class UnitDigests {
 public:
  // `values`: the raw digests of the units from the one that begins at `first` on.
  UnitDigests(Algorithm algorithm, Units units, std::uint64_t first, std::vector<std::byte> values);

  Algorithm algorithm() const noexcept { return algorithm_; }
  const Units& units() const noexcept { return units_; }
  bool has(cache::Extent bytes) const noexcept;                             // of whole units
  std::span<const std::byte> of(const cache::Extent& unit) const noexcept;  // one that it has

 private:
  const Algorithm algorithm_;
  const Units units_;
  const std::uint64_t first_;  // byte in the file
  const std::vector<std::byte> values_;
};

// Takes the bytes of one unit, in order, and says at its end whether it is right.  One thread.
class UnitCheck {
 public:
  explicit UnitCheck(std::shared_ptr<const UnitDigests> wanted);

  void add(std::span<const std::byte> bytes) noexcept { hasher_.add(bytes); }
  bool right(const cache::Extent& unit) noexcept;  // then begins the next
  void restart() noexcept { hasher_.restart(); }

 private:
  const std::shared_ptr<const UnitDigests> wanted_;
  Hasher hasher_;
};

}  // namespace skimfs::fs
