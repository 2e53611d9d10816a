// SPDX-License-Identifier: MIT
//
// How memory= is divided, once, before anything is allocated.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skimfs::fs {

struct MemoryPlan {
  std::uint64_t cache = 0;         // bytes: the hard bound of the block cache
  std::size_t receive_buffer = 0;  // bytes, of each running transfer
  unsigned connections = 0;        // that many buffers are paid for
};

// Receive buffers get at most a quarter, all of it fixed: each 256 KiB where that fits, halved down
// to 16 KiB (what libcurl hands over at once at most), and below that fewer connections.  The cache
// has the rest, so the sum is never above `memory`.
//
// `memory`: bytes, at least 16 MiB.  `connections`: as asked for, at least 1.  Pure.
MemoryPlan plan_memory(std::uint64_t memory, unsigned connections) noexcept;

// The limit on resident memory that is told once when crossed.  One thread.
class MemoryWatch {
 public:
  // `above`: bytes.
  explicit MemoryWatch(std::uint64_t above) noexcept : above_(above) {}

  // true: a line is due.  The next one is only due after a fall below nine tenths of the limit.
  bool crossed(std::uint64_t resident) noexcept;

 private:
  const std::uint64_t above_;
  bool told_ = false;
};

}  // namespace skimfs::fs
