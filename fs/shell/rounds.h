// SPDX-License-Identifier: MIT
//
// What is to be looked after again and again while a mount runs.
//
// A round for which there was no memory is over, and the next one comes all the same.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <utility>

namespace skimfs::fs::shell {

// On the calling thread: whenever one of these descriptors is readable, and after each `pause`,
// until `round` returns false.  Throws std::system_error.
void go_rounds(std::span<const int> descriptors, std::chrono::milliseconds pause,
               const std::function<bool()>& round);

// On a thread of its own, for rounds that may wait for a disk: one a second.
class Rounds {
 public:
  explicit Rounds(std::function<void()> round) : round_(std::move(round)) {}
  ~Rounds() { stop(); }
  Rounds(const Rounds&) = delete;
  Rounds& operator=(const Rounds&) = delete;

  void start();  // once; throws std::system_error
  // No round begins any more.
  void hurry() noexcept { thread_.request_stop(); }
  // Waits for the round under way.
  void stop() noexcept;

 private:
  const std::function<void()> round_;
  std::mutex mutex_;
  std::condition_variable_any ended_;
  std::jthread thread_;
};

}  // namespace skimfs::fs::shell
