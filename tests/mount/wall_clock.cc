// SPDX-License-Identifier: MIT
//
// Preloaded into a daemon, this lets a test set its clocks, and nobody else's: the file that
// WALL_CLOCK names holds the seconds that the wall clock is ahead, and then, or 0 where the file
// ends, those that the steady clock is: 8 bytes each, of the machine's order.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using Seconds = std::atomic<std::int64_t>;

constexpr std::size_t kWall = 0, kSteady = 1;

std::int64_t seconds_ahead(std::size_t which) noexcept {
  static const Seconds* const shared = [] {
    const char* const name = std::getenv("WALL_CLOCK");
    const int file = name != nullptr ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    void* const at =
        file < 0 ? MAP_FAILED : mmap(nullptr, 2 * sizeof(Seconds), PROT_READ, MAP_SHARED, file, 0);
    if (file >= 0) close(file);
    return at == MAP_FAILED ? nullptr : static_cast<const Seconds*>(at);
  }();
  return shared != nullptr ? shared[which].load(std::memory_order_relaxed) : 0;
}

int real_time(clockid_t clock, timespec* out) noexcept {
  return static_cast<int>(syscall(SYS_clock_gettime, clock, out));
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* out) noexcept {
  const int result = real_time(clock, out);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    out->tv_sec += seconds_ahead(kWall);
  if (result == 0 && clock == CLOCK_MONOTONIC) out->tv_sec += seconds_ahead(kSteady);
  return result;
}

// Until when is told by the steady clock, and the kernel's own is waited for.
extern "C" int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                                      clockid_t clock, const timespec* until) {
  static const auto wait = reinterpret_cast<decltype(&pthread_cond_clockwait)>(
      dlsym(RTLD_NEXT, "pthread_cond_clockwait"));
  timespec real = *until;
  if (clock == CLOCK_MONOTONIC) real.tv_sec -= seconds_ahead(kSteady);
  return wait(condition, mutex, clock, &real);
}

extern "C" time_t time(time_t* out) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) *out = now.tv_sec;
  return now.tv_sec;
}

extern "C" int gettimeofday(timeval* out, void*) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  *out = {now.tv_sec, now.tv_nsec / 1000};
  return 0;
}
