// SPDX-License-Identifier: MIT
//
// When an order or an exchange has taken too long.
#include <algorithm>
#include <utility>

#include "fetch/fetch_order.h"

namespace skimfs::fetch {
namespace {

constexpr std::uint64_t kSlowBytesPerSecond = 1024;
// Who says nothing for so long is avoided by orders that can ask elsewhere.
constexpr std::chrono::seconds kSilence{4};

}  // namespace

void FetchLoop::set_timer(Order& order, TimePoint at) noexcept {
  auto timer = timers_.extract({order.timer, order.age});  // which is used again: no memory
  order.timer = std::min(at, order.deadline);
  timer.value().first = order.timer;
  timers_.insert(std::move(timer));
}

void FetchLoop::on_timer(Order& order) {
  if (order.timer >= order.deadline) return on_deadline(order);
  switch (order.state) {
    case Order::State::waiting:
      forget_patient(order);
      return proceed(order, next_step(order));
    case Order::State::running:
      return watch(order);
    case Order::State::queued:
      if (order.host->breaker().state() == Breaker::State::open) return give_up(order);
      return set_timer(order, order.deadline);
  }
}

void FetchLoop::on_deadline(Order& order) {
  // Nobody missed it.
  if (!order.attempt && !demanded(order))
    return finish(order, std::make_error_code(std::errc::operation_canceled));
  std::error_code outcome = order.last ? order.last : order.host->breaker().cause();
  if (!outcome) outcome = Errc::timed_out;
  if (order.state == Order::State::queued && order.host->paused_until() > clock_.now())
    outcome = Errc::too_busy;
  if (order.attempt) {
    Attempt& attempt = *order.attempt;
    outcome = Errc::timed_out;
    if (!attempt.slice && clock_.now() - attempt.began >= kSilence) host_failed(attempt);
    detach(attempt);
    if (clock_.now() - attempt.began >= kStuck) {
      Trouble trouble = silence();
      judge(attempt, trouble);
    }
    abort(attempt);
  }
  ++errors_;
  ++order.host->errors;
  report(order, "deadline", 0, outcome, kNoRetry, {});
  finish(order, outcome);
}

// Judges the silence, or the pace, of a running order, which may end its exchange: never from
// inside a call of the transport's.  Sets the timer to when to look again.
void FetchLoop::watch(Order& order) {
  Attempt& attempt = *order.attempt;
  const TimePoint now = clock_.now();
  if (now >= turn_over(attempt)) return give_up_turn(attempt);
  if (now >= trial_patience_over(attempt)) return leave_trial(order);
  const char* what = too_slow(attempt, now);
  bool blameless = attempt.reused;
  if (now >= shaken_over(attempt)) what = "net_change", blameless = true;
  if (!what) return watch_later(order);
  Trouble trouble{.error = Errc::timed_out,
                  .what = what,
                  .kind = Trouble::Kind::transient,
                  .connection_lost = true,
                  .reused = blameless,
                  .silent = !blameless};
  // Slow is not dead, and neither is who was cut off by our own move.
  if (!blameless && trouble.what != std::string_view("slow")) host_failed(attempt);
  judge(attempt, trouble);
  if (promising(order) && leave_to_hedge(attempt, trouble)) return;
  detach(attempt);
  abort(attempt);
  failed(order, trouble, 0, {});
}

// What has just come is not late, so this may be called from anywhere.
void FetchLoop::watch_later(Order& order) noexcept {
  const Attempt& attempt = *order.attempt;
  const TimePoint over =
      std::min({turn_over(attempt), trial_patience_over(attempt), shaken_over(attempt)});
  // Until it is sent the transport times connecting.
  const TimePoint late = attempt.sent ? watched_since(attempt) + patience(attempt) : order.deadline;
  set_timer(order, std::min(over, late));
}

Duration FetchLoop::patience(const Attempt& attempt) const noexcept {
  return attempt.slice ? limits_.stall_timeout : limits_.first_byte_timeout;
}

TimePoint FetchLoop::watched_since(const Attempt& attempt) noexcept {
  return attempt.slice ? std::min(attempt.progressed, attempt.window) : attempt.progressed;
}

// When the network has changed under it, and nothing has come since.
TimePoint FetchLoop::shaken_over(const Attempt& attempt) noexcept {
  const bool quiet = attempt.shaken && attempt.progressed <= *attempt.shaken;
  return quiet ? *attempt.shaken + kStuck : TimePoint::max();
}

// Of a breaker that is open: how long its reader waits.
TimePoint FetchLoop::trial_patience_over(const Attempt& attempt) noexcept {
  const bool waits = attempt.order && attempt.trial && !attempt.heard &&
                     attempt.host.breaker().state() == Breaker::State::open;
  return waits ? attempt.order->patience : TimePoint::max();
}

// Why it is, in a word; null: it is not.
const char* FetchLoop::too_slow(Attempt& attempt, TimePoint now) const noexcept {
  if (!attempt.sent) return nullptr;
  const Duration most = patience(attempt);
  if (now - attempt.progressed >= most) return attempt.slice ? "stall" : "first_byte_timeout";
  if (!attempt.slice || now - attempt.window < most) return nullptr;
  const auto least =
      kSlowBytesPerSecond * static_cast<std::uint64_t>(limits_.stall_timeout.count());
  if (attempt.received - attempt.window_start < least) return "slow";
  attempt.window = now;
  attempt.window_start = attempt.received;
  return nullptr;
}

TimePoint FetchLoop::wake_at() const noexcept {
  TimePoint at = timers_.empty() ? TimePoint::max() : timers_.begin()->first;
  at = std::min(at, admission_.wake_at(clock_.now()).value_or(TimePoint::max()));
  const bool starved = admission_.starved(clock_.now());
  for (const Attempt& attempt : attempts_) {
    if (!attempt.order) at = std::min(at, attempt.drain_until);
    if (const TimePoint late = late_at(attempt); late > looked_) at = std::min(at, late);
    if (starved && yields(attempt)) at = std::min(at, attempt.progressed + kStuck);
  }
  return at;
}

}  // namespace skimfs::fetch
