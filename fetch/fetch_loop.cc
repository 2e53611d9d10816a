// SPDX-License-Identifier: MIT
//
// The life of every order.
#include "fetch/fetch_loop.h"

#include <algorithm>

#include "fetch/fetch_order.h"
#include "fetch/header_parse.h"

namespace skimfs::fetch {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMostRemembered = 1024;
constexpr std::size_t kMostRememberedBytes = 2 << 20;
constexpr std::size_t kMostHosts = 1024;
constexpr std::size_t kMostEarly = 64;

}  // namespace

FetchLoop::FetchLoop(const FetchLimits& limits, const Clock& clock, FetchObserver& observer,
                     HostTable& hosts, Transport& transport, std::uint64_t seed)
    : limits_(limits),
      clock_(clock),
      observer_(observer),
      hosts_(hosts),
      transport_(transport),
      admission_(limits.connections),
      redirects_(kMostRemembered, kMostRememberedBytes),
      random_(seed) {}

FetchLoop::~FetchLoop() { stop(); }

// ---------------------------------------------------------------------------------- coming in

void FetchLoop::add(RangeOrder wanted) noexcept {
  Order* const order = new_order(wanted.id);
  if (!order) return wanted.sink->finish(no_memory());
  order->object = std::move(wanted.object);
  order->range = wanted.range;
  order->whole = wanted.whole;
  order->fresh = wanted.fresh;
  order->priority = wanted.priority;
  order->sink = std::move(wanted.sink);
  adopt(*order);
}

void FetchLoop::add(ProbeOrder wanted) noexcept {
  Order* const order = new_order(wanted.id);
  if (!order) return wanted.sink->finish(no_memory(), {}, 0);
  order->object = std::move(wanted.object);
  order->probe = std::move(wanted.sink);
  order->range = {0, wanted.bytes - 1};
  order->priority = wanted.priority;
  order->timeout = wanted.timeout;
  adopt(*order);
}

void FetchLoop::adopt(Order& order) noexcept {
  order.deadline = clock_.now() + order_time(order);
  set_timer(order, order.deadline);
  if (stopped_) return finish(order, std::make_error_code(std::errc::operation_canceled));
  if (std::ranges::find(early_, order.id) != early_.end()) order.priority = Priority::demand;
  serve(&order, [&] { begin(order); });
}

void FetchLoop::begin(Order& order) {
  if (!read_sources(order)) return finish(order, make_error_code(Errc::bad_response));
  const auto first = choose_source(order);
  if (!first) return finish(order, preferred_error(order));
  turn_to(order, first->source);
  const Url& preferred = order.sources.front().url;
  order.pace =
      order.target == preferred ? order.host->pace : hosts_.paces().at(preferred.host_port());
  order.pace->note_asked(clock_.now());
  attempted([&] { scout_others(order); });
  enqueue(order);
}

// Whoever sets a time of its own has something else to do after it: half of a request's is left.
Duration FetchLoop::order_time(const Order& order) const noexcept {
  const Duration most = limits_.order_timeout;
  return order.timeout == std::chrono::seconds::max() ? most
                                                      : std::min<Duration>(order.timeout, most / 2);
}

void FetchLoop::promote(OrderId id) noexcept {
  if (id == 0) return;
  // Whoever made the order may still be about to submit it, or another of the same id.
  attempted([&] { early_.push_back(id); });
  if (early_.size() > kMostEarly) early_.pop_front();
  const auto [first, last] = ages_.equal_range(id);
  for (auto age = first; age != last; ++age) {
    Order& order = *orders_.at(age->second);
    if (order.priority == Priority::demand) continue;
    give_more_time(order);
    // Else it goes on in its old turn.
    if (order.state != Order::State::queued ||
        attempted([&] { admission_.promote(order.age, *order.host, order.priority); }))
      order.priority = Priority::demand;
  }
  // Which may end orders of that id.
  while (const auto impatient = who_awaits_connection(id)) lose_patience(*impatient);
}

// Somebody waits from now on, and may do so for as long as if he had asked himself.
void FetchLoop::give_more_time(Order& order) noexcept {
  const bool ends_next = order.timer == order.deadline;
  order.deadline = clock_.now() + order_time(order);
  if (ends_next) set_timer(order, order.deadline);
}

void FetchLoop::aim(Order& order, Url target) {
  Host& host = hosts_.at(target.host_port());  // first: nothing fails after it
  if (order.host) --order.host->orders;
  order.host = &host;
  ++host.orders;
  order.target = std::move(target);
}

void FetchLoop::enqueue(Order& order) {
  const Breaker::State doubt = order.host->breaker().state();
  // Speculation does not wait for a host that may be gone, and a beginning is not asked for again.
  if ((doubt != Breaker::State::closed || order.beginning) && !demanded(order))
    return finish(order, std::make_error_code(std::errc::operation_canceled));
  if (patient(order)) return await_connection(order);
  order.state = Order::State::queued;
  order.patience = clock_.now() + Breaker::kPatience;
  set_timer(order, doubt == Breaker::State::open ? order.patience : order.deadline);
  admission_.enqueue(order.age, *order.host, order.priority);
}

// ------------------------------------------------------------------------------------- going out

void FetchLoop::advance() noexcept {
  renew_connections();
  while (!timers_.empty() && timers_.begin()->first <= clock_.now()) {
    Order& order = *orders_.at(timers_.begin()->second);
    serve(&order, [&] { on_timer(order); });
  }
  end_slow_drains();
  reconsider();
  do {
    while (const auto age = admission_.next(clock_.now())) {
      Order& order = *orders_.at(*age);
      serve(&order, [&] { launch(order); });
    }
  } while (make_room() || hedge_late());
  hosts_.forget_idle(kMostHosts, clock_.now());
}

void FetchLoop::launch(Order& order) {
  Slots slots(*this, *order.host);
  const std::uint64_t kept = order.sink ? order.sink->kept() : 0;
  const bool complete = order.sink && kept >= order.range.length();
  if (complete || !useful(order) || (slots.trial() && !demanded(order))) {
    slots.give_back();
    return finish(
        order, complete ? std::error_code{} : std::make_error_code(std::errc::operation_canceled));
  }
  const auto credential = credential_for(*order.object, order.origin(), order.target);
  if (!credential) {
    slots.give_back();
    order.state = Order::State::waiting;
    return failed(order, {.error = credential.error(), .what = "auth"}, 0,
                  why_denied(*order.object->profile, order.origin()));
  }
  Attempt& attempt = begin_attempt(order, slots);
  order.host->pace->note_asked(clock_.now());
  order.attempt = &attempt;
  order.state = Order::State::running;
  ++order.attempts;
  order.host->hedging.sent();
  WireRequest request = request_for(order, attempt, *credential);
  Attempt* const before = exchange_before(order);
  request.behind = before;
  start(attempt, request);
  if (!attempt.pipelined) return;
  before->followed = true;
  watch_later(order);
}

FetchLoop::Attempt& FetchLoop::begin_attempt(Order& order, Slots& slots) {
  Attempt& attempt = attempts_.emplace_back(*this, order, clock_.now());
  attempt.self = std::prev(attempts_.end());
  attempt.trial = slots.trial();
  slots.keep();
  attempt.asked = {order.range.first + (order.sink ? order.sink->kept() : 0), order.range.last};
  ++requests_;
  return attempt;
}

void FetchLoop::start(Attempt& attempt, const WireRequest& request) {
  attempt.pipelined = transport_.start(request, attempt);
  attempt.started = true;
}

WireRequest FetchLoop::request_for(const Order& order, Attempt& attempt,
                                   std::shared_ptr<const Credential> credential) {
  WireRequest request;
  request.credential = std::move(credential);
  request.public_only = must_be_public(order);
  request.url = order.target.text();
  request.host_port = order.target.host_port();
  request.fresh = order.source().fresh;
  request.head_only = order.source().by_head;
  request.wants = request.head_only ? 0 : attempt.asked.length();
  if (!request.head_only && !order.whole)
    request.headers.emplace_back("Range: bytes=" + std::to_string(attempt.asked.first) + '-' +
                                 std::to_string(attempt.asked.last));
  // A coded representation has other bytes at other places.
  request.headers.emplace_back("Accept-Encoding: identity");
  if (!limits_.user_agent.empty())
    request.headers.emplace_back("User-Agent: " + limits_.user_agent);
  attempt.conditional = add_condition(order, request);
  return request;
}

// Where a server of the whole Internet leads must be such a one, too: else it could have our
// network asked for it.  What the manifest itself names is the operator's business.
bool FetchLoop::must_be_public(const Order& order) const {
  return order.from_public && !limits_.private_addresses && !(order.target == order.origin());
}

// Conditions only spare a useless body; acceptance never relies on them.  A probe wants to hear of
// any version, so it carries none; If-Range would bring the whole new object.
bool FetchLoop::add_condition(const Order& order, WireRequest& request) const {
  if (!order.sink || order.source().plain || !order.host->conditional()) return false;
  const Version expect = order.sink->expect(order.at);
  if (is_strong_etag(expect.etag)) {
    request.headers.emplace_back("If-Match: " + expect.etag);
    return true;
  }
  if (!expect.last_modified) return false;
  request.headers.emplace_back("If-Unmodified-Since: " + format_http_date(*expect.last_modified));
  return true;
}

// ---------------------------------------------------------------------------------- stop, status

void FetchLoop::stop() noexcept {
  stopped_ = true;
  // Nobody goes on in another's place, which would need memory.
  for (const auto& [age, order] : orders_) {
    order->question.clear();
    order->awaits = nullptr;
  }
  reresolving_ = {};
  patient_.clear();
  while (!attempts_.empty()) {
    Attempt& attempt = attempts_.front();
    if (attempt.order) detach(attempt);
    abort(attempt);
  }
  while (!orders_.empty())
    finish(*orders_.begin()->second, std::make_error_code(std::errc::operation_canceled));
}

FetchStatus FetchLoop::status() const {
  FetchStatus status;
  status.lanes = 1;
  for (const auto& [name, host] : hosts_.all()) {
    status.hosts.push_back(host.status(clock_.now()));
    status.connections_idle += status.hosts.back().idle;
  }
  status.connections_open = hosts_.open();
  status.connections_peak = hosts_.peak();
  status.connections_limit = limits_.connections;
  status.connections_opened = hosts_.opened_ever();
  status.connections_reused = reused_;
  status.orders_running = static_cast<unsigned>(
      std::ranges::count_if(orders_, [](const auto& entry) { return entry.second->attempt; }));
  status.orders_queued = static_cast<unsigned>(orders_.size()) - status.orders_running;
  status.requests = requests_;
  status.retries = retries_;
  status.errors = errors_;
  status.redirects = followed_;
  status.hedges = hedges_;
  status.hedges_won = hedges_won_;
  status.mirror_switches = switches_;
  status.bytes_received = bytes_;
  status.network_changes = network_changes_;
  return status;
}

void FetchLoop::report(const Host& host, const char* what, std::error_code error,
                       std::string_view detail) noexcept {
  observer_.on_event({.what = what, .host = host.name(), .error = error, .detail = detail});
}

void FetchLoop::report(const Order& order, const char* what, int status, std::error_code error,
                       milliseconds wait, std::string_view detail) noexcept {
  observer_.on_event({.what = what,
                      .url = redact(order.origin().text()),
                      .host = order.host ? std::string_view(order.host->name()) : "",
                      .range = order.range,
                      .http_status = status,
                      .error = error,
                      .attempt = order.attempts,
                      .wait = wait,
                      .detail = detail,
                      .profile = profile_of(*order.object)});
}

}  // namespace skimfs::fetch
