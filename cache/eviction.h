// SPDX-License-Identifier: MIT
//
// Which block leaves next.
//
// Holds exactly the evictable blocks: whole, unpinned, in the index.  Those delivered in order
// leave first, since the kernel has their pages, and of those the ones that only pass through; then the one untouched for longest.  What was
// fetched ahead and nobody has read yet makes room for demand only, else streams would push out
// each other's read-ahead; after kUnreadGrace it counts as delivered.  Pure; guarded by its owner.
#pragma once

#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstdint>

#include "cache/entry.h"

namespace skimfs::cache {

class Eviction {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class For { demand, ahead };

  static constexpr std::chrono::seconds kUnreadGrace{10};  // a stream without reads is dead by then

  void add(Entry& entry, TimePoint now) noexcept;
  void remove(Entry& entry) noexcept;
  // Nobody has come for what is unread since kUnreadGrace.
  void age(TimePoint now) noexcept;

  Entry* next(For whom) noexcept;  // null: nothing may leave
  // Bytes that may leave.
  std::uint64_t bytes(For whom) const noexcept;
  // Bytes delivered in order that only pass through.
  std::uint64_t spent_bytes() const noexcept { return spent_.bytes; }
  static bool may_leave(const Entry& entry, For whom) noexcept;

 private:
  struct Line {
    boost::intrusive::list<Entry> entries;  // oldest first
    std::uint64_t bytes = 0;
  };

  Line& line(Queue queue) noexcept;

  Line spent_, consumed_, recent_, unread_;
};

}  // namespace skimfs::cache
