// SPDX-License-Identifier: MIT
//
// A second request for what a reader waits for, where the answer to the first is late: the part of
// FetchLoop that knows hedges.
//
// The hedge runs beside the order's attempt, over a connection of its own, and belongs to nobody
// until its head is accepted, or the first one breaks; then it is the order's attempt.  Until then it
// might never have been: nothing it meets is held against the host or the order.
#include <utility>

#include "fetch/fetch_order.h"

namespace skimfs::fetch {

// When an answer that a reader waits for is late; TimePoint::max() for never.
TimePoint FetchLoop::late_at(const Attempt& attempt) {
  const Order* order = attempt.order;
  if (!order || !order->sink || order->priority != Priority::demand || order->hedged)
    return TimePoint::max();
  const auto patience = attempt.host.hedging.patience();
  if (!attempt.sent || attempt.slice || attempt.trial || !patience) return TimePoint::max();
  return attempt.progressed + *patience;
}

void FetchLoop::hedge_late() {
  looked_ = clock_.now();
  for (Attempt& attempt : attempts_)  // the new ones come last and are not late
    if (late_at(attempt) <= looked_ && attempt.host.hedging.earned()) start_hedge(attempt);
}

void FetchLoop::start_hedge(Attempt& first) {
  Order& order = *first.order;
  Host& host = first.host;
  if (host.breaker().state() != Breaker::State::closed) return;
  if (!admission_.could_take(host, clock_.now())) return;  // before what costs more to ask
  if (!order.sink->wanted() || !order.sink->useful()) return;
  const auto credential = credential_for(*order.object, order.origin(), order.target);
  if (!credential || !admission_.take(host, clock_.now())) return;
  host.hedging.spend();
  ++hedges_;
  Attempt& hedge = begin_attempt(order);
  hedge.order = nullptr;
  hedge.hedges = &order;
  hedge.drain_until = TimePoint::max();
  order.hedge = &hedge;
  order.hedged = true;
  const auto waited = std::chrono::ceil<std::chrono::milliseconds>(clock_.now() - first.progressed);
  report(order, "hedge", 0, {}, std::chrono::milliseconds(0),
         "no answer for " + std::to_string(waited.count()) + " ms");
  WireRequest request = request_for(order, hedge, *credential);
  request.fresh = true;
  transport_.start(request, hedge);
}

bool FetchLoop::on_hedge_head(Attempt& hedge, const ResponseHead& head) {
  Order& order = *hedge.hedges;
  auto slice = accept(head, hedge.asked, order.sink->expect(order.at), order.whole);
  if (!slice || !order.sink->begin(order.at, slice->seen, slice->counted)) {
    drop(hedge);
    return false;
  }
  ++hedges_won_;
  Attempt& first = *order.attempt;
  first.host.hedging.answered(clock_.now() - first.progressed);
  succeed(hedge);
  answered(hedge, true);
  accepted(hedge, *std::move(slice));
  return true;
}

// The first one broke before its answer.  True: the hedge is still out and goes on in its place.
// Another source that can be asked at once is asked instead.
bool FetchLoop::leave_to_hedge(Attempt& first, const Trouble& trouble) {
  Order& order = *first.order;
  if (!order.hedge || another_is_ready(order)) return false;
  ++errors_;
  ++first.host.errors;
  report(order, trouble.what, 0, trouble.error, std::chrono::milliseconds(0), "the hedge is out");
  succeed(*order.hedge);
  set_timer(order, clock_.now());  // to be watched
  return true;
}

bool FetchLoop::another_is_ready(const Order& order) const {
  for (std::size_t i = 0; i < order.sources.size(); ++i) {
    if (i == order.at) continue;
    const Prospect other = prospect(order, i);
    if (!other.out && !other.doubtful && other.ready <= clock_.now()) return true;
  }
  return false;
}

// From now on it is the order's attempt, in place of the first.
void FetchLoop::succeed(Attempt& hedge) noexcept {
  Order& order = *std::exchange(hedge.hedges, nullptr);
  order.hedge = nullptr;
  drop(*order.attempt);
  hedge.order = &order;
  order.attempt = &hedge;
}

// Its connection is closed at the next advance(): this may be a call of the transport's.
void FetchLoop::drop(Attempt& attempt) noexcept {
  if (attempt.hedges) attempt.hedges->hedge = nullptr;
  attempt.order = attempt.hedges = nullptr;
  attempt.drain_left = 0;
  attempt.drain_until = clock_.now();
}

void FetchLoop::drop_hedge(Order& order) noexcept {
  if (order.hedge) drop(*order.hedge);
}

}  // namespace skimfs::fetch
