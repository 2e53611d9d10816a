// SPDX-License-Identifier: MIT
//
// Where there is no memory: the order that is served ends, its sink hears why, and the loop goes
// on.
//
// Whatever is done for an order is done inside serve().  What may fail there leaves an order that
// finish() can end: its timer and its places in the queue and the tables need none, and a slot is
// somebody's at any time.  Served inside another's turn, an order fails alone.
#include <new>

#include "fetch/fetch_order.h"

namespace skimfs::fetch {

// Null: there is no memory for another one, and nothing is left of it.
FetchLoop::Order* FetchLoop::new_order(OrderId id) noexcept {
  const Age age = next_age_++;
  const bool made = attempted([&] {
    auto& place = orders_[age];
    place = std::make_unique<Order>();
    place->age = age;
    place->id = id;
    timers_.emplace(place->timer, age);
    if (id != 0) ages_.emplace(id, age);
  });
  if (made) return orders_.at(age).get();
  timers_.erase({TimePoint{}, age});
  orders_.erase(age);
  return nullptr;
}

// No effect on an order that has ended already.
void FetchLoop::end_without_memory(Age age) noexcept {
  const auto found = orders_.find(age);
  if (found == orders_.end()) return;
  Order& order = *found->second;
  if (order.attempt) {
    Attempt& attempt = *order.attempt;
    detach(attempt);
    drop(attempt);
    // It says nothing of the host.
    if (std::exchange(attempt.trial, false)) attempt.host.breaker().trial_over(attempt.began);
  }
  ++errors_;
  if (order.host) {
    ++order.host->errors;
    report(order, "resource", 0, no_memory(), kNoRetry, "no memory");
  }
  finish(order, no_memory());
}

}  // namespace skimfs::fetch
