// SPDX-License-Identifier: MIT
//
// See mapping.h.
#include "fs/manifest/mapping.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <mutex>
#include <system_error>

namespace skimfs::fs::manifest {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// What the handler of SIGBUS may look at.  A slot is in use while `lost` is set.
struct Place {
  std::atomic<std::uintptr_t> begin{0}, end{0};
  std::atomic<std::atomic<bool>*> lost{nullptr};
};
std::array<Place, 16> places;
std::mutex places_mutex;  // for who fills or empties a slot
struct sigaction before;

// Puts a page of zeros where a page of the file cannot be had, and goes on.
void on_bus_error(int signal, siginfo_t* info, void* /*context*/) {
  const int error = errno;
  const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (Place& place : places) {
    std::atomic<bool>* const lost = place.lost.load();
    if (lost == nullptr || at < place.begin.load() || at >= place.end.load()) continue;
    lost->store(true);
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    void* const begin = reinterpret_cast<void*>(at / page * page);
    if (::mmap(begin, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == begin) {
      errno = error;
      return;
    }
  }
  ::sigaction(signal, &before,
              nullptr);  // not ours: the access is tried again and ends as it would
}

void install_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    if (::sigaction(SIGBUS, &action, &before) != 0) fail("sigaction");
  });
}

void protect(const std::byte* data, std::size_t size, std::atomic<bool>& lost) {
  install_handler();
  const std::lock_guard lock(places_mutex);
  const auto place = std::find_if(places.begin(), places.end(),
                                  [](const Place& each) { return each.lost.load() == nullptr; });
  if (place == places.end()) {
    errno = EMFILE;
    fail("too many indexes are open");
  }
  place->begin = reinterpret_cast<std::uintptr_t>(data);
  place->end = reinterpret_cast<std::uintptr_t>(data) + size;
  place->lost = &lost;
}

void unprotect(const std::atomic<bool>& lost) {
  const std::lock_guard lock(places_mutex);
  for (Place& place : places) {
    if (place.lost.load() == &lost) place.lost = nullptr;
  }
}

bool same(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

}  // namespace

bool is_remote(int fd) noexcept {
  // statfs(2): NFS, SMB, CIFS, SMB2, FUSE, 9P, Ceph, AFS, Coda
  constexpr std::array<std::uint32_t, 9> remote = {0x6969,     0x517b,     0xff534d42,
                                                   0xfe534d42, 0x65735546, 0x01021997,
                                                   0x00c36400, 0x5346414f, 0x73757245};
  struct statfs where {};
  if (::fstatfs(fd, &where) != 0) return true;
  return std::find(remote.begin(), remote.end(), static_cast<std::uint32_t>(where.f_type)) !=
         remote.end();
}

Mapping::Mapping(int fd) {
  if (::fstat(fd, &opened_) != 0) fail("fstat");
  size_ = static_cast<std::size_t>(opened_.st_size);
  if (size_ == 0) return;
  if (is_remote(fd)) {
    read_all(fd);
    return;
  }
  void* const data = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) fail("mmap");
  data_ = static_cast<std::byte*>(data);
  try {
    protect(data_, size_, lost_);
    fd_ = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (fd_ < 0) fail("fcntl");
  } catch (...) {
    unprotect(lost_);
    ::munmap(data_, size_);
    throw;
  }
}

void Mapping::read_all(int fd) {
  void* const data =
      ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) fail("mmap");
  data_ = static_cast<std::byte*>(data);
  for (std::size_t at = 0; at < size_;) {
    const ssize_t got = ::pread(fd, data_ + at, size_ - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int error = errno;
      ::munmap(data_, size_);
      errno = error;
      fail("read");
    }
    if (got == 0) break;  // what is missing are zeros, and found out by its check
    at += static_cast<std::size_t>(got);
  }
}

Mapping::~Mapping() {
  if (fd_ >= 0) {
    unprotect(lost_);
    ::close(fd_);
  }
  if (data_ != nullptr) ::munmap(data_, size_);
}

bool Mapping::unchanged() const noexcept {
  if (fd_ < 0) return true;
  if (lost_.load()) return false;
  struct stat now {};
  // Not the time of the last change of the inode: removing or renaming the file is no harm.
  return ::fstat(fd_, &now) == 0 && now.st_size == opened_.st_size &&
         same(now.st_mtim, opened_.st_mtim);
}

void Mapping::give_back() const noexcept {
  if (fd_ >= 0) ::madvise(data_, size_, MADV_DONTNEED);
}

}  // namespace skimfs::fs::manifest
