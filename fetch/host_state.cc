// SPDX-License-Identifier: MIT
//
// Additive increase, multiplicative decrease, and counters.
#include "fetch/host_state.h"

#include <utility>

namespace skimfs::fetch {
namespace {

constexpr unsigned kGoodForOneMore = 32;

}  // namespace

void Host::started(TimePoint now) noexcept {
  ++running_;
  ++requests;
  last_used_ = now;
  budget_.request(now);
  breaker_.started();
}

void Host::pause(TimePoint until) noexcept {
  ++pauses_;
  paused_until_ = std::max(paused_until_, until);
}

void Host::network_changed(TimePoint now) noexcept {
  breaker_.reset(now);
  hedging.forget_times();
  if (!was_busy_) limit_ = cap_;
}

void Host::good() noexcept {
  if (limit_ == cap_) return;
  if (++good_ < (was_busy_ ? kGoodForOneMore : 1)) return;
  good_ = 0;
  if (++limit_ == cap_) was_busy_ = false;
}

void Host::pushed_back(Why why, TimePoint began, TimePoint now) noexcept {
  was_busy_ |= why == Why::busy;
  if (began <= cut_) return;
  cut_ = now;
  good_ = 0;
  limit_ = std::max(limit_ / 2, 1u);
}

bool Host::idle(TimePoint now) const noexcept {
  return unused() && limit_ == cap_ && paused_until_ <= now && conditional_ &&
         bears_pipelining(now) && breaker_.failures() == 0;
}

HostStatus Host::status(TimePoint now) const {
  HostStatus status;
  status.host = name_;
  status.open = static_cast<unsigned>(opened - closed);
  status.idle = status.open - std::min(status.open, running_);
  status.limit = limit_;
  status.opened = opened;
  status.reused = reused;
  status.closed = closed;
  status.requests = requests;
  status.retries = retries;
  status.errors = errors;
  status.breaker = word(breaker_.state());
  status.breaker_opened = breaker_.opened();
  status.retry_budget = budget_.left(now);
  status.pauses = pauses_;
  status.paused =
      std::chrono::ceil<std::chrono::milliseconds>(std::max(Duration::zero(), paused_until_ - now));
  return status;
}

Host& HostTable::at(std::string_view name) {
  const auto found = hosts_.find(name);
  if (found != hosts_.end()) return found->second;
  std::shared_ptr<Pace> pace = paces_.at(name);  // first: no host is without one
  Host& host =
      hosts_.emplace(std::string(name), Host(std::string(name), caps_.of(name))).first->second;
  host.pace = std::move(pace);
  return host;
}

void HostTable::forget_idle(std::size_t most, TimePoint now) {
  if (hosts_.size() <= most) return;
  std::erase_if(hosts_, [now](const auto& entry) { return entry.second.idle(now); });
  while (hosts_.size() > most) {
    auto oldest = hosts_.end();
    for (auto host = hosts_.begin(); host != hosts_.end(); ++host) {
      if (!host->second.unused()) continue;
      if (oldest == hosts_.end() || host->second.last_used() < oldest->second.last_used())
        oldest = host;
    }
    if (oldest == hosts_.end()) break;  // as many orders as hosts, and those are bounded
    hosts_.erase(oldest);
  }
  paces_.trim(most);
}

void HostTable::network_changed(TimePoint now) noexcept {
  for (auto& [name, host] : hosts_) host.network_changed(now);
}

void HostTable::opened(std::string_view host_port) noexcept {
  Host& host = at(host_port);
  ++host.opened;
  host.pace->note_connections(host.opened - host.closed);
  ++opened_ever_;
  peak_ = std::max(peak_, ++open_);
}

void HostTable::closed(std::string_view host_port) noexcept {
  Host& host = at(host_port);
  ++host.closed;
  host.pace->note_connections(host.opened - host.closed);
  --open_;
}

}  // namespace skimfs::fetch
