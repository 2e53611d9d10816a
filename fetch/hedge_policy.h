// SPDX-License-Identifier: MIT
//
// When a request to one host is late, and whether it may be asked for a second time.
//
// Off until enough answers have been timed.  Of all requests one in fifty is asked for twice at the
// most, since that many have to be earned first.  Pure; the lane's thread only.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "fetch/clock.h"

namespace skimfs::fetch {

class HedgePolicy {
 public:
  // Fewer answers tell no 95th percentile; more than the last hundred tell of another time.
  static constexpr std::size_t kLeastTimed = 50;
  static constexpr std::size_t kMostTimed = 100;
  static constexpr int kTimes = 3;  // the 95th percentile: a wait that answers rarely reach
  // Below it the machine itself is as likely to be late.
  static constexpr std::chrono::milliseconds kLeastWait{50};
  static constexpr unsigned kEarnedBy = 50;  // requests: one second one
  static constexpr unsigned kMostSaved = 4;  // when a host pauses, all its requests are late

  // A request was sent, and is no second one.
  void sent() noexcept;
  // It took so long from a request to its answer, or longer.
  void answered(Duration took) noexcept;
  // How long an answer may take before it is late; empty: not enough is known.
  std::optional<Duration> patience() const noexcept { return patience_; }
  // Is a second request earned?
  bool earned() const noexcept { return saved_ >= kEarnedBy; }
  // Spends one that is earned.
  void spend() noexcept { saved_ -= kEarnedBy; }
  // The host is as if never timed.
  void forget_times() noexcept;

 private:
  std::array<std::uint32_t, kMostTimed> took_{};  // microseconds, a ring
  std::size_t timed_ = 0;                         // answers, in all
  std::optional<Duration> patience_;
  unsigned saved_ = 0;  // requests that no second one was spent for
};

}  // namespace skimfs::fetch
