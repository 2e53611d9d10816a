// SPDX-License-Identifier: MIT
//
// Time that stands still until the test moves it.
#pragma once

#include <atomic>

#include "fetch/clock.h"

namespace skimfs::test {

class ManualClock final : public fetch::Clock {
 public:
  fetch::TimePoint now() const noexcept override { return fetch::TimePoint(now_.load()); }
  void advance(fetch::Duration by) noexcept { now_ = now_.load() + by; }

 private:
  std::atomic<fetch::Duration> now_{std::chrono::hours(1)};
};

}  // namespace skimfs::test
