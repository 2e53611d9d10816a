// SPDX-License-Identifier: MIT
//
// See new_file.h.
#include "fs/manifest/new_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace skimfs::fs::manifest {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

NewFile::NewFile(std::string path, mode_t mode)
    : path_(std::move(path)),
      other_name_(directory_of(path_) + "/" + std::string(kNewFilePrefix) + "XXXXXX") {
  fd_ = ::mkostemp(other_name_.data(), O_CLOEXEC);
  if (fd_ < 0) fail(directory_of(path_));
  if (::fchmod(fd_, mode) == 0) return;
  const int error = errno;
  ::unlink(other_name_.c_str());
  ::close(fd_);
  errno = error;
  fail(path_);
}

NewFile::~NewFile() {
  if (!other_name_.empty()) ::unlink(other_name_.c_str());
  ::close(fd_);
}

void NewFile::write(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd_, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) fail(path_);
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

void NewFile::commit() {
  if (::fsync(fd_) != 0) fail(path_);
  if (::rename(other_name_.c_str(), path_.c_str()) != 0) fail(path_);
  other_name_.clear();
  const int directory = ::open(directory_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) fail(directory_of(path_));
  const int synced = ::fsync(directory);
  const int error = errno;
  ::close(directory);
  errno = error;
  if (synced != 0) fail(directory_of(path_));
}

}  // namespace skimfs::fs::manifest
