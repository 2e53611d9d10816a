// SPDX-License-Identifier: MIT
//
// Preloaded into a daemon, this counts what the kernel asks it: the file that REQUEST_COUNT names
// holds a number for each opcode of <linux/fuse.h>, 8 bytes of the machine's order.
#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using Counts = std::array<std::atomic<std::uint64_t>, 64>;

Counts* shared_counts() noexcept {
  static Counts* const shared = []() -> Counts* {
    const char* const name = std::getenv("REQUEST_COUNT");
    const int file = name != nullptr ? open(name, O_RDWR | O_CLOEXEC) : -1;
    void* const at =
        file < 0 ? MAP_FAILED
                 : mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file >= 0) close(file);
    return at == MAP_FAILED ? nullptr : static_cast<Counts*>(at);
  }();
  return shared;
}

bool is_fuse(int fd) noexcept {
  struct stat of {};
  return fstat(fd, &of) == 0 && S_ISCHR(of.st_mode) && of.st_rdev == makedev(10, 229);
}

}  // namespace

extern "C" ssize_t read(int fd, void* buffer, std::size_t size) {
  const ssize_t got = syscall(SYS_read, fd, buffer, size);
  if (got < static_cast<ssize_t>(sizeof(fuse_in_header)) || !is_fuse(fd)) return got;
  const auto opcode = static_cast<const fuse_in_header*>(buffer)->opcode;
  Counts* const counts = shared_counts();
  if (counts != nullptr && opcode < counts->size()) (*counts)[opcode]++;
  return got;
}
