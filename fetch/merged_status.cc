// SPDX-License-Identifier: MIT
//
// See merged_status.h.
#include "fetch/merged_status.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace skimfs::fetch {
namespace {

int badness(std::string_view breaker) noexcept {
  return breaker == "closed" ? 0 : breaker == "doubtful" ? 1 : 2;
}

void add(HostStatus& to, const HostStatus& from) {
  to.open += from.open;
  to.idle += from.idle;
  to.limit += from.limit;
  to.opened += from.opened;
  to.reused += from.reused;
  to.closed += from.closed;
  to.requests += from.requests;
  to.retries += from.retries;
  to.errors += from.errors;
  if (badness(from.breaker) > badness(to.breaker)) to.breaker = from.breaker;
  to.breaker_opened += from.breaker_opened;
  to.retry_budget += from.retry_budget;
  to.pauses += from.pauses;
  to.paused = std::max(to.paused, from.paused);
}

void add(FetchStatus& to, const FetchStatus& from) {
  to.lanes += from.lanes;
  to.connections_open += from.connections_open;
  to.connections_idle += from.connections_idle;
  to.connections_peak += from.connections_peak;
  to.connections_limit += from.connections_limit;
  to.orders_running += from.orders_running;
  to.orders_queued += from.orders_queued;
  to.connections_opened += from.connections_opened;
  to.connections_reused += from.connections_reused;
  to.requests += from.requests;
  to.retries += from.retries;
  to.errors += from.errors;
  to.hedges += from.hedges;
  to.hedges_won += from.hedges_won;
  to.redirects += from.redirects;
  to.mirror_switches += from.mirror_switches;
  to.bytes_received += from.bytes_received;
  to.network_changes = std::max(to.network_changes, from.network_changes);
}

}  // namespace

FetchStatus merged(std::vector<FetchStatus> lanes) {
  if (lanes.size() == 1) return std::move(lanes.front());
  FetchStatus sum;
  std::map<std::string, HostStatus> hosts;  // in the order of names, as of one lane
  for (const FetchStatus& lane : lanes) {
    add(sum, lane);
    for (const HostStatus& host : lane.hosts) {
      const auto [known, first] = hosts.try_emplace(host.host, host);
      if (!first) add(known->second, host);
    }
  }
  for (auto& [name, host] : hosts) sum.hosts.push_back(std::move(host));
  return sum;
}

}  // namespace skimfs::fetch
