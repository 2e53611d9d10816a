// SPDX-License-Identifier: MIT
//
// Whether a host is worth an order now: the circuit breaker of one host.
//
// It judges silence only: no connection, or one that breaks or times out before any response.  A
// host that answers, with whatever status, is alive.  Pure; the lane's thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <system_error>

#include "fetch/clock.h"

namespace skimfs::fetch {

// closed:   orders start as they come.
// doubtful: three failures in a row.  One order at a time starts, the *trial*; the others wait.
// open:     doubtful for eight seconds and four trials.  Who waits fails with the cause when a
//           trial fails, or after kPatience.
// One sign of life closes it from anywhere.
class Breaker {
 public:
  // One reader's first attempt and two repetitions, or one attempt of three readers.
  static constexpr unsigned kFailuresToDoubt = 3;
  // As many repetitions as one order is granted elsewhere (retry_policy.h).
  static constexpr unsigned kTrialsToOpen = 4;
  // A server that restarts within it is not noticed by those who wait.
  static constexpr std::chrono::seconds kDoubt{8};
  // Between two trials, doubling: below a second, so that the first read after an outage finds out.
  static constexpr std::chrono::milliseconds kFirstSpacing{200};
  static constexpr std::chrono::milliseconds kLongestSpacing{800};
  // How long an order waits behind an open breaker for the word of a trial.
  static constexpr std::chrono::milliseconds kPatience{900};

  enum class State { closed, doubtful, open };
  State state() const noexcept { return state_; }

  // An order may start now.
  bool admits(TimePoint now) const noexcept;
  // When the next trial may start; empty when none has to wait for that.
  std::optional<TimePoint> next_trial() const noexcept;

  // An attempt starts; call it only when admits().  Unless closed it is the trial.
  void started() noexcept { trial_out_ = state_ != State::closed; }
  // The host said something.  True: that ended a doubt.
  bool alive(TimePoint now) noexcept;
  // An attempt that began at `began` ended, or was given up, without a sign of life.
  // True: the state is another now.
  bool failed(std::error_code cause, bool trial, TimePoint began, TimePoint now) noexcept;
  // The trial that began at `began` is over and said nothing of the host.  No effect after failed()
  // or alive(), also when another trial is out by then.
  void trial_over(TimePoint began) noexcept {
    if (began > alive_) trial_out_ = false;
  }
  // The network is another one: nothing is known, and what began before says nothing.
  void reset(TimePoint now) noexcept;

  // The host has answered since it last failed.
  bool trusted() const noexcept { return trusted_; }
  // Of the last failure; empty while closed.
  std::error_code cause() const noexcept { return cause_; }
  unsigned failures() const noexcept { return failures_; }  // in a row
  std::uint64_t opened() const noexcept { return opened_; }

 private:
  void next_after(TimePoint now) noexcept;

  State state_ = State::closed;
  bool trusted_ = false;
  bool trial_out_ = false;
  unsigned failures_ = 0;
  unsigned trials_ = 0;  // that failed
  std::error_code cause_;
  TimePoint alive_{};
  TimePoint since_{};  // the first of those in a row
  TimePoint next_trial_{};
  Duration spacing_ = kFirstSpacing;
  std::uint64_t opened_ = 0;
};

// "closed", "doubtful", "open".
const char* word(Breaker::State state) noexcept;

}  // namespace skimfs::fetch
