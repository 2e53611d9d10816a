// SPDX-License-Identifier: MIT
//
// A block as the cache keeps it.
//
// What is not constant is guarded by the cache's lock.
#pragma once

#include <boost/intrusive/list_hook.hpp>
#include <chrono>
#include <cstdint>

#include "cache/arena.h"
#include "cache/block.h"
#include "cache/names.h"
#include "cache/shares.h"

namespace skimfs::cache {

// The queue an evictable block stands in.
enum class Queue : std::uint8_t { none, spent, consumed, recent, unread };

// Charged for a block besides its pages: its Entry, its place in the index, malloc's headers.
inline constexpr std::uint64_t kBookkeeping = 384;  // bytes

struct Entry final : Block, boost::intrusive::list_base_hook<> {
  Entry(BlockCache& owner, Shares::Group& whose, VersionId of, Extent extent, Arena::Run memory,
        std::uint64_t filler, bool ahead) noexcept
      : Block(extent, memory.data, filler, !ahead),
        cache(owner),
        group(whose),
        version(of),
        pages(memory.pages),
        unread(ahead) {}

  using Block::fail;
  using Block::memory;
  using Block::place;
  using Block::show;
  using Block::Waitings;
  using Block::wake;

  Arena::Run run() const noexcept { return {memory(), pages}; }
  std::uint64_t cost() const noexcept { return std::uint64_t{pages} * Arena::kPage + kBookkeeping; }

  BlockCache& cache;
  Shares::Group& group;
  const VersionId version;
  std::chrono::steady_clock::time_point since{};  // evictable since
  std::uint32_t pins = 0;
  const std::uint32_t pages;
  bool filling = true;    // a ticket lives
  bool listed = false;    // in the index
  bool unread;            // fetched ahead, and nobody has asked yet
  bool consumed = false;  // delivered to its end, and nobody has asked again
  bool passing = false;   // of a version too large to be found here again
  Queue queue = Queue::none;
};

}  // namespace skimfs::cache
