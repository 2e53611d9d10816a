// SPDX-License-Identifier: MIT
#include "fs/shell/reloader.h"

#include <chrono>
#include <exception>
#include <new>
#include <utility>

namespace skimfs::fs::shell {

void Reloader::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Reloader::stop() noexcept {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

Reloader::Ticket Reloader::ask() {
  Ticket ticket = 0;
  {
    const std::lock_guard lock(mutex_);
    wanted_ = ticket = begun_ + 1;
  }
  asked_.notify_one();
  return ticket;
}

void Reloader::upkeep_soon() {
  {
    const std::lock_guard lock(mutex_);
    upkeep_due_ = true;
  }
  asked_.notify_one();
}

std::optional<Reloader::Outcome> Reloader::outcome(Ticket ticket) const {
  const std::lock_guard lock(mutex_);
  if (ticket > wanted_)
    return Outcome{false, "the mount was started anew meanwhile: ask once more"};
  if (finished_ < ticket) return std::nullopt;
  return last_;
}

Reloader::Counts Reloader::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void Reloader::run(const std::stop_token& stop) {
  constexpr std::chrono::seconds kUpkeep{1};
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    asked_.wait_for(lock, stop, kUpkeep, [this] { return wanted_ > begun_ || upkeep_due_; });
    upkeep_due_ = false;
    const bool asked = wanted_ > begun_;
    begun_ = wanted_;
    lock.unlock();
    upkeep_(stop);  // also where one reload follows the other
    lock.lock();
    if (!asked || stop.stop_requested()) continue;
    lock.unlock();
    Outcome outcome = work(stop);
    lock.lock();
    ++(outcome.done ? counts_.done : counts_.failed);
    last_ = std::move(outcome);
    finished_ = begun_;
  }
}

Reloader::Outcome Reloader::work(const std::stop_token& stop) const noexcept {
  try {
    return {true, work_(stop)};
  } catch (const std::exception& error) {
    return failure(error.what());
  }
}

Reloader::Outcome Reloader::failure(const char* why) noexcept {
  try {
    return {false, why};
  } catch (const std::bad_alloc&) {
    return {false, "out of memory"};  // so few letters need none
  }
}

}  // namespace skimfs::fs::shell
