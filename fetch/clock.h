// SPDX-License-Identifier: MIT
//
// Monotonic time, so that tests can move it by hand.
#pragma once

#include <chrono>

namespace skimfs::fetch {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

// Any thread.
struct Clock {
  virtual TimePoint now() const noexcept = 0;

 protected:
  ~Clock() = default;
};

struct SteadyClock final : Clock {
  TimePoint now() const noexcept override { return std::chrono::steady_clock::now(); }
};

}  // namespace skimfs::fetch
