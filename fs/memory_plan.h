// SPDX-License-Identifier: MIT
//
// How memory= is divided, once, before anything is allocated.
#pragma once

#include <cstdint>

namespace skimfs::fs {

struct MemoryPlan {
  // Bytes set aside for a connection beside the blocks it fills: its head, TLS's records.  A
  // hostile head may take three times as much until it is refused.
  static constexpr std::uint64_t kConnection = 64 * 1024;

  std::uint64_t cache = 0;   // bytes: the hard bound of the block cache
  unsigned connections = 0;  // that many are paid for
};

// Connections get at most a quarter: more than that pays for are fewer.  The cache has the rest, so
// the sum is never above `memory`.
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
