// SPDX-License-Identifier: MIT
//
// The bytes of a compiled index, checked piece by piece when they are first touched.
//
// The file is input: it may be damaged, hostile, cut short or overwritten while it is mapped.  What
// was read counts only if intact() holds afterwards; that is the one rule for users.  Any thread;
// waits for nothing but the page of a local file.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "fs/manifest/mapping.h"

namespace skimfs::fs::manifest {

class Image {
 public:
  // `fd`: a regular file, kept by the caller.  Maps it where it lies on a local disk, else reads
  // it. Throws std::system_error.
  explicit Image(int fd);
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  std::span<const std::byte> bytes() const noexcept { return mapping_.bytes(); }

  // The checks of all pieces of `piece` bytes, the last one shorter; the first leaves out the
  // `skipped` bytes before it.  They must outlive this, and stand for bytes() up to `end`.
  // `window`: how many bytes, roughly, may be resident.
  void check_against(std::span<const std::uint32_t> checks, std::uint64_t skipped,
                     std::uint64_t end, std::uint64_t window);

  // Are these bytes what was written?  If not, fail() has been called.
  bool holds(const void* at, std::uint64_t length) const noexcept;

  // Something in the index contradicts itself.
  void fail() const noexcept { damaged_.store(true); }

  // No damage has shown, and the file is still the one that was opened.
  bool intact() const noexcept { return !damaged_.load() && mapping_.unchanged(); }

  // Checks every piece.  Takes as long as reading the file.
  bool whole() const noexcept;

 private:
  bool check(std::uint64_t piece) const noexcept;
  void give_back() const noexcept;

  Mapping mapping_;
  std::span<const std::uint32_t> checks_;
  std::uint64_t skipped_ = 0, end_ = 0;
  std::uint32_t window_ = 0;                                       // in pieces touched
  mutable std::unique_ptr<std::atomic<std::uint64_t>[]> checked_;  // one bit a piece
  mutable std::atomic<std::uint32_t> touched_{0};  // pieces since pages were given back
  mutable std::atomic<bool> giving_back_{false};
  mutable std::atomic<bool> damaged_{false};
};

}  // namespace skimfs::fs::manifest
