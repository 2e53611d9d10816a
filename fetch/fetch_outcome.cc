// SPDX-License-Identifier: MIT
//
// What becomes of an order whose attempt is over: it goes on, here or elsewhere, or ends.
#include <algorithm>
#include <ctime>

#include "fetch/fetch_order.h"
#include "fetch/header_parse.h"

namespace skimfs::fetch {
namespace {

using std::chrono::milliseconds;

// A body from which a rate can be told: a shorter one is a burst of the path.
constexpr std::uint64_t kRateBytes = 512 * 1024;
// Mismatches after which an object that answers with ever new versions counts as changed.
constexpr unsigned kMostMismatches = 3;
// A server that gives a range in more pieces than this wants no ranges.
constexpr unsigned kMostCuts = 64;
constexpr std::chrono::seconds kReplicaTime{1};

bool target_may_be_stale(int status) noexcept {
  return status == 400 || status == 401 || status == 403 || status == 404 || status == 410;
}

std::optional<std::chrono::seconds> retry_after(const ResponseHead& head) {
  const auto now = parse_http_date(head.value("Date")).value_or(std::time(nullptr));
  return parse_retry_after(head.value("Retry-After"), now);
}

std::string describe(const Version& version) {
  std::string text = version.etag.empty() ? "-" : version.etag;
  if (version.total) text += " total=" + std::to_string(*version.total);
  if (version.last_modified) text += " modified=" + std::to_string(*version.last_modified);
  return text;
}

}  // namespace

void FetchLoop::redirected(Attempt& attempt, std::string_view location) {
  Order& order = detach(attempt);
  auto target = follow(order.target, location, order.hops);
  if (!target) {
    return failed(order, {.error = target.error(), .what = "redirect_denied"}, 0, redact(location));
  }
  ++followed_;
  ++order.hops;
  order.from_public |= attempt.peer_is_public;
  aim(order, *std::move(target));
  enqueue(order);
}

bool FetchLoop::refused(Attempt& attempt, const ResponseHead& head, const Refusal& refusal) {
  Order& order = detach(attempt);
  Trouble trouble = trouble_of(head.status, refusal.code, refusal.what);
  trouble.reused = attempt.reused;
  // The origin still leads there: its links are dead, the object need not be gone.
  if (redirects_.expired(order.asked()) && !order.remembered && !(order.target == order.origin()) &&
      target_may_be_stale(head.status))
    trouble = {.error = Errc::denied, .what = "reresolve", .reused = attempt.reused};
  if (trouble.kind == Trouble::Kind::transient) trouble.retry_after = retry_after(head);
  if (refusal.code == Errc::too_busy) {
    const TimePoint now = clock_.now();
    attempt.host.pushed_back(Host::Why::busy, attempt.began, now);
    if (trouble.retry_after)
      attempt.host.pause(now + std::min(*trouble.retry_after, kLongestRetryAfter));
  }
  const bool keep = trouble.kind != Trouble::Kind::violation;
  if (refusal.code == Errc::changed) {
    mismatched(order, version_of(head), head.status);
  } else if (!another_way(order, attempt, head.status, refusal.code)) {
    failed(order, trouble, head.status, head.value("Content-Range"));
  }
  return keep && drain_all(attempt, head);
}

// A refusal that another form of the same request may avoid; each form is tried once.
bool FetchLoop::another_way(Order& order, const Attempt& attempt, int status, Errc code) {
  const char* what = nullptr;
  if (order.remembered && target_may_be_stale(status)) {
    report(order, "reresolve", status, make_error_code(code), milliseconds(0), {});
    reresolve(order);
    return true;
  }
  if (attempt.conditional && !order.source().plain && (status == 400 || status == 403)) {
    what = "unconditional";
    order.source().plain = true;
  } else if (!order.sink && !order.source().by_head && code == Errc::range_refused) {
    what = "head";
    order.source().by_head = true;
  } else {
    return false;
  }
  report(order, what, status, make_error_code(code), milliseconds(0), {});
  enqueue(order);
  return true;
}

// Where the origin redirects to is true for a while only.
void FetchLoop::back_to_origin(Order& order) {
  const RedirectMemory::Target* known = redirects_.find(order.asked());
  // Somebody may have found another one meanwhile.
  if (known && known->url == order.target) redirects_.forget(order.asked());
  turn_to(order, order.at);
}

// One response of another version may come from a stale replica or a broken connection; two in a
// row that agree are the truth.  Of a source that does not decide, one is enough to ask another.
void FetchLoop::mismatched(Order& order, const Version& seen, int status) {
  Order::Source& source = order.source();
  const bool confirmed = source.suspect == seen || ++source.mismatches >= kMostMismatches;
  const bool decides = order.sink->decides(order.at);
  source.suspect = seen;
  source.fresh = true;
  Next next{.source = order.at};
  if (decides) {
    if (confirmed) next.end = Errc::changed;
  } else {
    ++source.failures;
    source.error = Errc::changed;
    source.out = confirmed;
    // Where there are others it can wait; a replica may have caught up by then.
    if (order.sources.size() > 1) source.ready = clock_.now() + kReplicaTime;
    refuse(order);
    next = next_step(order);
  }
  const std::string detail =
      "want " + describe(order.sink->expect(order.at)) + " got " + describe(seen);
  report(order, confirmed ? "changed" : "suspect", status, make_error_code(Errc::changed),
         next.end ? kNoRetry : std::chrono::ceil<milliseconds>(next.wait), detail);
  count_retry(order, next);
  // The second answer must not come from the same stale place.
  if (order.remembered && !next.end) back_to_origin(order);
  proceed(order, next);
}

// The answer was accepted and complete; the server may have cut the range short.
void FetchLoop::part_done(Order& order, const Attempt& attempt) {
  const TimePoint now = clock_.now();
  attempt.host.health.transferred(attempt.received, now - attempt.accepted, now);
  attempt.host.hedging.brought(attempt.received,
                               attempt.first_byte + (attempt.progressed - attempt.accepted));
  if (attempt.received >= kRateBytes) {
    const Duration took = attempt.progressed - attempt.accepted;
    attempt.host.pace->note_body(attempt.received, took, attempt.reused, attempt.progressed);
    order.pace->note_body(attempt.received, took, attempt.reused, attempt.progressed);
  }
  if (attempt.asked.first + attempt.slice->length > order.range.last) return finish(order, {});
  const bool progress = order.range.first + order.sink->kept() > attempt.asked.first;
  if (progress && ++order.cuts < kMostCuts) return enqueue(order);
  failed(order, trouble_of(206, Errc::bad_response, "bad_content_range"), 206,
         progress ? "crumbs" : "no progress");
}

void FetchLoop::failed(Order& order, Trouble trouble, int status, std::string_view detail) {
  Order::Source& source = order.source();
  Host& host = *order.host;
  const bool may_move = may_have_moved(order);
  order.last = source.error = trouble.error;
  source.fresh |= trouble.connection_lost;
  ++errors_;
  ++host.errors;
  if (trouble.kind != Trouble::Kind::transient) refuse(order);
  if (!nobodys_fault(trouble)) ++source.failures;
  const bool progress = order.sink && order.sink->kept() > order.kept;
  if (progress) {
    order.kept = order.sink->kept();
    source.tries.counted = 0;  // what still brings bytes may go on until the deadline
    // The piece that was wrong before is right now; this is another one.
    if (trouble.error == Errc::digest_mismatch) source.tries.violations = 0;
  }
  const bool elsewhere = !(order.target == order.origin());
  if (elsewhere && trouble.connection_lost && !trouble.reused && !progress) back_to_origin(order);

  Retry retry;
  if (trouble.silent && host.breaker().state() != Breaker::State::closed) {
    // It says when the host is tried again, and attempts are not counted; a target that was only
    // remembered may have moved.
    retry.again = host.breaker().state() == Breaker::State::doubtful || may_move;
  } else {
    retry = decide(trouble, source.tries, std::uniform_real_distribution<>()(random_));
    // What goes on from where it was asks for nothing twice.
    if (retry.again && !progress && !charge(host, trouble, retry))
      detail = "the host has had its share of repetitions";
  }
  const bool scout = !order.sink && !order.probe;
  source.out = scout || !retry.again;
  source.ready = clock_.now() + retry.wait;
  const Next next = next_step(order);
  const bool unwanted = next.end == std::errc::operation_canceled;
  report(order, trouble.what, status, trouble.error,
         next.end ? kNoRetry : std::chrono::ceil<milliseconds>(next.wait),
         unwanted ? "nobody waits" : detail);
  count_retry(order, next);
  proceed(order, next);
}

// A repetition has to be borne by the host, unless it said itself when to come back or had closed a
// connection that idled.  False: it is not to be.
bool FetchLoop::charge(Host& host, const Trouble& trouble, Retry& retry) const {
  if (trouble.retry_after || (trouble.connection_lost && trouble.reused)) return true;
  const auto turn = host.retry_budget().take(clock_.now());
  retry.again = turn.has_value();
  if (turn) retry.wait = std::max(retry.wait, *turn);
  return retry.again;
}

void FetchLoop::count_retry(const Order& order, const Next& next) {
  if (next.end) return;
  ++retries_;
  ++order.host->retries;
}

void FetchLoop::finish(Order& order, std::error_code outcome, const Version& seen) noexcept {
  if (order.state == Order::State::queued)
    admission_.remove(order.age, *order.host, order.priority);
  forget_patient(order);
  unresolved(order, outcome);
  Host* const host = order.host;
  if (host) --host->orders;
  timers_.erase({order.timer, order.age});
  const auto [first, last] = ages_.equal_range(order.id);
  for (auto age = first; age != last; ++age) {
    if (age->second != order.age) continue;
    ages_.erase(age);
    break;
  }
  const auto gone = orders_.extract(order.age);
  if (order.sink) order.sink->finish(outcome);
  if (order.probe) order.probe->finish(outcome, seen, order.at);
  if (host) connection_free(*host);
}

}  // namespace skimfs::fetch
