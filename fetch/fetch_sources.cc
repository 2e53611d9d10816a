// SPDX-License-Identifier: MIT
//
// Which source an order asks: the part of FetchLoop that knows mirrors.
//
// An order asks one source at a time and takes up where the last one left off.  What failed
// lastingly is out for this order; what may pass is asked again when its wait is over, but every
// other source comes first.
#include <algorithm>

#include "fetch/fetch_order.h"
#include "fetch/mirror_choice.h"

namespace skimfs::fetch {
namespace {

// No reader waits for a scout.
constexpr std::chrono::seconds kScoutTimeout{20};

}  // namespace

// Every source that is a URL; none: the order cannot be served.
bool FetchLoop::read_sources(Order& order) {
  order.sources.reserve(order.object->urls.size());
  bool any = false;
  for (const std::string& text : order.object->urls) {
    Order::Source& source = order.sources.emplace_back();
    source.fresh = order.fresh;
    if (auto url = Url::parse(text)) {
      source.url = *std::move(url);
      any = true;
    } else {
      source.out = true;
      source.error = Errc::bad_response;
    }
  }
  return any;
}

// Null: the source itself.
const RedirectMemory::Target* FetchLoop::known_target(const Order& order, const Url& url) const {
  // A probe asks what the origin says now, which may be to go elsewhere than before.
  return order.sink ? redirects_.find({url, profile_of(*order.object)}) : nullptr;
}

// Where a source's bytes really come from, as far as that is known.
const Url& FetchLoop::expected_target(const Order& order, const Url& url) const {
  const RedirectMemory::Target* known = known_target(order, url);
  return known ? known->url : url;
}

bool FetchLoop::ailing(const Host& host) const noexcept {
  return host.health.ailing() || host.paused_until() > clock_.now();
}

Prospect FetchLoop::prospect(const Order& order, std::size_t index) const {
  const Order::Source& source = order.sources[index];
  Prospect prospect{.out = source.out, .ready = source.ready, .failures = source.failures};
  if (source.out || order.sources.size() == 1) return prospect;
  if (order.sink) {
    const Standing standing = order.sink->standing(index);
    prospect.out = standing == Standing::unusable;
    prospect.doubtful = standing == Standing::doubtful;
  }
  const Host& host = hosts_.at(expected_target(order, source.url).host_port());
  prospect.ailing = ailing(host);
  // A probe is a question to the preferred source, however slow it is.
  if (order.sink) prospect.expected = host.health.expected(order.range.length(), clock_.now());
  return prospect;
}

std::vector<Prospect> FetchLoop::prospects(const Order& order) const {
  std::vector<Prospect> all;
  all.reserve(order.sources.size());
  for (std::size_t i = 0; i < order.sources.size(); ++i) all.push_back(prospect(order, i));
  return all;
}

std::optional<Choice> FetchLoop::choose_source(const Order& order) const {
  return choose(prospects(order), clock_.now());
}

void FetchLoop::turn_to(Order& order, std::size_t source) {
  order.at = source;
  set_out(order);
}

// Points the order at where its source is known to lead, as if it had never been redirected.
void FetchLoop::set_out(Order& order) {
  const RedirectMemory::Target* known = known_target(order, order.origin());
  order.hops = 0;
  order.remembered = known;
  order.from_public = known && known->from_public;
  aim(order, known ? known->url : order.origin());
}

// What the order does next: asks a source now or later, or ends.
FetchLoop::Next FetchLoop::next_step(const Order& order) const {
  const auto choice = choose_source(order);
  if (!choice || choice->at >= order.deadline) return {.end = preferred_error(order)};
  // No retries for speculation: whoever wants these bytes later starts afresh.
  const bool waits = choice->at > clock_.now();
  if ((waits || order.beginning) && !demanded(order))
    return {.end = std::make_error_code(std::errc::operation_canceled)};
  return {.source = choice->source, .wait = waits ? choice->at - clock_.now() : Duration::zero()};
}

void FetchLoop::proceed(Order& order, const Next& next) {
  if (next.end) return finish(order, next.end);
  if (next.source != order.at) switch_to(order, next.source);
  if (next.wait == Duration::zero()) return enqueue(order);
  order.state = Order::State::waiting;
  set_timer(order, clock_.now() + next.wait);
}

void FetchLoop::switch_to(Order& order, std::size_t source) {
  const std::string from(redact(order.origin().text()));
  unresolved(order, order.last);
  turn_to(order, source);
  ++switches_;
  report(order, "mirror", 0, order.last, std::chrono::milliseconds(0), "instead of " + from);
}

// When all sources have failed, the first that may serve the version says why.
std::error_code FetchLoop::preferred_error(const Order& order) {
  for (std::size_t i = 0; i < order.sources.size(); ++i)
    if (may_say_why(order, i)) return order.sources[i].error;
  return order.last ? order.last : make_error_code(Errc::bad_response);
}

// Where one source decides whether the object has changed, no other says so.
bool FetchLoop::may_say_why(const Order& order, std::size_t index) {
  const std::error_code error = order.sources[index].error;
  if (!error || !order.sink || order.sources.size() == 1) return bool(error);
  if (order.sink->standing(index) == Standing::unusable) return false;
  if (error != Errc::changed) return true;
  for (std::size_t i = 0; i < order.sources.size(); ++i)
    if (order.sink->decides(i)) return false;
  return true;
}

// A source that failed for more than a passing reason is asked last for a while, by other orders
// too.
void FetchLoop::refuse(Order& order) {
  if (order.sink && order.sources.size() > 1) order.sink->refuse(order.at);
}

void FetchLoop::host_failed(const Attempt& attempt) noexcept {
  attempt.host.health.failed(attempt.began, clock_.now());
  reconsider_ = true;
}

// Orders that queue for a host that just failed go elsewhere, if they can.
void FetchLoop::reconsider() noexcept {
  if (!std::exchange(reconsider_, false)) return;
  std::vector<Age> queued;
  const bool all = attempted([&] {
    for (const auto& [age, order] : orders_)
      if (order->state == Order::State::queued && order->sources.size() > 1 && ailing(*order->host))
        queued.push_back(age);
  });
  reconsider_ = !all;
  std::ranges::sort(queued);
  for (const Age age : queued) {
    const auto found = orders_.find(age);
    if (found == orders_.end()) continue;
    Order& order = *found->second;
    serve(&order, [&] {
      const auto next = choose_source(order);
      if (!next || next->source == order.at || next->at > clock_.now()) return;
      admission_.remove(order.age, *order.host, order.priority);
      switch_to(order, next->source);
      enqueue(order);
    });
  }
}

// Looks, off the path of every reader, after sources that this order might have asked: is one that
// failed back, is one never asked much faster?
void FetchLoop::scout_others(const Order& order) {
  if (!order.sink || order.sources.size() == 1) return;
  const Prospect chosen = prospect(order, order.at);
  for (std::size_t i = 0; i < order.sources.size(); ++i) {
    if (i == order.at) continue;
    const Prospect other = prospect(order, i);
    if (other.out || other.doubtful) continue;
    Host& host = hosts_.at(expected_target(order, order.sources[i].url).host_port());
    const bool of_use = host.health.ailing() || worth_comparing(chosen.expected);
    if (!of_use || host.paused_until() > clock_.now() || !host.health.scout_due(clock_.now()))
      continue;
    host.health.scouted(clock_.now());
    auto object = std::make_shared<Object>(*order.object);
    object->urls = {order.object->urls[i]};
    Order* const scout = new_order(0);
    if (!scout) return;
    scout->object = std::move(object);
    scout->priority = Priority::sibling;
    scout->timeout = kScoutTimeout;
    adopt(*scout);
  }
}

}  // namespace skimfs::fetch
