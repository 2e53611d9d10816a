// SPDX-License-Identifier: MIT
//
// Hashes of names, and a hash table that finds a row by its directory and name while a tree is
// made.
//
// Names may be hostile, so the hash is keyed with random bits (SipHash-1-3): nobody can choose
// names that collide.  The caller keeps the names and compares them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fs/manifest/column.h"

namespace skimfs::fs::manifest {

using HashKey = std::array<std::uint64_t, 2>;

HashKey random_hash_key();  // throws std::system_error

std::uint32_t hash_name(const HashKey& key, std::uint32_t directory,
                        std::string_view name) noexcept;

class NameIndex {
 public:
  // The row with this hash for which same(row) holds, or 0, which is the root and never a child.
  template <class Same>
  std::uint32_t find(std::uint32_t hash, Same same) const noexcept {
    if (slots_.size() == 0) return 0;
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = hash & mask; slots_[at].row != 0; at = (at + 1) & mask) {
      if (slots_[at].hash == hash && same(slots_[at].row)) return slots_[at].row;
    }
    return 0;
  }

  // visit(row, hash) for each, in no order.
  template <class Visit>
  void each(Visit visit) const {
    for (std::size_t at = 0; at < slots_.size(); ++at) {
      if (slots_[at].row != 0) visit(slots_[at].row, slots_[at].hash);
    }
  }

  // Adds a row that is not there.
  void insert(std::uint32_t row, std::uint32_t hash);

 private:
  struct Slot {
    std::uint32_t row;   // 0: free
    std::uint32_t hash;  // spares most looks at rows, and all when the table grows
  };

  void grow();
  void place(Slot slot) noexcept;

  Column<Slot> slots_;  // a power of two of them, at most three quarters used
  std::size_t used_ = 0;
};

}  // namespace skimfs::fs::manifest
