// SPDX-License-Identifier: MIT
//
// Which lanes have orders of an id, so that a promotion wakes no others.
//
// Remembers some thousand ids, the newest.  Any thread; waits for nobody.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "fetch/fetcher.h"

namespace skimfs::fetch {

class OrderLanes {
 public:
  static constexpr unsigned kMostLanes = 8;
  static constexpr std::size_t kRemembered = 1024;

  // An order of `id` is about to go to `lane`.  True: the id has been promoted already.
  bool note(OrderId id, unsigned lane) noexcept;
  // The lanes that have, one bit each; all where the id is not known.  Later ones hear it from
  // note().
  std::uint8_t promote(OrderId id) noexcept;

 private:
  std::array<std::atomic<std::uint64_t>, kRemembered> words_{};  // id, promoted, lanes
};

}  // namespace skimfs::fetch
