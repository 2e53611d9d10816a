// SPDX-License-Identifier: MIT
//
// A file's bytes in the address space, that survive what happens to the file.
//
// A page that cannot be read (the file was cut, the disk fails) reads as zeros instead of ending
// the process by SIGBUS; unchanged() tells.  Any thread.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>

namespace skimfs::fs::manifest {

class Mapping {
 public:
  // `fd`: a regular file.  On a network file system, whose pages may never come, it is read into
  // memory instead.  Throws std::system_error.
  explicit Mapping(int fd);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

  // No page was lost, and nobody wrote to the file since it was opened.
  bool unchanged() const noexcept;

  // Takes the pages out of this process; they come back, from the page cache, when touched.
  void give_back() const noexcept;

 private:
  void read_all(int fd);

  int fd_ = -1;  // -1: a copy
  struct stat opened_ {};
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::atomic<bool> lost_{false};
};

// Is the file on a file system whose reads may wait for another machine or process?
bool is_remote(int fd) noexcept;

}  // namespace skimfs::fs::manifest
