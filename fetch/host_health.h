// SPDX-License-Identifier: MIT
//
// How a host has fared lately, to choose among the sources of an object: trouble and speed.
//
// Both fade: trouble ends with the next good answer, speed is forgotten after some minutes.  Says
// nothing of single objects.  Pure; one thread.
#pragma once

#include <cstdint>
#include <optional>

#include "fetch/clock.h"

namespace skimfs::fetch {

// An ailing host may be asked again after this, twice as long after each further failure.
constexpr std::chrono::seconds kFirstAvoidance{1};
constexpr std::chrono::seconds kLongestAvoidance{30};
// How long a measurement says something about the present.
constexpr std::chrono::minutes kSpeedAge{5};

class HostHealth {
 public:
  // An exchange that began then failed by the host's fault.  What began before the last failure
  // was known says nothing new.
  void failed(TimePoint began, TimePoint now) noexcept;
  // The host answered, whatever it said of the object.
  void good() noexcept { failures_ = 0; }
  // It failed, and has not answered since.
  bool ailing() const noexcept { return failures_ > 0; }

  // From the request to the head of its answer.
  void answered(Duration first_byte, TimePoint now) noexcept;
  // `bytes` of a body in `time`.  What is known lasts on.
  void transferred(std::uint64_t bytes, Duration time, TimePoint now) noexcept;
  // How long a request for `bytes` would take; empty where it was not measured lately.
  std::optional<Duration> expected(std::uint64_t bytes, TimePoint now) const noexcept;

  // Is it time to see, off the path of any reader, whether an ailing host is back, or how fast an
  // unmeasured one is?
  bool scout_due(TimePoint now) const noexcept;
  void scouted(TimePoint now) noexcept;

 private:
  unsigned failures_ = 0;  // without a good answer since
  TimePoint failed_{};     // when the last one was counted
  TimePoint next_scout_{};

  std::optional<double> first_byte_;  // seconds, smoothed
  std::optional<double> rate_;        // bytes per second, smoothed
  TimePoint measured_{};
};

}  // namespace skimfs::fetch
