// SPDX-License-Identifier: MIT
//
// Do programs that list names also ask what they are the names of?
//
// A file's attributes with its name spare the kernel a lookup, ten times what they cost; but it
// makes an inode for them, three times what a bare name costs.  So beyond the first of a directory
// they are sent while somebody looks files up.  Any thread.
#pragma once

#include <atomic>

#include "fetch/clock.h"
#include "fs/filesystem.h"

namespace skimfs::fs::shell {

class NameUse {
 public:
  explicit NameUse(const fetch::Clock& clock) noexcept : clock_(clock) {}

  // The kernel has asked for a file that is there.
  void looked_up() noexcept { last_.store(clock_.now(), std::memory_order_relaxed); }
  // While the kernel believes a name: who uses what was listed need not ask before.
  bool lately() const noexcept {
    return clock_.now() < last_.load(std::memory_order_relaxed) + FileSystem::kNameTimeout;
  }

 private:
  const fetch::Clock& clock_;
  std::atomic<fetch::TimePoint> last_{fetch::TimePoint::min()};  // orders nothing
};

}  // namespace skimfs::fs::shell
