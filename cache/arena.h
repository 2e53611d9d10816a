// SPDX-License-Identifier: MIT
//
// The memory of all blocks: one mapping, handed out in runs of pages.
//
// A chunk of 64 pages is one 64-bit map, so neighbours join by themselves and a lookup is a few
// shifts.  Nothing outside the mapping is ever used, which is what bounds resident memory.
// Guarded by its owner.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace skimfs::cache {

class Arena {
 public:
  static constexpr std::uint32_t kPage = 4096;      // bytes
  static constexpr std::uint32_t kChunkPages = 64;  // the longest run

  struct Run {
    std::byte* data = nullptr;
    std::uint32_t pages = 0;
  };

  // At least `bytes` of address space; pages become resident with use.  Throws std::system_error.
  explicit Arena(std::uint64_t bytes);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  // `pages` (1 to 64) in one run, or the longest run left, or none.  Memory given last comes first.
  Run take(std::uint32_t pages) noexcept;
  void give(Run run) noexcept;

  // A whole chunk, to be chosen when its first byte comes: memory given back until then, and still
  // in the processor's caches, is used again.  False: none is left to be promised.  A promise is
  // kept by redeem(), or ended by renounce().
  bool promise() noexcept;
  Run redeem() noexcept;
  void renounce() noexcept;

  std::uint64_t pages() const noexcept { return chunks_.size() * kChunkPages; }
  std::uint64_t free_pages() const noexcept { return free_pages_; }  // without what is promised

  // Lets the system have the memory behind `run`; its bytes become zero.
  static void discard(Run run) noexcept;

 private:
  static constexpr std::uint32_t kNone = ~0u;

  struct Chunk {
    std::uint64_t free = 0;  // bit per page
    std::uint32_t previous = kNone, next = kNone;
    std::uint32_t longest = 0;  // run of free pages; names the list the chunk is in
  };

  Run take_from(std::uint32_t list, std::uint32_t pages) noexcept;
  void file(std::uint32_t chunk) noexcept;
  void unfile(std::uint32_t chunk) noexcept;

  std::byte* base_ = nullptr;
  std::uint64_t mapped_ = 0;  // bytes
  std::uint64_t free_pages_ = 0;
  std::uint64_t whole_ = 0;     // chunks without a page in use
  std::uint64_t promised_ = 0;  // of those
  std::vector<Chunk> chunks_;
  std::array<std::uint32_t, kChunkPages + 1> lists_;  // by longest run; last filed is first
  std::uint64_t filled_lists_ = 0;                    // bit n-1: lists_[n] is not empty
};

}  // namespace skimfs::cache
