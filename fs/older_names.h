// SPDX-License-Identifier: MIT
//
// What a reload left behind: the names before, for programs that are in the middle of a directory,
// and what the kernel has to be told once more.
//
// Few names are kept, and none for long.  Any thread.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "fetch/clock.h"
#include "fs/catalogue.h"
#include "fs/files.h"

namespace skimfs::fs {

class OlderNames {
 public:
  using Inodes = std::shared_ptr<const Files::Replaced>;
  static constexpr std::size_t kMost = 4;

  // About to be superseded, at `now`.
  void keep(std::shared_ptr<const Catalogue> names, fetch::TimePoint now);
  // The kernel has been, or is about to be, told of these since the last keep().
  void told(Inodes inodes) noexcept;
  // The latest that `meant` says; null: none, or it is forgotten.
  template <class Meant>
  std::shared_ptr<const Catalogue> find(Meant meant) const {
    const std::lock_guard lock(mutex_);
    for (auto each = kept_.rbegin(); each != kept_.rend(); ++each)
      if (each->names && meant(*each->names)) return each->names;
    return nullptr;
  }
  // Forgets what is old.  Of what the kernel is to be told again: a second after a reload, since
  // answers that were under way may have come after the first time, and when no part of a list of
  // the names before can come any more.
  std::vector<Inodes> forget(fetch::TimePoint now);

 private:
  struct Kept {
    std::shared_ptr<const Catalogue> names;  // null: there was no room
    Inodes inodes = nullptr;
    fetch::TimePoint since{};
    bool told_again = false;
  };

  void make_room();

  mutable std::mutex mutex_;
  std::deque<Kept> kept_;  // oldest first; guarded by mutex_
};

}  // namespace skimfs::fs
