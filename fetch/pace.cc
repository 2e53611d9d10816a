// SPDX-License-Identifier: MIT
#include "fetch/pace.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace skimfs::fetch {
namespace {

constexpr std::chrono::seconds kPeriod{10};
// As long as an idle connection is kept, unless told otherwise.
constexpr std::chrono::seconds kLately{30};
constexpr std::size_t kMostKept = 4096;

Duration::rep lately_until(TimePoint now) noexcept {
  return (now + kLately).time_since_epoch().count();
}

Duration least(Duration a, Duration b) noexcept {
  if (a == Duration::zero()) return b;
  return b == Duration::zero() ? a : std::min(a, b);
}

}  // namespace

HostPace Pace::get() const noexcept {
  return {Duration(first_byte_.load(std::memory_order_relaxed)),
          rate_.load(std::memory_order_relaxed), settled_.load(std::memory_order_relaxed)};
}

bool Pace::warm(TimePoint now) const noexcept {
  return connections_.load(std::memory_order_relaxed) > 0 ||
         now.time_since_epoch().count() < asked_lately_until_.load(std::memory_order_relaxed);
}

bool Pace::claim_warming(TimePoint now) noexcept {
  Duration::rep until = asked_lately_until_.load(std::memory_order_relaxed);
  if (warm(now)) return false;
  return asked_lately_until_.compare_exchange_strong(until, lately_until(now),
                                                     std::memory_order_relaxed);
}

void Pace::note_asked(TimePoint now) noexcept {
  asked_lately_until_.store(lately_until(now), std::memory_order_relaxed);
}

void Pace::note_connections(std::uint64_t open) noexcept {
  connections_.store(open, std::memory_order_relaxed);
}

void Pace::note_first_byte(Duration took, TimePoint now) noexcept {
  turn(now);
  best_[0].first_byte = least(best_[0].first_byte, std::max(took, Duration(1)));
  first_byte_.store(least(best_[0].first_byte, best_[1].first_byte).count(),
                    std::memory_order_relaxed);
}

void Pace::note_body(std::uint64_t bytes, Duration took, bool settled, TimePoint now) noexcept {
  turn(now);
  const double seconds = std::max(std::chrono::duration<double>(took).count(), 1e-6);
  best_[0].rate = std::max(best_[0].rate, static_cast<double>(bytes) / seconds);
  rate_.store(std::max(best_[0].rate, best_[1].rate), std::memory_order_relaxed);
  if (settled) settled_.store(true, std::memory_order_relaxed);
}

// What is known stays until something newer is: a host that was not asked has not moved.
void Pace::turn(TimePoint now) noexcept {
  if (now < until_) return;
  until_ = now + kPeriod;
  best_[1] = {best_[0].known() ? best_[0].first_byte : best_[1].first_byte,
              best_[0].rate > 0 ? best_[0].rate : best_[1].rate};
  best_[0] = {};
}

std::shared_ptr<Pace> PaceBook::at(std::string_view host_port) {
  const std::lock_guard lock(mutex_);
  const auto found = paces_.find(host_port);
  if (found != paces_.end()) return found->second;
  if (paces_.size() >= kMostKept) drop_unused();
  return paces_.emplace(std::string(host_port), std::make_shared<Pace>()).first->second;
}

void PaceBook::trim(std::size_t most) {
  const std::lock_guard lock(mutex_);
  if (paces_.size() > most) drop_unused();
}

void PaceBook::drop_unused() {
  std::erase_if(paces_, [](const auto& entry) { return entry.second.use_count() == 1; });
}

}  // namespace skimfs::fetch
