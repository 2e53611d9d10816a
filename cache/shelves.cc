// SPDX-License-Identifier: MIT
//
// Grain arithmetic: bit g of a shelf's maps is its g-th grain.
#include "cache/shelves.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <tuple>

namespace skimfs::cache {
namespace {

static_assert(kBlock / kGrain == 64, "a shelf's maps have one bit per grain");

std::uint32_t grain_of(std::uint64_t offset) noexcept {
  return static_cast<std::uint32_t>(offset % kBlock / kGrain);
}

std::uint64_t from(std::uint32_t grain) noexcept { return ~std::uint64_t{0} << grain; }

// The grains an entry has; the last one may be cut by the end of the version.
std::uint64_t map_of(const Entry& entry) noexcept {
  const std::uint64_t grains = (entry.extent().length + kGrain - 1) / kGrain;
  return (~std::uint64_t{0} >> (64 - grains)) << grain_of(entry.extent().offset);
}

// Which of the blocks begins at, or last before, `grain`.
std::size_t index_of(std::uint64_t starts, std::uint32_t grain) noexcept {
  return static_cast<std::size_t>(std::popcount(starts << (63 - grain))) - 1;
}

}  // namespace

// At worst a block has a shelf to itself; an index node adds four pointers and two buckets.
static_assert(sizeof(Entry) + 24 + Shelves::kShelfBytes <= kBookkeeping);

Shelves::Part Shelves::first(VersionId version, Extent bytes) const {
  assert(!bytes.empty());
  const std::uint64_t place = bytes.offset / kBlock;
  const std::uint64_t bound = std::min((place + 1) * kBlock, bytes.end());
  const auto& index = shelves_.get<ByPlace>();
  const auto shelf = index.find(std::make_tuple(version, place));
  if (shelf == index.end()) return {nullptr, {bytes.offset, bound - bytes.offset}};

  const std::uint32_t grain = grain_of(bytes.offset);
  if ((shelf->taken >> grain & 1) != 0) {
    Entry* const entry = shelf->entries[index_of(shelf->starts, grain)];
    assert(entry->extent().end() > bytes.offset);  // nothing is asked past the end of a version
    return {entry, {bytes.offset, std::min(entry->extent().end(), bound) - bytes.offset}};
  }
  const std::uint64_t later = shelf->taken & from(grain);
  const std::uint64_t gap_end =
      later == 0 ? bound : place * kBlock + std::uint64_t{kGrain} * std::countr_zero(later);
  return {nullptr, {bytes.offset, std::min(gap_end, bound) - bytes.offset}};
}

void Shelves::insert(Entry& entry) {
  const std::uint64_t offset = entry.extent().offset;
  const std::uint64_t map = map_of(entry);
  auto& index = shelves_.get<ByPlace>();
  auto found = index.find(std::make_tuple(entry.version, offset / kBlock));
  if (found == index.end()) found = index.emplace(entry.version, offset / kBlock).first;
  const Shelf& shelf = *found;
  assert((shelf.taken & map) == 0);
  const std::uint64_t starts = shelf.starts | std::uint64_t{1} << grain_of(offset);
  shelf.entries.insert(shelf.entries.begin() + index_of(starts, grain_of(offset)), &entry);
  shelf.starts = starts;
  shelf.taken |= map;
}

void Shelves::erase(Entry& entry) noexcept {
  const std::uint64_t offset = entry.extent().offset;
  auto& index = shelves_.get<ByPlace>();
  const auto shelf = index.find(std::make_tuple(entry.version, offset / kBlock));
  assert(shelf != index.end());
  const auto at = shelf->entries.begin() + index_of(shelf->starts, grain_of(offset));
  assert(*at == &entry);
  shelf->entries.erase(at);
  shelf->starts &= ~(std::uint64_t{1} << grain_of(offset));
  shelf->taken &= ~map_of(entry);
  if (shelf->entries.empty()) index.erase(shelf);
}

std::vector<Entry*> Shelves::of(VersionId version) const {
  std::vector<Entry*> all;
  const auto [begin, end] = shelves_.get<ByVersion>().equal_range(version);
  for (auto shelf = begin; shelf != end; ++shelf) {
    all.insert(all.end(), shelf->entries.begin(), shelf->entries.end());
  }
  return all;
}

Entry* Shelves::any(VersionId version) const noexcept {
  const auto& index = shelves_.get<ByVersion>();
  const auto shelf = index.find(version);
  return shelf == index.end() ? nullptr : shelf->entries.front();
}

}  // namespace skimfs::cache
