// SPDX-License-Identifier: MIT
//
// A token bucket that may be overdrawn, by those who wait.
#include "fetch/retry_budget.h"

#include <algorithm>

namespace skimfs::fetch {

using Seconds = std::chrono::duration<double>;

double RetryBudget::level_at(TimePoint now) const noexcept {
  return std::min(kBurst, level_ + kPerSecond * Seconds(now - as_of_).count());
}

void RetryBudget::request(TimePoint now) noexcept {
  level_ = std::min(kBurst, level_at(now) + kPerRequest);
  as_of_ = now;
}

std::optional<Duration> RetryBudget::take(TimePoint now) noexcept {
  const double after = level_at(now) - 1;
  const Seconds wait(std::max(0.0, -after) / kPerSecond);
  if (wait > kLongestWait) return {};
  level_ = after;
  as_of_ = now;
  return std::chrono::ceil<Duration>(wait);
}

unsigned RetryBudget::left(TimePoint now) const noexcept {
  return static_cast<unsigned>(std::max(0.0, level_at(now)));
}

}  // namespace skimfs::fetch
