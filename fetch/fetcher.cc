// SPDX-License-Identifier: MIT
//
// Which lane an order goes to.
#include "fetch/fetcher.h"

#include <cassert>
#include <new>
#include <utility>

#include "fetch/lane.h"
#include "fetch/merged_status.h"
#include "fetch/order_lanes.h"
#include "fetch/sharding.h"
#include "fetch/url.h"

namespace skimfs::fetch {
namespace {

// Whose lane an object's orders go to: of the source that is preferred.
std::string preferred_host(const Object& object) {
  const auto url = object.urls.empty() ? Url::parse({}) : Url::parse(object.urls.front());
  return url ? url->host_port() : std::string();
}

}  // namespace

Fetcher::Fetcher(FetchLimits limits, const Clock& clock, FetchObserver& observer,
                 const NetSources& networks)
    : orders_(std::make_unique<OrderLanes>()) {
  const unsigned lanes = limits.lanes, connections = limits.connections;
  assert(lanes >= 1 && lanes <= OrderLanes::kMostLanes && lanes <= connections &&
         lanes <= limits.connections_per_host);
  for (unsigned lane = 0; lane < lanes; ++lane) {
    const HostCaps caps(lane, lanes, connections, limits.connections_per_host);
    FetchLimits part = limits;
    part.connections = connections_of(lane, lanes, connections);
    part.connections_per_host = caps.largest();
    lanes_.push_back(std::make_unique<Lane>(part, caps, clock, observer, networks()));
  }
}

// A lane may still post to another: all end before the first one goes.
Fetcher::~Fetcher() { stop(); }

unsigned Fetcher::lane_of(std::string_view host_port) const noexcept {
  return home_lane(host_port, static_cast<unsigned>(lanes_.size()));
}

unsigned Fetcher::lane_of(const Object& object) const {
  return lanes_.size() == 1 ? 0 : lane_of(preferred_host(object));
}

OrderId Fetcher::new_id() noexcept { return next_id_.fetch_add(1, std::memory_order_relaxed); }

void Fetcher::fetch(RangeOrder order) {
  const unsigned lane = lane_of(*order.object);
  if (orders_->note(order.id, lane)) order.priority = Priority::demand;
  lanes_[lane]->post(std::move(order));
}

void Fetcher::probe(ProbeOrder order) {
  const unsigned lane = lane_of(*order.object);
  if (orders_->note(order.id, lane)) order.priority = Priority::demand;
  lanes_[lane]->post(std::move(order));
}

// The orders of one id may be at several hosts.
void Fetcher::promote(OrderId id) noexcept {
  if (id == 0) return;
  const unsigned told = orders_->promote(id);
  try {
    for (unsigned lane = 0; lane < lanes_.size(); ++lane)
      if (told >> lane & 1) lanes_[lane]->post(Lane::Promotion{id});
  } catch (const std::bad_alloc&) {
    // The order goes on in its old turn.
  }
}

std::shared_ptr<Pace> Fetcher::pace(const Object& object) {
  const std::string host = preferred_host(object);
  return lanes_[lane_of(host)]->pace(host);
}

void Fetcher::stop() noexcept {
  for (const auto& lane : lanes_) lane->end();
  for (const auto& lane : lanes_) lane->join();
}

FetchStatus Fetcher::status() const {
  std::vector<FetchStatus> each;
  each.reserve(lanes_.size());
  for (const auto& lane : lanes_) each.push_back(lane->status());
  return merged(std::move(each));
}

}  // namespace skimfs::fetch
