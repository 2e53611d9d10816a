// SPDX-License-Identifier: MIT
//
// The file that holds a manifest: a regular file, a FIFO, or standard input.
//
// Throws ManifestError.  One thread.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <span>
#include <stop_token>
#include <string>

namespace skimfs::fs::manifest {

class TextFile {
 public:
  // `path`: "-" is standard input.  Waits for the writer of a FIFO, up to a minute.
  // Reading fails once `stop` is requested.
  explicit TextFile(const std::string& path, std::stop_token stop = {});
  ~TextFile();
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;

  const std::string& name() const noexcept { return name_; }  // for messages
  int descriptor() const noexcept { return fd_; }
  bool regular() const noexcept { return S_ISREG(opened_.st_mode); }
  const struct stat& opened() const noexcept { return opened_; }

  // The next bytes; 0 at the end.
  std::size_t read(std::span<char> into) const;
  // Of a regular file: to its beginning.
  void rewind() const;
  struct stat now() const;

 private:
  const std::string name_;
  const std::stop_token stop_;
  const int fd_;
  struct stat opened_ {};
};

}  // namespace skimfs::fs::manifest
