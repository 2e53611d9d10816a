// SPDX-License-Identifier: MIT
//
// See unit_digests.h.
#include "fs/unit_digests.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace skimfs::fs {

UnitDigests::UnitDigests(Algorithm algorithm, Units units, std::uint64_t first,
                         std::vector<std::byte> values)
    : algorithm_(algorithm), units_(units), first_(first), values_(std::move(values)) {}

bool UnitDigests::has(cache::Extent bytes) const noexcept {
  const std::uint64_t count = values_.size() / digest_size(algorithm_);
  return bytes.offset >= first_ &&
         bytes.end() <= std::min(units_.size, first_ + count * units_.length);
}

std::span<const std::byte> UnitDigests::of(const cache::Extent& unit) const noexcept {
  assert(has(unit) && (unit.offset - first_) % units_.length == 0);
  const std::size_t size = digest_size(algorithm_);
  return std::span(values_).subspan((unit.offset - first_) / units_.length * size, size);
}

UnitCheck::UnitCheck(std::shared_ptr<const UnitDigests> wanted)
    : wanted_(std::move(wanted)), hasher_(wanted_->algorithm()) {}

bool UnitCheck::right(const cache::Extent& unit) noexcept {
  return std::ranges::equal(hasher_.finish(), wanted_->of(unit));
}

}  // namespace skimfs::fs
