// SPDX-License-Identifier: MIT
//
// See host_health.h.
#include "fetch/host_health.h"

#include <algorithm>

namespace skimfs::fetch {
namespace {

// A scout is an exchange like others and may take its time.
constexpr std::chrono::seconds kScoutTime{30};
// Shorter bodies arrive with their heads and tell no rate.
constexpr std::uint64_t kLeastMeasured = 64 * 1024;
// A body at an unknown rate: using the host is what will tell, but only where much can be won.
constexpr std::chrono::milliseconds kUnmeasured{125};

double seconds(Duration time) noexcept { return std::chrono::duration<double>(time).count(); }

void smooth(std::optional<double>& average, double sample) noexcept {
  average = average ? *average + (sample - *average) / 4 : sample;
}

}  // namespace

void HostHealth::failed(TimePoint began, TimePoint now) noexcept {
  if (began <= failed_) return;
  failed_ = now;
  auto wait = kFirstAvoidance;
  for (unsigned i = 0; i < failures_ && wait < kLongestAvoidance; ++i) wait *= 2;
  ++failures_;
  next_scout_ = now + std::min(wait, kLongestAvoidance);
}

void HostHealth::answered(Duration first_byte, TimePoint now) noexcept {
  if (now - measured_ >= kSpeedAge) {
    first_byte_.reset();
    rate_.reset();
  }
  smooth(first_byte_, seconds(first_byte));
  measured_ = now;
}

void HostHealth::transferred(std::uint64_t bytes, Duration time, TimePoint now) noexcept {
  if (now - measured_ < kSpeedAge) measured_ = now;
  if (bytes < kLeastMeasured || time <= Duration::zero()) return;
  smooth(rate_, static_cast<double>(bytes) / seconds(time));
}

std::optional<Duration> HostHealth::expected(std::uint64_t bytes, TimePoint now) const noexcept {
  if (!first_byte_ || now - measured_ >= kSpeedAge) return std::nullopt;
  double body = 0;
  if (rate_)
    body = static_cast<double>(bytes) / *rate_;
  else if (bytes >= kLeastMeasured)
    body = seconds(kUnmeasured);
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(*first_byte_ + body));
}

bool HostHealth::scout_due(TimePoint now) const noexcept {
  return now >= next_scout_ && (ailing() || !expected(0, now));
}

void HostHealth::scouted(TimePoint now) noexcept { next_scout_ = now + kScoutTime; }

}  // namespace skimfs::fetch
