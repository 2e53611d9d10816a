// SPDX-License-Identifier: MIT
//
// A percentile of the last answers, and an account of requests.
#include "fetch/hedge_policy.h"

#include <algorithm>
#include <limits>

namespace skimfs::fetch {

using std::chrono::microseconds;

void HedgePolicy::sent() noexcept { saved_ = std::min(saved_ + 1, kMostSaved * kEarnedBy); }

void HedgePolicy::answered(Duration took) noexcept {
  constexpr microseconds::rep kLongest = std::numeric_limits<std::uint32_t>::max();
  const auto micros = std::chrono::ceil<microseconds>(took).count();
  took_[timed_++ % kMostTimed] =
      static_cast<std::uint32_t>(std::clamp<microseconds::rep>(micros, 0, kLongest));
  if (timed_ < kLeastTimed) return;

  auto sorted = took_;
  const std::size_t known = std::min(timed_, kMostTimed);
  const auto high = sorted.begin() + static_cast<std::ptrdiff_t>((known * 95 - 1) / 100);
  std::nth_element(sorted.begin(), high, sorted.begin() + static_cast<std::ptrdiff_t>(known));
  patience_ = std::max<Duration>(kLeastWait, kTimes * microseconds(*high));
}

void HedgePolicy::forget_times() noexcept {
  timed_ = 0;
  patience_.reset();
}

}  // namespace skimfs::fetch
