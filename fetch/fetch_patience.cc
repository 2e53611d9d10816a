// SPDX-License-Identifier: MIT
//
// Whether a new connection is worth its cost: the part of FetchLoop that waits for a used one.
//
// It costs a round trip and begins slowly.  What is fetched ahead waits for one that others are
// about to leave; what a reader waits for, and files that fit into a first window, never do.
#include <algorithm>
#include <utility>

#include "fetch/fetch_order.h"

namespace skimfs::fetch {
namespace {

// So many connections speculation opens at once, and so many round trips it waits before another:
// as many as a new one may need to be as fast as those.
constexpr std::size_t kFewConnections = 4;
constexpr int kRoundTrips = 8;

}  // namespace

bool FetchLoop::patient(const Order& order) const {
  if (order.priority != Priority::next || order.impatient) return false;
  if (order.host->pace->get().capped()) return false;  // more connections bring more
  const auto here = patient_.find(order.host);
  const std::size_t waiting = here == patient_.end() ? 0 : here->second.size();
  const std::size_t open = order.host->opened - order.host->closed;
  return order.host->orders - waiting > std::max(kFewConnections, open);
}

void FetchLoop::await_connection(Order& order) {
  std::set<Age> one{order.age};
  patient_[order.host].merge(one);  // which needs no memory
  order.awaits = order.host;
  order.state = Order::State::waiting;
  set_timer(order, clock_.now() + kRoundTrips * order.host->pace->get().first_byte);
}

// From now on the order takes what connection there is.
void FetchLoop::forget_patient(Order& order) noexcept {
  const auto here = patient_.find(std::exchange(order.awaits, nullptr));
  if (here == patient_.end()) return;
  order.impatient = true;
  here->second.erase(order.age);
  if (here->second.empty()) patient_.erase(here);
}

void FetchLoop::lose_patience(Age age) noexcept {
  const auto found = orders_.find(age);
  if (found == orders_.end() || !found->second->awaits) return;
  Order& order = *found->second;
  forget_patient(order);
  serve(&order, [&] { enqueue(order); });
}

// One of the orders of that id.
std::optional<FetchLoop::Age> FetchLoop::who_awaits_connection(OrderId id) const noexcept {
  const auto [first, last] = ages_.equal_range(id);
  for (auto age = first; age != last; ++age)
    if (orders_.at(age->second)->awaits) return age->second;
  return std::nullopt;
}

void FetchLoop::connection_free(const Host& host) noexcept {
  const auto here = patient_.find(&host);
  if (here != patient_.end()) lose_patience(*here->second.begin());
}

}  // namespace skimfs::fetch
