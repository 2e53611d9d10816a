// SPDX-License-Identifier: MIT
#include "tests/bench/path_model.h"

#include <algorithm>

namespace skimfs::bench {
namespace {

using namespace std::chrono_literals;

// So far ahead of its rate a connection may send; else many would wait behind one large piece.
constexpr Duration kBurst = 2ms;
constexpr Duration kLeastTimeout = 200ms;  // TCP_RTO_MIN of Linux

Duration time_for(std::uint64_t bytes, double rate) {
  if (rate <= 0) return Duration::zero();
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(static_cast<double>(bytes) / rate));
}

}  // namespace

OneWay::OneWay(const PathLimits& limits, SharedLine& line, TimePoint open_at)
    : limits_(limits),
      line_(line),
      open_at_(open_at),
      free_at_(open_at),
      may_send_(open_at),
      last_sent_(open_at),
      window_(limits.first_window == 0 ? limits.window
                                       : std::min(limits.first_window, limits.window)) {}

std::uint64_t OneWay::room(TimePoint now) {
  hear_acks(now);
  shrink_when_idle(now);
  may_send_ = std::max(open_at_, std::max(free_at_, line_.free_at) - kBurst);
  if (now < may_send_ || in_flight_ >= window_) return 0;
  return window_ - in_flight_;
}

TimePoint OneWay::ask_again() const {
  if (in_flight_ < window_) return may_send_;
  return acks_.empty() ? TimePoint::max() : acks_.front().at;
}

TimePoint OneWay::send(std::uint64_t bytes, TimePoint now) {
  in_flight_ += bytes;
  last_sent_ = now;
  free_at_ = std::max(now, free_at_) + time_for(bytes, limits_.connection_rate);
  line_.free_at = std::max(now, line_.free_at) + time_for(bytes, limits_.total_rate);
  return std::max({now, free_at_, line_.free_at}) + limits_.delay;
}

void OneWay::taken(std::uint64_t bytes, TimePoint now) {
  acks_.push_back({now + limits_.delay, bytes});
}

void OneWay::hear_acks(TimePoint now) {
  for (; !acks_.empty() && acks_.front().at <= now; acks_.pop_front()) {
    in_flight_ -= acks_.front().bytes;
    window_ = std::min(window_ + acks_.front().bytes, limits_.window);
  }
}

void OneWay::shrink_when_idle(TimePoint now) {
  if (in_flight_ > 0 || limits_.first_window == 0) return;
  const Duration timeout = std::max(kLeastTimeout, 3 * limits_.delay);
  for (; now - last_sent_ >= timeout; last_sent_ += timeout)
    window_ = std::max(window_ / 2, std::min(limits_.first_window, limits_.window));
}

}  // namespace skimfs::bench
