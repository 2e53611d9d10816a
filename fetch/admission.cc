// SPDX-License-Identifier: MIT
//
// The queue in front of the sockets.
#include "fetch/admission.h"

#include <algorithm>

namespace skimfs::fetch {
namespace {

bool room(unsigned running, unsigned limit, bool demand) noexcept {
  return running < limit - (demand ? 0 : limit / 4);
}

}  // namespace

void Admission::enqueue(Age age, Host& host, Priority priority) {
  std::set<Age> one{age};
  lines_[static_cast<std::size_t>(priority)][&host].merge(one);  // which needs no memory
}

void Admission::remove(Age age, Host& host, Priority priority) noexcept {
  Lines& lines = lines_[static_cast<std::size_t>(priority)];
  const auto line = lines.find(&host);
  if (line == lines.end()) return;
  line->second.erase(age);
  if (line->second.empty()) lines.erase(line);
}

void Admission::promote(Age age, Host& host, Priority from) {
  if (from == Priority::demand) return;
  enqueue(age, host, Priority::demand);
  remove(age, host, from);
}

bool Admission::may_start(const Host& host, bool demand, TimePoint now) const noexcept {
  if (host.paused_until() > now || !host.breaker().admits(now)) return false;
  unsigned limit = host.limit();
  if (!host.breaker().trusted()) limit = std::min(limit, std::max(slots_ / 2, 1u));
  return room(host.running(), limit, demand);
}

unsigned Admission::part() const noexcept {
  const Lines& demand = lines_[static_cast<std::size_t>(Priority::demand)];
  const auto waiting =
      std::ranges::count_if(demand, [](const auto& line) { return line.first->running() == 0; });
  const auto hosts = hosts_running_ + static_cast<unsigned>(waiting);
  return std::max(slots_ / std::max(hosts, 1u), 1u);
}

std::optional<Admission::Age> Admission::next(TimePoint now) noexcept {
  const unsigned fair = part();
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const auto priority = static_cast<Priority>(i);
    const bool demand = priority == Priority::demand;
    if (!room(running_, slots_, demand)) return {};

    Host* chosen = nullptr;
    std::pair<bool, Age> best;  // has its part already; age
    for (const auto& [host, ages] : lines_[i]) {
      const std::pair<bool, Age> here{host->running() >= fair, *ages.begin()};
      if ((chosen && best < here) || !may_start(*host, demand, now)) continue;
      chosen = host;
      best = here;
    }
    if (!chosen) continue;
    remove(best.second, *chosen, priority);
    started(*chosen, now);
    return best.second;
  }
  return {};
}

bool Admission::take(Host& host, TimePoint now) noexcept {
  if (!could_take(host, now)) return false;
  started(host, now);
  return true;
}

bool Admission::could_take(const Host& host, TimePoint now) const noexcept {
  return room(running_, slots_, true) && may_start(host, true, now);
}

bool Admission::bears_speculation(const Host& host, unsigned here, unsigned in_all) const noexcept {
  return room(in_all, slots_, false) && room(here, host.limit(), false);
}

void Admission::started(Host& host, TimePoint now) noexcept {
  if (host.running() == 0) ++hosts_running_;
  host.started(now);
  ++running_;
}

void Admission::ended(Host& host) noexcept {
  host.ended();
  if (host.running() == 0) --hosts_running_;
  --running_;
}

std::optional<TimePoint> Admission::wake_at(TimePoint now) const {
  std::optional<TimePoint> first;
  for (const Lines& lines : lines_) {
    for (const auto& [host, ages] : lines) {
      const TimePoint at =
          std::max(host->paused_until(), host->breaker().next_trial().value_or(TimePoint::min()));
      if (at > now) first = std::min(first.value_or(TimePoint::max()), at);
    }
  }
  return first;
}

std::optional<Admission::Age> Admission::waiting_for(Host& host, Age after) const noexcept {
  std::optional<Age> first;
  for (const Lines& lines : lines_) {
    const auto line = lines.find(&host);
    if (line == lines.end()) continue;
    const auto age = line->second.upper_bound(after);
    if (age != line->second.end()) first = std::min(first.value_or(*age), *age);
  }
  return first;
}

bool Admission::starved(TimePoint now) const {
  if (running_ < slots_) return false;
  const unsigned fair = part();
  const Lines& demand = lines_[static_cast<std::size_t>(Priority::demand)];
  return std::ranges::any_of(demand, [&](const auto& line) {
    return line.first->running() < fair && may_start(*line.first, true, now);
  });
}

}  // namespace skimfs::fetch
