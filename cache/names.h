// SPDX-License-Identifier: MIT
//
// The units of the cache.
//
// A version is one content of one object; its number is never used again in a process, so bytes of
// two contents cannot meet.  A grain is the smallest piece kept or fetched, a block a run of grains
// that is filled front to back and never crosses a kBlock boundary.
#pragma once

#include <cstdint>

namespace skimfs::cache {

using VersionId = std::uint64_t;
// Those who fill on the same condition, say that one server answers.
using GroupId = std::uint64_t;

// 4 KiB: the kernel's page, so that a random 4 KiB read costs 4 KiB on the wire.
inline constexpr std::uint32_t kGrain = 4096;
inline constexpr std::uint32_t kBlock = 256 * 1024;

// Bytes [offset, offset + length) of one version.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;

  constexpr std::uint64_t end() const noexcept { return offset + length; }
  constexpr bool empty() const noexcept { return length == 0; }
  friend constexpr bool operator==(const Extent&, const Extent&) = default;
};

}  // namespace skimfs::cache
