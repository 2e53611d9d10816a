// SPDX-License-Identifier: MIT
//
// A stretch of a near file that is asked for over the connection which brings the one before it,
// before that answer is over: the part of FetchLoop that pipelines (RFC 9112 section 9.3.2).
//
// So a lone stream keeps to one connection, and that is never idle.  A server that does not bear it
// is found out by the first request that comes to nothing: this goes over another connection and
// counts against nobody, and for a while none is pipelined there.
#include "fetch/fetch_order.h"

namespace skimfs::fetch {

// The one that brings what lies just before, where nothing else runs at a near host: far away, and
// beside others, several connections bring more.  Null: there is none.
FetchLoop::Attempt* FetchLoop::exchange_before(const Order& order) noexcept {
  constexpr unsigned kBoth = 2;  // that one, and this
  const Host& host = *order.host;
  if (!order.sink || order.whole || !host.bears_pipelining(clock_.now())) return nullptr;
  if (host.running() != kBoth || !host.pace->get().near()) return nullptr;
  if (host.breaker().state() != Breaker::State::closed) return nullptr;
  for (Attempt& each : attempts_) {
    if (!each.order || !each.slice || each.followed || each.order->object != order.object) continue;
    if (!(each.order->target == order.target)) continue;
    const bool next = each.asked.last + 1 == order.range.first;
    // Who waits does not do so behind what nobody waits for.
    if (next && each.order->priority <= order.priority) return &each;
  }
  return nullptr;
}

// Or the host's word for whoever asks.  Anything else, an error too, may be meant for nobody.
bool FetchLoop::is_answer(const Attempt& attempt, const ResponseHead& head) {
  constexpr int kTooManyRequests = 429, kUnavailable = 503;
  if (head.status == kTooManyRequests || head.status == kUnavailable) return true;
  const Order& order = *attempt.order;
  return accept(head, attempt.asked, order.sink->expect(order.at), false).has_value();
}

// When its turn, or the answer in it, is not waited for any more.
TimePoint FetchLoop::turn_over(const Attempt& attempt) noexcept {
  return attempt.pipelined && !attempt.slice ? attempt.progressed + kStuck : TimePoint::max();
}

void FetchLoop::give_up_turn(Attempt& attempt) {
  // Somebody who looks so late was kept from receiving, too.
  const bool slept = attempt.shaken || clock_.now() >= turn_over(attempt) + kStuck;
  if (slept) return ask_again(attempt);
  ask_alone(attempt, attempt.sent ? "no answer" : "the answer before goes on");
}

void FetchLoop::end_pipelining(const Attempt& attempt, std::string_view why) {
  attempt.host.no_pipelining(clock_.now());
  if (attempt.order) report(*attempt.order, "pipelining", 0, {}, std::chrono::milliseconds(0), why);
}

void FetchLoop::ask_alone(Attempt& attempt, std::string_view why) {
  end_pipelining(attempt, why);
  ask_again(attempt);
}

// A hedge that is out has asked already.
void FetchLoop::ask_again(Attempt& attempt) {
  Order& order = *attempt.order;
  if (order.hedge) {
    succeed(*order.hedge);
    return set_timer(order, clock_.now());  // to be watched
  }
  detach(attempt);
  drop(attempt);
  enqueue(order);
}

}  // namespace skimfs::fetch
