// SPDX-License-Identifier: MIT
//
// The lists of directories that the kernel keeps.
//
// It keeps them for good and believes their names for a while.  A list that outlives its names
// costs a lookup for each of them, a new one a few requests for all.  Any thread.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <vector>

#include "fetch/clock.h"
#include "fs/filesystem.h"

namespace skimfs::fs::shell {

class KeptLists {
 public:
  explicit KeptLists(const fetch::Clock& clock) noexcept : clock_(clock) {}

  // It asks for this one from its begin.
  void given(Inode directory);
  // Those whose names it believes no longer: it is to forget them.  Each is named once.
  std::vector<Inode> take_outlived();

 private:
  // A MiB; of what was given before them the names are looked up.
  static constexpr std::size_t kMost = 65536;

  struct List {
    Inode directory;
    fetch::TimePoint since;
  };

  const fetch::Clock& clock_;
  std::mutex mutex_;
  std::deque<List> lists_;  // guarded by mutex_; oldest first
};

}  // namespace skimfs::fs::shell
