// SPDX-License-Identifier: MIT
//
// Best fit by the longest run of a chunk: small blocks fill broken chunks and whole ones stay
// whole.
#include "cache/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cerrno>
#include <system_error>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(data, size) ((void)(data), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(data, size) ((void)(data), (void)(size))
#endif

namespace skimfs::cache {
namespace {

std::uint32_t longest_run(std::uint64_t map) noexcept {
  std::uint32_t length = 0;
  for (; map != 0; map &= map << 1) ++length;
  return length;
}

// The first bit of the first run of `length` set bits; there is one.
std::uint32_t find_run(std::uint64_t map, std::uint32_t length) noexcept {
  for (std::uint32_t have = 1; have < length;) {
    const std::uint32_t step = std::min(have, length - have);
    map &= map >> step;
    have += step;
  }
  return static_cast<std::uint32_t>(std::countr_zero(map));
}

std::uint64_t bits(std::uint32_t first, std::uint32_t length) noexcept {
  return (~std::uint64_t{0} >> (64 - length)) << first;
}

std::uint64_t list_bit(std::uint32_t longest) noexcept { return std::uint64_t{1} << (longest - 1); }

std::size_t size_of(Arena::Run run) noexcept { return std::size_t{run.pages} * Arena::kPage; }

}  // namespace

Arena::Arena(std::uint64_t bytes) {
  constexpr std::uint64_t chunk_bytes = std::uint64_t{kPage} * kChunkPages;
  const std::uint64_t count = (bytes + chunk_bytes - 1) / chunk_bytes;
  chunks_.resize(count);
  lists_.fill(kNone);
  mapped_ = count * chunk_bytes;
  void* const at = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(), "reserving the block cache");
  }
  // A fault for each page took a fifth of the daemon's time; all of this may be resident anyway.
  // Refused where the kernel has no huge pages: then it is as it was.
  madvise(at, mapped_, MADV_HUGEPAGE);
  base_ = static_cast<std::byte*>(at);
  free_pages_ = count * kChunkPages;
  for (std::uint64_t i = count; i-- > 0;) {  // the first chunk is handed out first
    chunks_[i].free = ~std::uint64_t{0};
    file(static_cast<std::uint32_t>(i));
  }
  ASAN_POISON_MEMORY_REGION(base_, mapped_);
}

Arena::~Arena() {
  ASAN_UNPOISON_MEMORY_REGION(base_, mapped_);
  munmap(base_, mapped_);
}

Arena::Run Arena::take(std::uint32_t pages) noexcept {
  assert(pages >= 1 && pages <= kChunkPages);
  std::uint64_t lists = filled_lists_;
  if (promised_ == whole_) lists &= ~list_bit(kChunkPages);
  if (lists == 0) return {};
  const std::uint64_t enough = lists & ~(list_bit(pages) - 1);
  const auto list = static_cast<std::uint32_t>(enough != 0 ? std::countr_zero(enough) + 1
                                                           : 64 - std::countl_zero(lists));
  free_pages_ -= std::min(pages, list);
  return take_from(list, std::min(pages, list));
}

bool Arena::promise() noexcept {
  if (promised_ == whole_) return false;
  ++promised_;
  free_pages_ -= kChunkPages;
  return true;
}

Arena::Run Arena::redeem() noexcept {
  assert(promised_ > 0);
  --promised_;
  return take_from(kChunkPages, kChunkPages);
}

void Arena::renounce() noexcept {
  assert(promised_ > 0);
  --promised_;
  free_pages_ += kChunkPages;
}

Arena::Run Arena::take_from(std::uint32_t list, std::uint32_t length) noexcept {
  const std::uint32_t index = lists_[list];
  Chunk& chunk = chunks_[index];
  const std::uint32_t first = find_run(chunk.free, length);
  unfile(index);
  chunk.free &= ~bits(first, length);
  file(index);
  const Run run{base_ + (std::uint64_t{index} * kChunkPages + first) * kPage, length};
  ASAN_UNPOISON_MEMORY_REGION(run.data, size_of(run));
  return run;
}

void Arena::give(Run run) noexcept {
  const auto page = static_cast<std::uint64_t>(run.data - base_) / kPage;
  const auto index = static_cast<std::uint32_t>(page / kChunkPages);
  const std::uint64_t map = bits(static_cast<std::uint32_t>(page % kChunkPages), run.pages);
  Chunk& chunk = chunks_[index];
  assert((chunk.free & map) == 0);
  unfile(index);
  chunk.free |= map;
  file(index);
  free_pages_ += run.pages;
  ASAN_POISON_MEMORY_REGION(run.data, size_of(run));
}

void Arena::discard(Run run) noexcept {
  madvise(run.data, size_of(run), MADV_DONTNEED);  // cannot fail on pages of our own mapping
}

void Arena::file(std::uint32_t index) noexcept {
  Chunk& chunk = chunks_[index];
  chunk.longest = longest_run(chunk.free);
  if (chunk.longest == 0) return;
  if (chunk.longest == kChunkPages) ++whole_;
  chunk.previous = kNone;
  chunk.next = lists_[chunk.longest];
  if (chunk.next != kNone) chunks_[chunk.next].previous = index;
  lists_[chunk.longest] = index;
  filled_lists_ |= list_bit(chunk.longest);
}

void Arena::unfile(std::uint32_t index) noexcept {
  Chunk& chunk = chunks_[index];
  if (chunk.longest == 0) return;
  if (chunk.longest == kChunkPages) --whole_;
  if (chunk.next != kNone) chunks_[chunk.next].previous = chunk.previous;
  if (chunk.previous != kNone) {
    chunks_[chunk.previous].next = chunk.next;
    return;
  }
  lists_[chunk.longest] = chunk.next;
  if (chunk.next == kNone) filled_lists_ &= ~list_bit(chunk.longest);
}

}  // namespace skimfs::cache
