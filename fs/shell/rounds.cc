// SPDX-License-Identifier: MIT
#include "fs/shell/rounds.h"

#include <poll.h>

#include <cerrno>
#include <new>
#include <system_error>
#include <vector>

namespace skimfs::fs::shell {
namespace {

constexpr std::chrono::seconds kPause{1};
constexpr std::chrono::milliseconds kShortOfMemory{100};  // poll(2) would fail again at once

void await(std::span<pollfd> polled, std::chrono::milliseconds pause) {
  if (poll(polled.data(), polled.size(), static_cast<int>(pause.count())) >= 0) return;
  if (errno == ENOMEM)
    std::this_thread::sleep_for(kShortOfMemory);
  else if (errno != EINTR)
    throw std::system_error(errno, std::generic_category(), "poll");
}

}  // namespace

void go_rounds(std::span<const int> descriptors, std::chrono::milliseconds pause,
               const std::function<bool()>& round) {
  std::vector<pollfd> polled;
  for (const int descriptor : descriptors) polled.push_back({descriptor, POLLIN, 0});
  for (;;) {
    await(polled, pause);
    try {
      if (!round()) return;
    } catch (const std::bad_alloc&) {
    }
  }
}

void Rounds::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      ended_.wait_for(lock, stop, kPause, [] { return false; });
      if (stop.stop_requested()) return;
      lock.unlock();
      try {
        round_();
      } catch (const std::bad_alloc&) {
      }
      lock.lock();
    }
  });
}

void Rounds::stop() noexcept {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

}  // namespace skimfs::fs::shell
