// SPDX-License-Identifier: MIT
//
// See beginnings.h.
#include "fs/beginnings.h"

#include <algorithm>
#include <utility>

#include "fs/piece_list.h"

namespace skimfs::fs {

using cache::BlockCache;
using cache::Extent;

namespace {

static_assert(ProbeWidth::kNarrow % cache::kGrain == 0 &&
              ProbeWidth::kWidest % cache::kGrain == 0);

// Versions of files have smaller numbers, lists of digests larger ones.
constexpr cache::VersionId kNobodys = cache::VersionId{1} << 62;

// May bytes be shown that came with the answer for the size?  They are of one object, and end where
// a unit does.
bool usable(const RemoteFile& file, Extent beginning) noexcept {
  return file.parts().size() == 1 && file.parts().front().whole && !file.refusal() &&
         file.cover(beginning) == beginning;
}

}  // namespace

Beginnings::Room Beginnings::reserve(fetch::OrderId id, cache::GroupId group) {
  Room room{.id = id};
  const std::uint64_t bytes = next_width();
  if (bytes == 1) return room;
  auto claim = cache_.claim(kNobodys | id, {0, bytes}, BlockCache::Why::ahead,
                            {.filler = id, .group = group});
  if (!claim) return room;
  room.bytes = bytes;
  room.held = std::move(claim->missing);
  return room;
}

std::shared_ptr<fetch::RangeSink> Beginnings::take(Room room,
                                                   const std::shared_ptr<RemoteFile>& file,
                                                   std::uint64_t bytes,
                                                   const std::weak_ptr<const void>& worth) {
  const Extent beginning{0, bytes};
  if (!usable(*file, beginning)) return nullptr;
  const Digests digests = file->units() ? digests_at_hand(*file, beginning, cache_) : nullptr;
  if (file->units() && !digests) return nullptr;  // they would have to be fetched first
  room.held.clear();
  auto claim = cache_.claim(file->version(), beginning, BlockCache::Why::ahead,
                            {.filler = room.id, .group = file->group_at(0)});
  if (!claim || claim->missing.size() != claim->pins.size()) return nullptr;
  return std::make_shared<Fill>(fill_, file, std::move(claim->missing),
                                FillReason{.id = room.id, .walk = worth, .digests = digests});
}

void Beginnings::note_read(const RemoteFile& file, Extent bytes) noexcept {
  const Extent beginning{0, std::min(file.size(), ProbeWidth::kWidest)};
  if (bytes.offset >= beginning.end() || !usable(file, beginning)) return;
  const std::lock_guard lock(mutex_);
  width_.was_read();
}

std::uint64_t Beginnings::next_width() noexcept {
  const std::lock_guard lock(mutex_);
  return width_.next();
}

}  // namespace skimfs::fs
