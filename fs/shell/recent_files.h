// SPDX-License-Identifier: MIT
//
// The files that count as open where the kernel tells of no open and no close: those that were read
// lately.
//
// Any thread.  The lock is a leaf, and files are closed with no lock held.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "fetch/clock.h"
#include "fs/answer.h"

namespace skimfs::fs::shell {

class RecentFiles {
 public:
  // Closed when it was not read for so long, or when so many others were read since.
  static constexpr std::chrono::seconds kKept{5};
  static constexpr std::size_t kMost = 1024;

  // `clock` lives longer.
  explicit RecentFiles(const fetch::Clock& clock) noexcept : clock_(clock) {}
  RecentFiles(const RecentFiles&) = delete;
  RecentFiles& operator=(const RecentFiles&) = delete;

  // For a read of it; null: it is not open.
  std::shared_ptr<OpenFile> find(Inode inode) noexcept;
  // The same, once `file` was opened.  Whoever was the first has opened it for all.
  std::shared_ptr<OpenFile> add(Inode inode, std::shared_ptr<OpenFile> file);
  // To be called every second.
  void close_idle() noexcept;
  std::size_t count() const noexcept;

 private:
  struct Recent {
    Inode inode;
    std::shared_ptr<OpenFile> file;
    fetch::TimePoint read;
  };
  using List = std::list<Recent>;

  // With mutex_ held.
  std::shared_ptr<OpenFile> touch(List::iterator at, fetch::TimePoint now) noexcept;
  void take_oldest(List& closed) noexcept;

  const fetch::Clock& clock_;
  mutable std::mutex mutex_;
  List open_;                                         // read longest ago first; guarded by mutex_
  std::unordered_map<Inode, List::iterator> places_;  // guarded by mutex_
};

}  // namespace skimfs::fs::shell
