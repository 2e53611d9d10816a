// SPDX-License-Identifier: MIT
//
// When a request to one host is late or its body slow, and whether it may be sent a second time.
//
// Off until enough answers, or bodies, have been timed.  Of all requests one in fifty is sent twice
// at the most, since that many have to be earned first.  Pure; the lane's thread only.
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
  // Fewer tell no 95th percentile; more than the last hundred tell of another time.
  static constexpr std::size_t kLeastTimed = 50;
  static constexpr std::size_t kMostTimed = 100;
  static constexpr int kTimes = 3;  // the 95th percentile: a wait that answers rarely reach
  // Below it the machine itself is as likely to be late.
  static constexpr std::chrono::milliseconds kLeastWait{50};
  static constexpr double kSlow =
      0.1;  // of the median: what a fair share of a link rarely falls to
  static constexpr unsigned kEarnedBy = 50;  // requests: one second one
  static constexpr unsigned kMostSaved = 4;  // when a host pauses, all its requests are late

  // A request was sent, and is no second one.
  void sent() noexcept;
  // It took so long from a request to its answer, or longer.
  void answered(Duration took) noexcept;
  // How long an answer may take before it is late; empty: not enough is known.
  std::optional<Duration> patience() const noexcept { return patience_; }
  // A body of so many bytes was complete so long after its request.  The wait for its head counts:
  // a short body comes in one burst, and would promise what no long one keeps.
  void brought(std::uint64_t bytes, Duration took) noexcept;
  // Is enough known to call a body slow?
  bool knows_rate() const noexcept { return rates_.enough(); }
  // Has a body that brought so much in such a time brought a tenth of the usual, or less?
  bool slow(std::uint64_t bytes, Duration took) const noexcept;
  // Is a second request earned?
  bool earned() const noexcept { return saved_ >= kEarnedBy; }
  // Spends one that is earned.
  void spend() noexcept { saved_ -= kEarnedBy; }
  // The host is as if never timed.
  void forget_times() noexcept;

 private:
  // The last values of something.
  class Recent {
   public:
    void add(double value) noexcept;  // to what 32 bits hold
    bool enough() const noexcept { return count_ >= kLeastTimed; }
    double percentile(std::size_t percent) const noexcept;  // once there are enough
    void clear() noexcept { count_ = 0; }

   private:
    std::array<std::uint32_t, kMostTimed> values_{};  // a ring
    std::size_t count_ = 0;                           // in all
  };

  Recent times_;  // microseconds
  Recent rates_;  // bytes a second
  std::optional<Duration> patience_;
  unsigned saved_ = 0;  // requests that no second one was spent for
};

}  // namespace skimfs::fetch
