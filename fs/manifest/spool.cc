// SPDX-License-Identifier: MIT
//
// See spool.h.
#include "fs/manifest/spool.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace skimfs::fs::manifest {

int Spool::open_file() const {
  int fd = ::open(directory_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {  // not every file system can
    std::string name = directory_ + "/.skimfs-XXXXXX";
    fd = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd >= 0) ::unlink(name.c_str());
  }
  if (fd < 0) throw std::system_error(errno, std::generic_category(), directory_);
  return fd;
}

SpoolFile::SpoolFile(SpoolFile&& other) noexcept { swap(other); }

SpoolFile& SpoolFile::operator=(SpoolFile&& other) noexcept {
  SpoolFile taken(std::move(other));
  swap(taken);
  return *this;
}

SpoolFile::~SpoolFile() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
  if (fd_ >= 0) ::close(fd_);
}

void SpoolFile::swap(SpoolFile& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
}

void* SpoolFile::resize(const Spool& spool, std::size_t bytes) {
  if (fd_ < 0) fd_ = spool.open_file();
  // Reserves the blocks: a write through the mapping has no way to say that the disk is full.
  const int error = ::posix_fallocate(fd_, 0, static_cast<off_t>(bytes));
  if (error != 0) throw std::system_error(error, std::generic_category(), "room for the index");
  void* const data = data_ == nullptr
                         ? ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0)
                         : ::mremap(data_, bytes_, bytes, MREMAP_MAYMOVE);
  if (data == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  data_ = data;
  bytes_ = bytes;
  return data_;
}

// The pages stay in the page cache, where the kernel writes them out as it likes.
void SpoolFile::give_back() const noexcept {
  if (data_ != nullptr) manifest::give_back(data_, bytes_);
}

void give_back(const void* begin, std::size_t bytes) noexcept {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = reinterpret_cast<std::uintptr_t>(begin) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(begin) + bytes;
  ::madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);
}

}  // namespace skimfs::fs::manifest
