// SPDX-License-Identifier: MIT
//
// What a reload left behind: the names before, for programs that are in the middle of a directory,
// and what the kernel has to be told once more.
//
// Few names are kept, and none for long.  Any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

#include "fetch/clock.h"
#include "fs/catalogue.h"
#include "fs/files.h"

namespace skimfs::fs {

class OlderNames {
 public:
  // Superseded at `now`; the kernel has been, or is about to be, told of `inodes`.
  void keep(std::shared_ptr<const Catalogue> names, Files::Replaced inodes, fetch::TimePoint now);
  // Null: they are the present ones, or forgotten.
  std::shared_ptr<const Catalogue> at(std::uint32_t epoch) const;
  // Forgets what is old.  Of what the kernel is to be told again: all, a second after the reload,
  // since answers that were under way may have come after the first time; lists, when no part of an
  // old one can come any more.
  Files::Replaced forget(fetch::TimePoint now);

 private:
  struct Kept {
    std::shared_ptr<const Catalogue> names;  // null: there was no room
    Files::Replaced inodes;
    fetch::TimePoint since;
    bool told_again = false;
  };

  void make_room();

  mutable std::mutex mutex_;
  std::deque<Kept> kept_;  // oldest first; guarded by mutex_
};

}  // namespace skimfs::fs
