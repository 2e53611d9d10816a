// SPDX-License-Identifier: MIT
//
// Percentiles of the last answers and bodies, and an account of requests.
#include "fetch/hedge_policy.h"

#include <algorithm>
#include <limits>

namespace skimfs::fetch {
namespace {

double seconds(Duration time) noexcept { return std::chrono::duration<double>(time).count(); }

}  // namespace

void HedgePolicy::sent() noexcept { saved_ = std::min(saved_ + 1, kMostSaved * kEarnedBy); }

void HedgePolicy::answered(Duration took) noexcept {
  using std::chrono::microseconds;
  times_.add(static_cast<double>(std::chrono::ceil<microseconds>(took).count()));
  if (!times_.enough()) return;
  const microseconds high(static_cast<microseconds::rep>(times_.percentile(95)));
  patience_ = std::max<Duration>(kLeastWait, kTimes * high);
}

void HedgePolicy::brought(std::uint64_t bytes, Duration took) noexcept {
  rates_.add(static_cast<double>(bytes) / std::max(seconds(took), 1e-6));
}

bool HedgePolicy::slow(std::uint64_t bytes, Duration took) const noexcept {
  return knows_rate() &&
         static_cast<double>(bytes) <= kSlow * rates_.percentile(50) * seconds(took);
}

void HedgePolicy::forget_times() noexcept {
  times_.clear();
  rates_.clear();
  patience_.reset();
}

void HedgePolicy::Recent::add(double value) noexcept {
  constexpr double kLargest = std::numeric_limits<std::uint32_t>::max();
  values_[count_++ % kMostTimed] = static_cast<std::uint32_t>(std::clamp(value, 0.0, kLargest));
}

double HedgePolicy::Recent::percentile(std::size_t percent) const noexcept {
  auto sorted = values_;
  const std::size_t known = std::min(count_, kMostTimed);
  const auto begin = sorted.begin(), end = begin + static_cast<std::ptrdiff_t>(known);
  const auto at = begin + static_cast<std::ptrdiff_t>((known * percent - 1) / 100);
  std::nth_element(begin, at, end);
  return *at;
}

}  // namespace skimfs::fetch
