// SPDX-License-Identifier: MIT
//
// See text_file.h.
#include "fs/manifest/text_file.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "fs/manifest/error.h"

namespace skimfs::fs::manifest {
namespace {

// A FIFO without a writer looks like a hang; whoever makes one connects the other end at once.
constexpr std::chrono::milliseconds kWriterWait{60'000};

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw ManifestError(path, what);
}

std::string reason(int error) { return std::generic_category().message(error); }

void await_writer(const std::string& path, int fd) {
  pollfd wait{fd, POLLIN, 0};
  int ready = -1;
  do {
    ready = ::poll(&wait, 1, static_cast<int>(kWriterWait.count()));
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) {
    fail(path, "nothing was written to this FIFO for 60 s: is its writer running?");
  }
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0) fail(path, reason(errno));
}

int open_manifest(const std::string& path) {
  if (path == "-") return STDIN_FILENO;
  // Looked at before it is opened, since opening a device may do things; O_NONBLOCK is for FIFOs.
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) fail(path, "no such file: wanted a manifest, see skimfs-manifest(5)");
    fail(path, "cannot be read: " + reason(errno));
  }
  if (S_ISDIR(status.st_mode)) fail(path, "is a directory: wanted a manifest file");
  if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode)) {
    fail(path, "is a device or socket: wanted a manifest file, a FIFO or -");
  }
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) fail(path, "cannot be opened: " + reason(errno));
  return fd;
}

}  // namespace

TextFile::TextFile(const std::string& path, std::stop_token stop)
    : name_(path == "-" ? "<stdin>" : path), stop_(std::move(stop)), fd_(open_manifest(path)) {
  opened_ = now();
  if (fd_ != STDIN_FILENO && S_ISFIFO(opened_.st_mode)) await_writer(name_, fd_);
}

TextFile::~TextFile() {
  if (fd_ > STDIN_FILENO) ::close(fd_);
}

std::size_t TextFile::read(std::span<char> into) const {
  if (stop_.stop_requested()) fail(name_, "was not read: the mount ends");
  for (;;) {
    const ssize_t got = ::read(fd_, into.data(), into.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) fail(name_, "cannot be read: " + reason(errno));
  }
}

void TextFile::rewind() const {
  if (::lseek(fd_, 0, SEEK_SET) < 0) fail(name_, "cannot be read: " + reason(errno));
}

struct stat TextFile::now() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) fail(name_, "cannot be read: " + reason(errno));
  return status;
}

}  // namespace skimfs::fs::manifest
