// SPDX-License-Identifier: MIT
//
// See image.h.
#include "fs/manifest/image.h"

#include <algorithm>

#include "fs/manifest/checksum.h"
#include "fs/manifest/index_format.h"

namespace skimfs::fs::manifest {
namespace {

// Touching one byte maps what the page cache has around it: 64 KiB (fault_around_bytes), and more
// where it has large folios.  Linux 6.18 with ext4 mapped 160 KiB a touch in a walk of the tree.
constexpr std::uint64_t kMappedAtOnce = 128 * 1024;
constexpr std::uint64_t kWord = 64;

}  // namespace

Image::Image(int fd) : mapping_(fd) {}

void Image::check_against(std::span<const std::uint32_t> checks, std::uint64_t skipped,
                          std::uint64_t end, std::uint64_t window) {
  checks_ = checks;
  skipped_ = skipped;
  end_ = end;
  window_ = static_cast<std::uint32_t>(window / kMappedAtOnce);
  checked_ = std::make_unique<std::atomic<std::uint64_t>[]>(checks.size() / kWord + 1);
}

bool Image::holds(const void* at, std::uint64_t length) const noexcept {
  if (length == 0) return true;
  const auto begin = static_cast<std::uint64_t>(static_cast<const std::byte*>(at) - bytes().data());
  const std::uint64_t last = (begin + length - 1) / kPiece;
  for (std::uint64_t piece = begin / kPiece; piece <= last; ++piece) {
    const std::uint64_t bit = std::uint64_t{1} << piece % kWord;
    // Relaxed: the bytes were there before this; the bit only spares looking again.
    if ((checked_[piece / kWord].load(std::memory_order_relaxed) & bit) != 0) continue;
    if (!check(piece)) return false;
    checked_[piece / kWord].fetch_or(bit, std::memory_order_relaxed);
    if (touched_.fetch_add(1, std::memory_order_relaxed) + 1 >= window_) give_back();
  }
  return true;
}

bool Image::check(std::uint64_t piece) const noexcept {
  if (piece < checks_.size()) {
    const std::uint64_t begin = std::max(piece * kPiece, skipped_);
    const std::uint64_t end = std::min((piece + 1) * kPiece, end_);
    if (crc32c(bytes().subspan(begin, end - begin)) == checks_[piece]) return true;
  }
  fail();
  return false;
}

// What is given back is checked anew when it returns.
void Image::give_back() const noexcept {
  if (giving_back_.exchange(true)) return;
  touched_ = 0;
  for (std::size_t word = 0; word <= checks_.size() / kWord; ++word)
    checked_[word].store(0, std::memory_order_relaxed);
  mapping_.give_back();
  giving_back_ = false;
}

bool Image::whole() const noexcept {
  for (std::uint64_t piece = 0; piece < checks_.size(); ++piece) {
    const std::uint64_t at = std::max(piece * kPiece, skipped_);
    if (!holds(bytes().data() + at, 1)) return false;
  }
  return intact();
}

}  // namespace skimfs::fs::manifest
