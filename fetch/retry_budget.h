// SPDX-License-Identifier: MIT
//
// How many repetitions one host is asked to bear: a tenth of its requests, ten at once, and one a
// second, so that a host that fails is not asked several times as much as one that does not.
//
// Pure; the lane's thread only.
#pragma once

#include <optional>

#include "fetch/clock.h"

namespace skimfs::fetch {

class RetryBudget {
 public:
  static constexpr double kBurst = 10;
  static constexpr double kPerRequest = 0.1;
  static constexpr double kPerSecond = 1;
  // A repetition that would have to wait longer for its turn is not worth it: the longest backoff.
  static constexpr std::chrono::seconds kLongestWait{8};

  void request(TimePoint now) noexcept;
  // Takes one; the result is how long to wait for it.  Empty: not affordable, and none is taken.
  std::optional<Duration> take(TimePoint now) noexcept;

  // Repetitions that would not have to wait.
  unsigned left(TimePoint now) const noexcept;

 private:
  double level_at(TimePoint now) const noexcept;

  double level_ = kBurst;  // at `as_of_`; below zero: so many wait for their turn
  TimePoint as_of_{};
};

}  // namespace skimfs::fetch
