// SPDX-License-Identifier: MIT
//
// Files without names that hold a tree while it is compiled, so that it need not fit in memory.
//
// Throws std::system_error where the disk is full or refuses.  One thread.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

namespace skimfs::fs::manifest {

class Spool {
 public:
  // `directory`: on a local file system with room for the tree.
  explicit Spool(std::string directory) : directory_(std::move(directory)) {}

  // A new descriptor, open for reading and writing; the file goes away with it.
  int open_file() const;

 private:
  const std::string directory_;
};

// One mapped file; empty until it is first resized.
class SpoolFile {
 public:
  SpoolFile() = default;
  SpoolFile(SpoolFile&& other) noexcept;
  SpoolFile& operator=(SpoolFile&& other) noexcept;
  ~SpoolFile();

  // Where its bytes are from now on; new ones are zeros.  It never shrinks.
  void* resize(const Spool& spool, std::size_t bytes);

  void give_back() const noexcept;

 private:
  void swap(SpoolFile& other) noexcept;

  int fd_ = -1;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

// Takes these bytes of a SpoolFile, in whole pages, out of resident memory.
void give_back(const void* begin, std::size_t bytes) noexcept;

}  // namespace skimfs::fs::manifest
