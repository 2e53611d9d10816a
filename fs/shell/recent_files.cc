// SPDX-License-Identifier: MIT
#include "fs/shell/recent_files.h"

#include <utility>

namespace skimfs::fs::shell {

std::shared_ptr<OpenFile> RecentFiles::find(Inode inode) noexcept {
  const fetch::TimePoint now = clock_.now();
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(inode);
  return found == places_.end() ? nullptr : touch(found->second, now);
}

std::shared_ptr<OpenFile> RecentFiles::add(Inode inode, std::shared_ptr<OpenFile> file) {
  const fetch::TimePoint now = clock_.now();
  List one, closed;  // destroyed, and the files closed, after the lock
  one.push_back({inode, std::move(file), now});
  const std::lock_guard lock(mutex_);
  const auto [place, is_first] = places_.try_emplace(inode, one.begin());
  if (!is_first) return touch(place->second, now);
  open_.splice(open_.end(), one);
  if (open_.size() > kMost) take_oldest(closed);
  return open_.back().file;
}

void RecentFiles::close_idle() noexcept {
  const fetch::TimePoint now = clock_.now();
  List closed;
  const std::lock_guard lock(mutex_);
  while (!open_.empty() && open_.front().read + kKept <= now) take_oldest(closed);
}

std::size_t RecentFiles::count() const noexcept {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

std::shared_ptr<OpenFile> RecentFiles::touch(List::iterator at, fetch::TimePoint now) noexcept {
  at->read = now;
  open_.splice(open_.end(), open_, at);
  return at->file;
}

void RecentFiles::take_oldest(List& closed) noexcept {
  places_.erase(open_.front().inode);
  closed.splice(closed.end(), open_, open_.begin());
}

}  // namespace skimfs::fs::shell
