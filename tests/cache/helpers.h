// SPDX-License-Identifier: MIT
//
// What cache tests say often: bytes that name their place, a waiter that counts, whole claims.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "cache/block_cache.h"

namespace skimfs::cache {

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;

// What version `version` holds from `offset` on: at least 64 KiB of it.  The period is a prime, so
// no two grains or versions a test uses look alike.
inline std::span<const std::byte> pattern(VersionId version, std::uint64_t offset) {
  constexpr std::size_t period = 131'071;
  static const std::vector<std::byte> table = [] {
    std::vector<std::byte> bytes(2 * period);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<std::byte>((i % period) * 0x9E3779B97F4A7C15 >> 40);
    }
    return bytes;
  }();
  return std::span(table).subspan((offset + version * 4099) % period, period);
}

inline void write(FillTicket& ticket, VersionId version, std::size_t length) {
  std::span<std::byte> space = ticket.space().first(length);
  for (std::uint64_t at = ticket.extent().offset + ticket.filled(); !space.empty();) {
    const auto bytes = pattern(version, at);
    const std::size_t count = std::min(bytes.size(), space.size());
    std::memcpy(space.data(), bytes.data(), count);
    space = space.subspan(count);
    at += count;
  }
  ticket.wrote(static_cast<std::uint32_t>(length));
}

inline bool right_bytes(std::span<const std::byte> bytes, VersionId version, std::uint64_t offset) {
  while (!bytes.empty()) {
    const auto want = pattern(version, offset);
    const std::size_t count = std::min(want.size(), bytes.size());
    if (std::memcmp(want.data(), bytes.data(), count) != 0) return false;
    bytes = bytes.subspan(count);
    offset += count;
  }
  return true;
}

inline void fill(FillTicket& ticket, VersionId version) {
  write(ticket, version, ticket.space().size());
  ticket.publish();
}

inline void fill(BlockCache::Claim& claim, VersionId version) {
  for (FillTicket& ticket : claim.missing) fill(ticket, version);
}

inline bool right_bytes(const Block& block, VersionId version) {
  return right_bytes(block.view(0, block.readable()), version, block.extent().offset);
}

// Do the pins lie side by side over all of `bytes`?
inline bool cover(const std::vector<Pin>& pins, Extent bytes) {
  if (pins.empty() || pins.front()->extent().offset > bytes.offset) return false;
  for (std::size_t i = 1; i < pins.size(); ++i) {
    if (pins[i - 1]->extent().end() != pins[i]->extent().offset) return false;
  }
  return pins.back()->extent().end() >= bytes.end();
}

// Brings `bytes` into the cache and lets go of them.
inline bool load(BlockCache& cache, VersionId version, Extent bytes,
                 BlockCache::Why why = BlockCache::Why::demand,
                 const BlockCache::Claimant& who = {}) {
  std::optional<BlockCache::Claim> claim = cache.claim(version, bytes, why, who);
  if (!claim) return false;
  fill(*claim, version);
  return true;
}

struct CountingWaiter final : Waiter {
  void wake(std::error_code reason) noexcept override {
    why = reason;
    woken.fetch_add(1);
  }
  std::error_code why;
  std::atomic<int> woken{0};
};

inline std::error_code io_error() { return std::make_error_code(std::errc::io_error); }

}  // namespace skimfs::cache
