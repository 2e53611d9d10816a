// SPDX-License-Identifier: MIT
//
// The files that are open: what a file handle of the kernel stands for.
//
// Any thread.  A handle is valid from add() to remove(); the kernel promises to use it only between
// its open and its release.  What is never released, because the mount ended with files open, goes
// with this object.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>

#include "fs/answer.h"

namespace skimfs::fs::shell {

class Handles {
 public:
  using Number = std::uint64_t;  // fuse_file_info::fh

  Handles() = default;
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;

  Number add(std::shared_ptr<OpenFile> file);
  const std::shared_ptr<OpenFile>& at(Number handle) const noexcept;
  void remove(Number handle) noexcept;
  std::size_t count() const noexcept;

 private:
  struct Handle {
    std::shared_ptr<OpenFile> file;
    std::list<Handle>::iterator place;  // its own, so that its address leads back to it
  };

  static Handle& handle_at(Number handle) noexcept;

  mutable std::mutex mutex_;
  std::list<Handle> open_;  // guarded by mutex_; a handle's file is constant
  // Counted up after each add() and looked at before each use.  A handle goes from one worker to
  // another through the kernel, which the language's memory model does not know: this is the order
  // it does know (every count is a release, continued by the next; the look is an acquire).
  std::atomic<std::uint64_t> added_{0};
};

}  // namespace skimfs::fs::shell
