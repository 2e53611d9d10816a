// SPDX-License-Identifier: MIT
//
// A second request for what a reader waits for, where the answer to the first is late or its body
// slow: the part of FetchLoop that knows hedges.
//
// The hedge runs beside the order's attempt, over a connection of its own, and belongs to nobody
// until its head is accepted, or the first one breaks; then it is the order's attempt, from the
// first byte missing.  Until then it might never have been: nothing it meets is held against the
// host or the order.
#include <algorithm>
#include <utility>

#include "fetch/fetch_order.h"
#include "fetch/mirror_choice.h"

namespace skimfs::fetch {
namespace {

// A body is judged by what it brought in so long, or in so many round trips: a connection begins
// slowly.
constexpr std::chrono::seconds kLook{1};
constexpr int kRoundTrips = 10;
constexpr std::chrono::hours kEndless{1};

Duration look_time(const Host& host) noexcept {
  return std::max<Duration>(kLook, kRoundTrips * host.pace->get().first_byte);
}

}  // namespace

// When a body has been looked at for long enough; TimePoint::max() for never.
TimePoint FetchLoop::look_end(const Attempt& attempt) {
  if (!attempt.order || !attempt.slice) return TimePoint::max();
  if (attempt.order->hedge) return TimePoint::max();  // it is judged when that answers
  return attempt.look + look_time(attempt.host);
}

// When an answer that a reader waits for is late, or its body to be judged; TimePoint::max() for
// never.
TimePoint FetchLoop::late_at(const Attempt& attempt) {
  const Order* order = attempt.order;
  if (!order || !order->sink || order->priority != Priority::demand || order->hedged)
    return TimePoint::max();
  if (!attempt.sent || attempt.trial) return TimePoint::max();
  const HedgePolicy& policy = attempt.host.hedging;
  if (!attempt.slice) {
    const auto patience = policy.patience();
    return patience ? attempt.progressed + *patience : TimePoint::max();
  }
  // What would begin again at its first byte stays where it is.
  const bool resumes = attempt.slice->counted && !order->whole;
  return resumes && policy.knows_rate() ? look_end(attempt) : TimePoint::max();
}

// True: an order waits to go on elsewhere.
bool FetchLoop::hedge_late() noexcept {
  looked_ = clock_.now();
  bool moved = false;
  for (auto next = attempts_.begin(); next != attempts_.end();) {
    Attempt& attempt = *next++;  // the new ones come last and are not late
    if (late_at(attempt) <= looked_ && attempt.host.hedging.earned()) {
      if (!attempt.slice) {
        start_hedge(attempt);
      } else {
        // An order that ends for want of memory makes room, too.
        if (!serve(attempt.order, [&] { moved |= help_if_slow(attempt); })) moved = true;
      }
    }
  }
  for (Attempt& attempt : attempts_)
    if (looked_ >= look_end(attempt)) begin_look(attempt);
  return moved;
}

// True: the attempt is no more, and its order waits to go on elsewhere.
bool FetchLoop::help_if_slow(Attempt& attempt) {
  // Somebody who looks so late was kept from receiving, too.
  if (looked_ - attempt.look >= 2 * look_time(attempt.host) || !slow(attempt)) return false;
  if (attempt.left() <= brought(attempt)) return false;  // nearly there
  if (move_on(attempt)) return true;
  if (!host_is_slow(attempt)) start_hedge(attempt);
  return false;
}

void FetchLoop::begin_look(Attempt& attempt) const noexcept {
  attempt.look = clock_.now();
  attempt.look_start = attempt.received;
}

// In the present look.
std::uint64_t FetchLoop::brought(const Attempt& attempt) noexcept {
  return attempt.received - attempt.look_start;
}

bool FetchLoop::slow(const Attempt& attempt) const noexcept {
  return attempt.host.hedging.slow(brought(attempt), clock_.now() - attempt.look);
}

// None of its bodies, if there are others, is faster: another connection would not be, either.
bool FetchLoop::host_is_slow(const Attempt& slow_one) const noexcept {
  bool alone = true;
  for (const Attempt& other : attempts_) {
    if (&other == &slow_one || &other.host != &slow_one.host || !other.order || !other.slice)
      continue;
    if (!slow(other)) return false;
    alone = false;
  }
  return !alone;
}

// Until its range is complete, if it goes on like this.
Duration FetchLoop::time_left(const Attempt& attempt) const noexcept {
  const std::chrono::duration<double> took = clock_.now() - attempt.look;
  const auto looks = static_cast<double>(attempt.left()) / std::max<double>(brought(attempt), 1);
  return std::chrono::duration_cast<Duration>(std::min<decltype(took)>(took * looks, kEndless));
}

// To another source, where that is known to bring the rest much sooner.
bool FetchLoop::move_on(Attempt& attempt) {
  Order& order = *attempt.order;
  if (order.sources.size() == 1 || !order.sink->wanted() || !order.sink->useful()) return false;
  std::vector<Prospect> others = prospects(order);
  others[order.at].out = true;
  const auto better = much_sooner(others, time_left(attempt), clock_.now());
  if (!better) return false;
  const Url& target = expected_target(order, order.sources[*better].url);
  if (!admission_.could_take(hosts_.at(target.host_port()), clock_.now())) return false;
  attempt.host.hedging.spend();
  order.hedged = true;
  detach(attempt);
  abort(attempt);
  switch_to(order, *better);
  enqueue(order);
  return true;
}

// Without memory there is none.
void FetchLoop::start_hedge(Attempt& first) noexcept {
  Order& order = *first.order;
  if (!attempted([&] { send_hedge(first); })) drop_hedge(order);
}

void FetchLoop::send_hedge(Attempt& first) {
  Order& order = *first.order;
  Host& host = first.host;
  if (host.breaker().state() != Breaker::State::closed) return;
  if (!admission_.could_take(host, clock_.now())) return;  // before what costs more to ask
  if (!order.sink->wanted() || !order.sink->useful()) return;
  const auto credential = credential_for(*order.object, order.origin(), order.target);
  if (!credential || !admission_.take(host, clock_.now())) return;
  Slots slots(*this, host);
  host.hedging.spend();
  ++hedges_;
  Attempt& hedge = begin_attempt(order, slots);
  hedge.order = nullptr;
  hedge.hedges = &order;
  hedge.drain_until = TimePoint::max();
  order.hedge = &hedge;
  order.hedged = true;
  const auto waited = std::chrono::ceil<std::chrono::milliseconds>(
      clock_.now() - (first.slice ? first.look : first.progressed));
  report(order, "hedge", 0, {}, std::chrono::milliseconds(0),
         (first.slice ? std::to_string(brought(first)) + " bytes in " : "no answer for ") +
             std::to_string(waited.count()) + " ms");
  if (first.slice) begin_look(first);
  WireRequest request = request_for(order, hedge, *credential);
  request.fresh = true;
  start(hedge, request);
}

// Is the answer to the hedge worth more than what the first one has by now?
bool FetchLoop::outdone(const Attempt& first, const Attempt& hedge, const Slice& slice) const {
  if (!first.slice) return true;
  const Order& order = *first.order;
  const std::uint64_t missing = order.range.first + order.sink->kept();
  return slice.counted && missing < hedge.asked.first + slice.length && slow(first);
}

bool FetchLoop::on_hedge_head(Attempt& hedge, const ResponseHead& head) {
  Order& order = *hedge.hedges;
  Attempt& first = *order.attempt;
  auto slice = accept(head, hedge.asked, order.sink->expect(order.at), order.whole);
  if (!slice || !outdone(first, hedge, *slice) ||
      !order.sink->begin(order.at, slice->seen, slice->counted)) {
    drop(hedge);
    return false;
  }
  ++hedges_won_;
  if (first.pipelined && !first.slice) end_pipelining(first, "the hedge was first");
  if (!first.slice && first.timed()) first.host.hedging.answered(clock_.now() - first.progressed);
  succeed(hedge);
  answered(hedge, true);
  accepted(hedge, *std::move(slice));
  return true;
}

// Has the hedge been out for no longer than an answer may take?
bool FetchLoop::promising(const Order& order) const {
  if (!order.hedge) return false;
  const auto patience = order.host->hedging.patience();
  return patience && clock_.now() - order.hedge->progressed < *patience;
}

// The first one is over before its answer, or its body.  True: the hedge is still out and goes on
// in its place.  Another source that can be asked at once is asked instead.
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
