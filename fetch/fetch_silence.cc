// SPDX-License-Identifier: MIT
//
// Hosts that say nothing: the part of FetchLoop that knows breakers, slots held for nothing, and
// networks that change.
//
// A host is judged by attempts that ended without a sign of life.  While its breaker is not closed
// its orders wait in the queue for a trial; when it opens, and with every trial that fails from
// then on, they end or go to another source.
#include <algorithm>
#include <array>
#include <cstdio>

#include "fetch/fetch_order.h"

namespace skimfs::fetch {

// A scout is there to find out.
bool FetchLoop::demanded(const Order& order) {
  if (order.sink) return order.sink->wanted();
  return !order.probe || order.probe->wanted();
}

bool FetchLoop::useful(const Order& order) {
  if (order.sink) return order.sink->useful();
  return !order.probe || order.probe->useful();
}

void FetchLoop::heard(Attempt& attempt) noexcept {
  attempt.heard = true;
  if (attempt.host.breaker().alive(clock_.now()))
    report(attempt.host, "breaker", {}, "closed: it answers");
}

// An attempt is over without a response: was the host silent?  Sets trouble.silent.
void FetchLoop::judge(Attempt& attempt, Trouble& trouble) noexcept {
  trouble.silent = trouble.silent && !attempt.heard && !attempt.reused;
  if (!trouble.silent) {
    // A certificate, or nonsense: somebody is there.
    if (trouble.kind != Trouble::Kind::transient && !attempt.heard) heard(attempt);
    return;
  }
  Breaker& breaker = attempt.host.breaker();
  const bool moved = breaker.failed(trouble.error, attempt.trial, attempt.began, clock_.now());
  if (moved) {
    std::array<char, 128> why{};
    std::snprintf(why.data(), why.size(), "%s: %u failures in a row, the last %s",
                  word(breaker.state()), breaker.failures(), trouble.what);
    report(attempt.host, "breaker", trouble.error, why.data());
  }
  if (moved || (attempt.trial && breaker.state() == Breaker::State::open)) break_off(attempt.host);
}

// Ends the orders that wait for a host: those nobody waits for, and, behind an open breaker, all.
void FetchLoop::break_off(Host& host) noexcept {
  const bool open = host.breaker().state() == Breaker::State::open;
  auto age = admission_.waiting_for(host, 0);
  for (; age; age = admission_.waiting_for(host, *age)) {
    Order& order = *orders_.at(*age);
    if (!demanded(order))
      finish(order, std::make_error_code(std::errc::operation_canceled));
    else if (open)
      serve(&order, [&] { give_up(order); });
  }
}

// The order goes where its origin led earlier, and that is not the origin's own host.
bool FetchLoop::may_have_moved(const Order& order) {
  return order.remembered && order.origin().host_port() != order.host->name();
}

// The host is known to be away: the order hears so without asking, unless there is another place.
void FetchLoop::give_up(Order& order) {
  if (order.state == Order::State::queued)
    admission_.remove(order.age, *order.host, order.priority);
  order.state = Order::State::waiting;
  if (may_have_moved(order)) return reresolve(order);
  pass_over(order, order.host->breaker().cause(), "breaker", "open");
}

// The order hears, without asking its source, that it is of no use.
void FetchLoop::pass_over(Order& order, std::error_code why, const char* what,
                          std::string_view detail) {
  Order::Source& source = order.source();
  order.last = source.error = why;
  source.out = true;
  ++source.failures;
  ++errors_;
  ++order.host->errors;
  const Next next = next_step(order);
  report(order, what, 0, why,
         next.end ? kNoRetry : std::chrono::ceil<std::chrono::milliseconds>(next.wait), detail);
  proceed(order, next);
}

// Its reader has waited long enough; the trial goes on for those who come.
void FetchLoop::leave_trial(Order& order) {
  Attempt& attempt = *order.attempt;
  attempt.drain_left = 0;
  attempt.drain_until =
      clock_.now() + (attempt.sent ? limits_.first_byte_timeout : limits_.connect_timeout);
  detach(attempt);
  give_up(order);
}

// Its host has more than its part of the slots.
bool FetchLoop::yields(const Attempt& attempt) const noexcept {
  return attempt.order && attempt.host.running() > admission_.part();
}

// A transfer that is stuck gives its slot to a host with less than its part.  True: one came free.
bool FetchLoop::make_room() noexcept {
  const TimePoint now = clock_.now();
  if (!admission_.starved(now)) return false;
  Attempt* longest = nullptr;
  for (Attempt& attempt : attempts_)
    if (yields(attempt) && (!longest || attempt.progressed < longest->progressed))
      longest = &attempt;
  if (!longest || now - longest->progressed < kStuck) return false;
  Order& order = detach(*longest);
  abort(*longest);
  report(order, "makes_room", 0, {}, std::chrono::milliseconds(0), "stuck while others wait");
  serve(&order, [&] { enqueue(order); });
  return true;
}

void FetchLoop::network_changed(const char* why) noexcept {
  const TimePoint now = clock_.now();
  ++network_changes_;
  hosts_.network_changed(now);
  renew_ = true;
  renew_connections();
  for (auto next = attempts_.begin(); next != attempts_.end();) {
    Attempt& attempt = *next++;
    attempt.shaken = now;
    if (attempt.hedges)
      abort(attempt);  // by its connection; the first one has two seconds
    else if (attempt.order)
      serve(attempt.order, [&] { watch(*attempt.order); });
  }
  observer_.on_event({.what = "net_change", .detail = why});
}

// Where there is no memory for it, before anything starts the next time.
void FetchLoop::renew_connections() noexcept {
  if (renew_) renew_ = !attempted([&] { transport_.network_changed(); });
}

}  // namespace skimfs::fetch
