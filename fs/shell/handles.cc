// SPDX-License-Identifier: MIT
#include "fs/shell/handles.h"

#include <utility>

namespace skimfs::fs::shell {

Handles::Handle& Handles::handle_at(Number handle) noexcept {
  return *reinterpret_cast<Handle*>(static_cast<std::uintptr_t>(handle));
}

Handles::Number Handles::add(std::shared_ptr<OpenFile> file) {
  std::list<Handle> one;
  one.push_back({std::move(file), {}});
  Handle& handle = one.front();
  handle.place = one.begin();
  {
    const std::lock_guard lock(mutex_);
    open_.splice(open_.end(), one);
  }
  added_.fetch_add(1, std::memory_order_release);
  return reinterpret_cast<std::uintptr_t>(&handle);
}

const std::shared_ptr<OpenFile>& Handles::at(Number handle) const noexcept {
  added_.load(std::memory_order_acquire);
  return handle_at(handle).file;
}

void Handles::remove(Number handle) noexcept {
  std::list<Handle> one;  // destroyed, and the file closed, after the lock
  {
    const std::lock_guard lock(mutex_);
    one.splice(one.begin(), open_, handle_at(handle).place);
  }
}

std::size_t Handles::count() const noexcept {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

}  // namespace skimfs::fs::shell
