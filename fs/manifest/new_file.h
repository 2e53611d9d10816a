// SPDX-License-Identifier: MIT
//
// A file that appears whole or not at all.
//
// It has another name until commit(), which syncs and renames; else it is gone.  Throws
// std::system_error.  One thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace skimfs::fs::manifest {

// How the other names begin, so that those of a process that was killed can be told.
inline constexpr std::string_view kNewFilePrefix = ".skimfs-";

// Of a path; "." where it names none.
std::string directory_of(const std::string& path);

class NewFile {
 public:
  NewFile(std::string path, mode_t mode);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  int descriptor() const noexcept { return fd_; }
  void write(std::string_view text) const;
  void commit();

 private:
  const std::string path_;
  std::string other_name_;
  int fd_ = -1;
};

}  // namespace skimfs::fs::manifest
