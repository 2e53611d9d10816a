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
const FetchLoop::Attempt* FetchLoop::exchange_before(const Order& order) const noexcept {
  const Host& host = *order.host;
  if (!order.sink || order.whole || host.running() != 2 || !host.pace->get().near()) return nullptr;
  if (!host.pipelines(clock_.now()) || host.breaker().state() != Breaker::State::closed)
    return nullptr;
  for (const Attempt& each : attempts_) {
    if (!each.order || !each.slice || each.order->object != order.object) continue;
    if (each.order->target == order.target && each.asked.last + 1 == order.range.first)
      return &each;
  }
  return nullptr;
}

// Anything else, an error too, may be meant for nobody.
bool FetchLoop::is_answer(const Attempt& attempt, const ResponseHead& head) {
  const Order& order = *attempt.order;
  return head.status == 206 &&
         accept(head, attempt.asked, order.sink->expect(order.at), order.whole).has_value();
}

// When its turn, or the answer in it, is not waited for any more.
TimePoint FetchLoop::turn_over(const Attempt& attempt) noexcept {
  return attempt.pipelined && !attempt.slice ? attempt.progressed + kStuck : TimePoint::max();
}

void FetchLoop::overdue_behind(Order& order) {
  Attempt& attempt = *order.attempt;
  const char* const why = attempt.sent ? "no answer" : "the answer before goes on";
  detach(attempt);
  abort(attempt);
  send_alone(order, why);
}

void FetchLoop::send_alone(Order& order, std::string_view why) {
  order.host->no_pipelining(clock_.now());
  report(order, "pipelining", 0, {}, std::chrono::milliseconds(0), why);
  enqueue(order);
}

}  // namespace skimfs::fetch
