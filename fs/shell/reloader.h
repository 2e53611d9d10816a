// SPDX-License-Identifier: MIT
//
// Does the work of a reload on a thread of its own, once for all who ask while it is to begin, and
// between two of them what is to be done every second, or at once.
//
// Any thread asks; nobody waits.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

namespace skimfs::fs::shell {

class Reloader {
 public:
  // Returns what there is to say of it; throws std::exception when it failed.
  using Work = std::function<std::string(const std::stop_token&)>;
  using Upkeep = std::function<void(const std::stop_token&)>;
  using Ticket = std::uint64_t;

  struct Outcome {
    bool done = false;  // else `text` says why not
    std::string text;
  };
  struct Counts {
    std::uint64_t done = 0, failed = 0;
  };

  Reloader(Work work, Upkeep upkeep) : work_(std::move(work)), upkeep_(std::move(upkeep)) {}
  ~Reloader() { stop(); }
  Reloader(const Reloader&) = delete;
  Reloader& operator=(const Reloader&) = delete;

  void start();  // once; throws std::system_error
  void stop() noexcept;
  // stop() is near: what can be cut short is.
  void hurry() noexcept { thread_.request_stop(); }

  // The work will begin after this call.
  Ticket ask();
  // What is to be done every second is to be done now.
  void upkeep_soon();
  // Of that work or of a later one; empty: not yet.  A ticket that nobody was given is a failure.
  std::optional<Outcome> outcome(Ticket ticket) const;
  Counts counts() const;

 private:
  void run(const std::stop_token& stop);
  Outcome work(const std::stop_token& stop) const noexcept;
  static Outcome failure(const char* why) noexcept;

  const Work work_;
  const Upkeep upkeep_;  // throws nothing
  mutable std::mutex mutex_;
  std::condition_variable_any asked_;
  Ticket wanted_ = 0;  // guarded by mutex_, as all that follows
  Ticket begun_ = 0;   // the work under way serves all tickets up to here
  Ticket finished_ = 0;
  bool upkeep_due_ = false;
  Outcome last_;
  Counts counts_;
  std::jthread thread_;
};

}  // namespace skimfs::fs::shell
