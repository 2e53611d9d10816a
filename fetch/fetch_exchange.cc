// SPDX-License-Identifier: MIT
//
// What an exchange tells, and what its connection is worth once nobody wants the body.
#include <algorithm>
#include <utility>

#include "fetch/fetch_order.h"

namespace skimfs::fetch {
namespace {

// A connection is worth so much of a body that nobody wants at the least, and at the most: below
// it, receiving the rest is cheaper than a new connection and its slow start.
constexpr std::uint64_t kDrainLeast = 256 * 1024;
constexpr std::uint64_t kDrainMost = 4 * 1024 * 1024;
// Of a probe's answer: less than its first receive may bring anyway.
constexpr std::uint64_t kDrainProbe = 16 * 1024;
// An unwanted body of undeclared length.
constexpr std::uint64_t kDrainUndeclared = 16 * 1024;
constexpr std::chrono::seconds kDrainTime{2};

// What a new connection would cost instead, handshake and slow start, in bytes of this one.
std::uint64_t worth_draining(const HostPace& pace) noexcept {
  constexpr double kRoundTrips = 4;
  const double seconds = std::chrono::duration<double>(pace.first_byte).count() * kRoundTrips;
  const double bytes = std::min(seconds * pace.rate, double{kDrainMost});
  return std::max(kDrainLeast, static_cast<std::uint64_t>(bytes));
}

// Was it we who could not ask, or may not?  What breaks the rules before it is `sent` is our own
// request, or a proxy's answer.
bool is_ours(Fault fault, bool sent) noexcept {
  return fault == Fault::local || fault == Fault::address || (fault == Fault::protocol && !sent);
}

// Is it a word about whether the host is there?
bool tells_of_host(Fault fault, bool sent) noexcept {
  return fault != Fault::proxy_denied && !is_ours(fault, sent);
}

}  // namespace

void FetchLoop::on_connected(Attempt& attempt, bool reused, bool public_peer) {
  attempt.peer_is_public = public_peer;
  attempt.sent = true;
  attempt.reused = reused;
  attempt.progressed = clock_.now();
  if (reused) {
    ++attempt.host.reused;
    ++reused_;
  }
  if (attempt.order)
    watch_later(*attempt.order);
  else if (attempt.trial)
    attempt.drain_until = attempt.progressed + limits_.first_byte_timeout;  // a trial left alone
}

// It was not used after all, and the transport times connecting.
void FetchLoop::on_lost(Attempt& attempt) {
  if (attempt.sent) {
    if (attempt.pipelined) end_pipelining(attempt, "the connection has ended");
    --attempt.host.reused;
    --reused_;
  } else {
    attempt.began = clock_.now();  // it only waited for its turn
  }
  attempt.sent = attempt.reused = attempt.pipelined = false;
  attempt.progressed = clock_.now();
  if (attempt.order)
    watch_later(*attempt.order);
  else if (attempt.trial)
    attempt.drain_until = attempt.progressed + limits_.connect_timeout;  // a trial left alone
}

bool FetchLoop::on_head(Attempt& attempt, const ResponseHead& head) {
  heard(attempt);
  if (attempt.hedges) return on_hedge_head(attempt, head);
  if (!attempt.order) return false;
  if (attempt.pipelined && !is_answer(attempt, head)) {
    ask_alone(attempt, "not what was asked for");
    return false;
  }
  const bool failed =
      trouble_of(head.status, Errc::server_failed, "").kind == Trouble::Kind::transient;
  if (failed) host_failed(attempt);
  answered(attempt, !failed);
  if (is_redirect(head.status) && head.count("Location") == 1) {
    redirected(attempt, head.value("Location"));
    return drain_all(attempt, head);
  }
  return attempt.order->sink ? on_range_head(attempt, head) : on_probe_head(attempt, head);
}

void FetchLoop::answered(Attempt& attempt, bool well) {
  const TimePoint now = clock_.now();
  attempt.first_byte = now - attempt.progressed;
  attempt.progressed = now;
  if (!well) return;
  attempt.host.health.good();
  if (attempt.timed()) attempt.host.health.answered(attempt.first_byte, now);
}

bool FetchLoop::on_range_head(Attempt& attempt, const ResponseHead& head) {
  Order& order = *attempt.order;
  auto slice = accept(head, attempt.asked, order.sink->expect(order.at), order.whole);
  if (!slice) return refused(attempt, head, slice.error());
  if (!order.sink->begin(order.at, slice->seen, slice->counted)) {
    mismatched(detach(attempt), slice->seen, head.status);
    return drain_all(attempt, head);
  }
  accepted(attempt, *std::move(slice));
  return true;
}

void FetchLoop::accepted(Attempt& attempt, Slice slice) {
  Order& order = *attempt.order;
  drop_hedge(order);
  attempt.host.good();
  if (attempt.timed()) {
    attempt.host.hedging.answered(attempt.first_byte);
    attempt.host.pace->note_first_byte(attempt.first_byte, attempt.progressed);
    order.pace->note_first_byte(attempt.first_byte, attempt.progressed);
  }
  if (order.source().plain) attempt.host.never_condition();
  learn_target(order);
  resolved(order);
  order.source().suspect.reset();
  attempt.accepted = attempt.window = attempt.progressed;
  begin_look(attempt);
  // Of what a hedge asked for the first one may have brought some since.
  const std::uint64_t had =
      std::min(slice.length, order.range.first + order.sink->kept() - attempt.asked.first);
  attempt.asked.first += had;
  slice.skip += had;
  slice.length -= had;
  attempt.slice = std::move(slice);
  watch_later(order);
}

bool FetchLoop::on_probe_head(Attempt& attempt, const ResponseHead& head) {
  const auto seen = accept_probe(head);
  if (!seen) return refused(attempt, head, seen.error());
  if (becomes_fetch(attempt, head, *seen)) return true;
  attempt.host.good();
  Order& order = detach(attempt);
  learn_target(order);
  finish(order, {}, *seen);
  return drain_all(attempt, head);
}

// The answer to a probe that asked for more than one byte: if its body is taken, the probe is over
// and its order goes on as the fetch of these bytes.  They pass the same door as all others.  Not
// those of an answer without a range: nothing tells them from some server's word in between.
bool FetchLoop::becomes_fetch(Attempt& attempt, const ResponseHead& head, const Version& seen) {
  Order& order = *attempt.order;
  const std::uint64_t bytes = std::min(order.range.length(), *seen.total);
  if (head.status != 206 || order.range.length() == 1 || bytes == 0) return false;
  if (!may_speculate(attempt)) return false;
  auto sink = order.probe->taker(order.at, seen, bytes);
  if (!sink) return false;
  const ByteRange range{0, bytes - 1};
  std::optional<Slice> slice;
  const bool fits = attempted([&] {  // without memory the answer is worth knowing all the same
    auto accepted = accept(head, range, sink->expect(order.at), false);
    if (accepted && sink->begin(order.at, accepted->seen, accepted->counted))
      slice = *std::move(accepted);
  });
  if (!fits || !slice) {
    sink->finish(std::make_error_code(std::errc::operation_canceled));
    return false;
  }
  attempt.probe = false;
  attempt.asked = order.range = range;
  order.sink = std::move(sink);
  order.priority = Priority::sibling;  // until somebody waits for it
  order.beginning = true;
  std::exchange(order.probe, nullptr)->finish({}, seen, order.at);
  accepted(attempt, *std::move(slice));
  return true;
}

// From here on nobody waits: too many of these would hold the slots that are kept for who does.
bool FetchLoop::may_speculate(const Attempt& attempt) const {
  unsigned here = 0, in_all = 0;
  for (const Attempt& each : attempts_) {
    if (&each == &attempt || !each.order) continue;
    // A beginning's promotion may have been meant for its probe.
    const Order& order = *each.order;
    const bool awaited =
        order.beginning ? order.sink->wanted() : order.priority == Priority::demand;
    if (awaited) continue;
    ++in_all;
    if (&each.host == &attempt.host) ++here;
  }
  return admission_.bears_speculation(attempt.host, here, in_all);
}

std::span<std::byte> FetchLoop::space(const Attempt& attempt) noexcept {
  if (!attempt.order || !attempt.slice) return {};
  const Slice& slice = *attempt.slice;
  if (attempt.received < slice.skip || attempt.left() == 0) return {};
  const std::span<std::byte> space = attempt.order->sink->space();
  return space.first(std::min<std::uint64_t>(space.size(), attempt.left()));
}

bool FetchLoop::on_body(Attempt& attempt, std::span<const std::byte> bytes) {
  if (!attempt.order) {
    if (bytes.size() > attempt.drain_left) return false;
    attempt.drain_left -= bytes.size();
    return true;
  }
  const Slice& slice = *attempt.slice;
  const std::uint64_t at = attempt.received;
  attempt.received += bytes.size();
  attempt.progressed = clock_.now();
  heard(attempt);
  if (attempt.received > slice.body) {
    Order& order = detach(attempt);
    failed(order, trouble_of(206, Errc::bad_response, "long_body"), 0, "more bytes than declared");
    return false;
  }

  const std::uint64_t from = std::clamp(slice.skip, at, attempt.received);
  const std::uint64_t to = std::clamp(slice.skip + slice.length, at, attempt.received);
  RangeSink::Took took = RangeSink::Took::more;
  if (from < to) {
    took = attempt.order->sink->take(bytes.subspan(from - at, to - from));
    bytes_ += to - from;
  }
  const std::uint64_t left = slice.body - attempt.received;
  switch (took) {
    case RangeSink::Took::enough:
      finish(detach(attempt), std::make_error_code(std::errc::operation_canceled));
      return drain(attempt, left);
    case RangeSink::Took::corrupt:
      failed(detach(attempt),
             {.error = Errc::digest_mismatch,
              .what = "digest_mismatch",
              .kind = Trouble::Kind::violation,
              .connection_lost = true},
             0, {});
      return false;
    case RangeSink::Took::more:
      break;
  }
  // What brings bytes may go on: stalls and slowness end it, and readers have deadlines of their
  // own.
  attempt.order->deadline = attempt.progressed + limits_.order_timeout;
  if (!slice.counted || to < slice.skip + slice.length) return true;
  part_done(detach(attempt), attempt);
  return drain(attempt, left);
}

void FetchLoop::on_end(Attempt& attempt, const ExchangeEnd& end) {
  if (attempt.order) {
    const bool whole = attempt.slice && attempt.received == attempt.slice->body;
    if (end.fault == Fault::none && whole)
      part_done(detach(attempt), attempt);
    else
      broken(attempt, end);
  } else if (attempt.trial && !attempt.heard && tells_of_host(end.fault, attempt.sent)) {
    Trouble trouble = trouble_of(end.fault);
    judge(attempt, trouble);
  }
}

void FetchLoop::broken(Attempt& attempt, const ExchangeEnd& end) {
  const bool ours = is_ours(end.fault, attempt.sent);
  if (attempt.pipelined && !attempt.slice && !ours) return ask_alone(attempt, end.detail);
  // Who does not bear what is sent behind may cut the answer before it, too (RFC 9112 section 9.6).
  if (attempt.followed && !ours) end_pipelining(attempt, end.detail);
  // A body that ends with its connection ends "well" wherever it is cut.
  const Fault fault = end.fault == Fault::none && attempt.slice ? Fault::short_body : end.fault;
  if (fault == Fault::connect || fault == Fault::connect_timeout)
    attempt.host.pushed_back(Host::Why::away, attempt.began, clock_.now());
  Trouble trouble = trouble_of(fault);
  trouble.reused = attempt.reused || attempt.followed;
  if (!ours && !nobodys_fault(trouble)) host_failed(attempt);
  if (tells_of_host(fault, attempt.sent)) judge(attempt, trouble);
  if (!leave_to_hedge(attempt, trouble)) failed(detach(attempt), trouble, 0, end.detail);
}

// ------------------------------------------------------------------------------------- attempts

FetchLoop::Order& FetchLoop::detach(Attempt& attempt) noexcept {
  Order& order = *attempt.order;
  attempt.order = nullptr;
  order.attempt = nullptr;
  order.state = Order::State::waiting;
  drop_hedge(order);
  return order;
}

bool FetchLoop::drain(Attempt& attempt, std::uint64_t left) noexcept {
  const std::uint64_t most = attempt.probe ? std::max(kDrainProbe, attempt.asked.length())
                                           : worth_draining(attempt.host.pace->get());
  if (left > most) return false;
  attempt.drain_left = left;
  attempt.drain_until = clock_.now() + kDrainTime;
  return true;
}

bool FetchLoop::drain_all(Attempt& attempt, const ResponseHead& head) noexcept {
  if (attempt.head_only) return drain(attempt, 0);
  return drain(attempt, body_length(head).value_or(kDrainUndeclared));
}

void FetchLoop::release(Attempt& attempt) noexcept {
  if (attempt.hedges) attempt.hedges->hedge = nullptr;
  if (attempt.trial) attempt.host.breaker().trial_over(attempt.began);
  admission_.ended(attempt.host);
  attempts_.erase(attempt.self);
}

void FetchLoop::abort(Attempt& attempt) noexcept {
  if (attempt.started) transport_.abort(attempt);
  release(attempt);
}

void FetchLoop::end_slow_drains() noexcept {
  const TimePoint now = clock_.now();
  for (auto next = attempts_.begin(); next != attempts_.end();) {
    Attempt& attempt = *next++;
    if (attempt.order || attempt.drain_until > now) continue;
    if (attempt.trial && !attempt.heard) {
      Trouble trouble = silence();
      judge(attempt, trouble);
    }
    abort(attempt);
  }
}

}  // namespace skimfs::fetch
