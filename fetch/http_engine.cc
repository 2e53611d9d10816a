// SPDX-License-Identifier: MIT
//
// Which connections there are, and the loop that waits for what happens on them.
#include "fetch/http_engine.h"

#include <sched.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <new>
#include <utility>

#include "fetch/credential.h"
#include "fetch/curl_options.h"
#include "fetch/let_go.h"
#include "fetch/request_text.h"

namespace skimfs::fetch {
namespace {

using std::chrono::milliseconds;

// libcurl 7.88 has lost wake-ups before (#10146, #12971): look at those that connect this often.
constexpr milliseconds kSafetyTick{1000};
constexpr milliseconds kLongestWait = std::chrono::hours(24);
// A connection older than this is not used again: names lead elsewhere with time.
constexpr std::chrono::minutes kLifetime{10};
// What comes with a head, and what nobody wants, passes through a buffer of this size.
constexpr std::size_t kBuffer = 32 * 1024;

// That this process may use.
unsigned processors() noexcept {
  cpu_set_t usable;
  if (::sched_getaffinity(0, sizeof usable, &usable) != 0) return CPU_SETSIZE;  // more than fit
  return static_cast<unsigned>(CPU_COUNT(&usable));
}

bool is_secure(std::string_view url) noexcept { return url.starts_with("https:"); }

// Is a connection that shows one's certificate good for the other?
bool same_certificate(const Credential* one, const Credential* other) noexcept {
  static const Credential none;
  const Credential& a = one ? *one : none;
  const Credential& b = other ? *other : none;
  return a.certificate == b.certificate && a.key == b.key;
}

}  // namespace

HttpTransport::Engine::Engine(const FetchLimits& limits, SocketWatch& watch)
    : limits_(limits),
      epoll_(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"),
      sockets_(watch, limits.connections),
      busy_poll_(processors() > limits.lanes),
      buffer_(kBuffer) {
  init_libcurl_once();
  std::ranges::generate(shares_, make_share);
  multi_.reset(curl_multi_init());
  if (!multi_) throw std::bad_alloc();
  static_cast<void>(connecting_handle());  // an option that this libcurl lacks is told at the start
  CURLM* multi = multi_.get();
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &Engine::on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &Engine::on_timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
  if (!watch_socket(wake_.get(), EPOLLIN))
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

HttpTransport::Engine::~Engine() {
  for (const auto& connection : connections_)
    curl_multi_remove_handle(multi_.get(), connection->easy.get());
  connections_.clear();
  multi_.reset();
}

// ------------------------------------------------------------------------------- connections

bool HttpTransport::Engine::start(const WireRequest& request, Exchange& exchange) {
  const bool secure = is_secure(request.url);
  const bool to_proxy = !secure && !limits_.proxy.empty();
  auto text = request_text(request, to_proxy, std::chrono::system_clock::now());
  const std::string_view origin = parts_of(request.url).origin;

  if (Connection* const busy = text ? busy_for(request, origin) : nullptr) {
    engage(busy->next, request, *std::move(text), exchange);
    busy->next.reused = true;
    begun_.push_back(busy);
    return true;
  }
  Connection* const idle = request.fresh || !text ? nullptr : quiet_for(request, origin);
  Connection& connection = idle ? *idle : closed_connection();
  if (!idle) {
    connection.origin = origin;
    connection.host_port = request.host_port;
    connection.secure = secure;
    connection.tls = secure || is_secure(limits_.proxy);
  }
  std::erase(idle ? idle_ : closed_, &connection);  // nothing fails from here on
  const bool asks = text.has_value();
  engage(connection.talk, request, std::move(text).value_or(""), exchange);
  begun_.push_back(&connection);
  if (idle) {
    connection.state = Connection::State::running;
    sockets_.runs(connection.socket, true);
  } else {
    connection.state = Connection::State::dialling;
    ++dialling_;
    Dial& dial = connection.dial;
    dial.error[0] = '\0';
    dial.verdict = prepare(connection, request) ? Fault::none : Fault::local;
    if (!asks) dial.verdict = Fault::protocol;  // will not be signed the next time either
  }
  return false;
}

void HttpTransport::Engine::engage(Talk& talk, const WireRequest& request, std::string text,
                                   Exchange& exchange) noexcept {
  talk.exchange = &exchange;
  talk.wants = request.wants;
  talk.head_only = request.head_only;
  talk.public_only = request.public_only;
  talk.request = std::move(text);
  busy_poll_.started(request.wants);
}

void HttpTransport::Engine::abort(Exchange& exchange) noexcept {
  for (const auto& each : connections_) {
    Connection& connection = *each;
    if (connection.next.exchange == &exchange) {
      std::erase(begun_, &connection);
      // Its answer comes all the same, and would be taken for another's.
      if (connection.next.sent > 0 || connection.next.blocked) ask_no_more(connection);
      return forget(connection.next);
    }
    if (connection.talk.exchange != &exchange) continue;
    std::erase(begun_, &connection);
    forget(connection.talk);
    return connection.next.exchange ? dial_for_next(connection) : close(connection);
  }
}

// The one behind, if there is one: it was not there when the first began.  One that dials though it
// was to use a connection has waited for a turn that does not come.
void HttpTransport::Engine::begin(Connection& connection) {
  if (connection.next.exchange) return send(connection);
  if (connection.state == Connection::State::running) return talk(connection, true);
  if (connection.dial.verdict != Fault::none)
    return not_connected(connection, connection.dial.verdict);
  if (std::exchange(connection.talk.reused, false)) connection.talk.exchange->lost();
  dial(connection);
}

bool HttpTransport::Engine::suits(const Connection& connection, const WireRequest& request,
                                  std::string_view origin) noexcept {
  if (connection.origin != origin || connection.host_port != request.host_port) return false;
  if (request.public_only && !connection.public_peer) return false;
  return !connection.secure ||
         same_certificate(connection.credential->get(), request.credential.get());
}

// The one that rested the shortest: its path is known best.
HttpTransport::Engine::Connection* HttpTransport::Engine::idle_for(
    const WireRequest& request, std::string_view origin) noexcept {
  for (auto at = idle_.rbegin(); at != idle_.rend(); ++at)
    if (!is_worn(**at) && suits(**at, request, origin)) return *at;
  return nullptr;
}

// The one this request may be sent over behind another: the answer there has begun, and the
// connection outlives it.  Not for as long as stretch follows stretch, either.
HttpTransport::Engine::Connection* HttpTransport::Engine::busy_for(
    const WireRequest& request, std::string_view origin) noexcept {
  if (!request.behind || request.fresh) return nullptr;
  const auto runs_it = [&](const auto& each) { return each->talk.exchange == request.behind; };
  const auto found = std::ranges::find_if(connections_, runs_it);
  if (found == connections_.end() || !suits(**found, request, origin)) return nullptr;
  const Talk& talk = (*found)->talk;
  const bool bears_it = talk.head.complete() && talk.head.minor() > 0 && talk.persistent;
  const bool free = talk.all_sent() && !(*found)->next.exchange;
  return bears_it && free && !is_worn(**found) ? found->get() : nullptr;
}

// One on which nothing has come meanwhile: an end of it, or an answer that nobody asked for.
HttpTransport::Engine::Connection* HttpTransport::Engine::quiet_for(
    const WireRequest& request, std::string_view origin) noexcept {
  while (Connection* const idle = idle_for(request, origin)) {
    if (is_quiet(*idle)) return idle;
    close(*idle);
  }
  return nullptr;
}

bool HttpTransport::Engine::is_quiet(const Connection& connection) noexcept {
  char byte;
  std::size_t got = 0;
  return curl_easy_recv(connection.easy.get(), &byte, 1, &got) == CURLE_AGAIN;
}

bool HttpTransport::Engine::is_worn(const Connection& connection) const noexcept {
  return clock_.now() - connection.made >= kLifetime;
}

HttpTransport::Engine::Connection& HttpTransport::Engine::closed_connection() {
  if (!closed_.empty()) return *closed_.back();
  auto connection = std::make_unique<Connection>();
  connection->engine = this;
  connection->easy = connecting_handle();
  CURL* easy = connection->easy.get();
  SKIMFS_SET(easy, CURLOPT_PRIVATE, connection.get());
  SKIMFS_SET(easy, CURLOPT_ERRORBUFFER, connection->dial.error.data());
  SKIMFS_SET(easy, CURLOPT_OPENSOCKETDATA, connection.get());
  const std::size_t count = connections_.size() + 1;
  for (auto* list : {&closed_, &idle_, &evicted_, &begun_, &pending_}) list->reserve(count);
  connections_.push_back(std::move(connection));
  closed_.push_back(connections_.back().get());
  return *closed_.back();
}

void HttpTransport::Engine::rest(Connection& connection) noexcept {
  connection.state = Connection::State::idle;
  connection.idle_since = clock_.now();
  sockets_.runs(connection.socket, false);
  forget_pending(connection);
  idle_.push_back(&connection);
}

void HttpTransport::Engine::close(Connection& connection) noexcept {
  if (connection.state == Connection::State::dialling) --dialling_;
  for (auto* list : {&idle_, &evicted_}) std::erase(*list, &connection);
  leave_socket(connection);
  connection.state = Connection::State::closed;
  closed_.push_back(&connection);
}

void HttpTransport::Engine::leave_socket(Connection& connection) noexcept {
  if (by_socket(connection.socket)) by_socket_[std::size_t(connection.socket)] = nullptr;
  connection.socket = -1;
  forget_pending(connection);
  curl_multi_remove_handle(multi_.get(), connection.easy.get());
  sockets_.forget_gone();
}

void HttpTransport::Engine::forget_pending(Connection& connection) noexcept {
  if (std::exchange(connection.pending, false)) std::erase(pending_, &connection);
}

void HttpTransport::Engine::forget(Talk& talk) noexcept {
  busy_poll_.ended(talk.wants);
  talk.exchange = nullptr;
  talk.sent = 0;
  talk.blocked = talk.reused = talk.heard = false;
  let_go(talk.request);
  let_go(talk.line);
  talk.head.reset();
  talk.body.reset();
  talk.persistent = false;
}

// The request that its talk holds goes over another connection.
void HttpTransport::Engine::start_over(Connection& connection) noexcept {
  leave_socket(connection);
  connection.talk.sent = 0;
  connection.talk.blocked = false;
  connection.dial.error[0] = '\0';
  connection.dial.verdict = Fault::none;
  connection.state = Connection::State::dialling;
  ++dialling_;
}

// The connection is over before it was the next one's turn.
void HttpTransport::Engine::dial_for_next(Connection& connection) noexcept {
  std::swap(connection.talk, connection.next);
  start_over(connection);
  begun_.push_back(&connection);
}

void HttpTransport::Engine::finish(Connection& connection, Fault fault, std::string_view detail,
                                   bool keep) {
  Exchange& exchange = *connection.talk.exchange;
  forget(connection.talk);
  const bool next_has_turn = keep && connection.next.exchange;
  if (next_has_turn)
    std::swap(connection.talk, connection.next);
  else if (connection.next.exchange)
    dial_for_next(connection);
  else if (keep && !is_worn(connection))
    rest(connection);
  else
    close(connection);
  exchange.end({fault, detail});
  if (next_has_turn) connection.talk.exchange->connected(true, connection.public_peer);
}

void HttpTransport::Engine::close_evicted() noexcept {
  while (!evicted_.empty()) close(*evicted_.back());
}

void HttpTransport::Engine::close_old() noexcept {
  const TimePoint since = clock_.now() - limits_.idle_timeout;
  while (!idle_.empty() && idle_.front()->idle_since <= since) close(*idle_.front());
}

void HttpTransport::Engine::network_changed() {
  while (!idle_.empty()) close(*idle_.back());
  std::ranges::generate(shares_, make_share);
  dead_.clear();
}

// ---------------------------------------------------------------------------------- the loop

milliseconds HttpTransport::Engine::wait_time(milliseconds at_most) const {
  if (!pending_.empty() || !evicted_.empty()) return milliseconds(0);
  milliseconds wait = dialling_ > 0 ? std::min(at_most, kSafetyTick) : at_most;
  const TimePoint now = clock_.now();
  if (timer_) wait = std::min(wait, std::chrono::ceil<milliseconds>(*timer_ - now));
  if (!idle_.empty()) {
    const Duration rested = now - idle_.front()->idle_since;
    wait = std::min(wait, std::chrono::ceil<milliseconds>(limits_.idle_timeout - rested));
  }
  return std::clamp(wait, milliseconds(0), kLongestWait);
}

int HttpTransport::Engine::await(std::span<epoll_event> events, milliseconds at_most) {
  const auto wait = [&](milliseconds most) {
    return ::epoll_wait(epoll_.get(), events.data(), int(events.size()), int(most.count()));
  };
  if (at_most == milliseconds(0)) return wait(at_most);
  const TimePoint until = busy_poll_.look_until(clock_.now());
  int count = 0;
  while (count == 0 && clock_.now() < until) count = wait(milliseconds(0));
  if (count == 0) count = wait(at_most);
  busy_poll_.waited(clock_.now());
  return count;
}

void HttpTransport::Engine::poll(milliseconds at_most) {
  if (!begun_.empty()) return begin_all();  // which may have changed how long the caller would wait
  std::array<epoll_event, 64> events;
  const int count = await(events, wait_time(at_most));
  for (int i = 0; i < count; ++i) happened(events[std::size_t(i)]);
  receive_pending();
  const TimePoint now = clock_.now();
  if ((timer_ && *timer_ <= now) || (dialling_ > 0 && count == 0)) {
    timer_.reset();
    act(CURL_SOCKET_TIMEOUT, 0);
    // Called a fraction too early, libcurl neither acts nor tells the time again.
    if (!timer_) ask_for_timer();
  }
  if (now - nudge_ >= kSafetyTick) {
    nudge_ = now;
    nudge_dialling();
    sockets_.forget_gone();
  }
  collect();
  close_evicted();
  close_old();
}

void HttpTransport::Engine::begin_all() {
  while (!begun_.empty()) {
    Connection& connection = *begun_.front();
    begun_.erase(begun_.begin());
    begin(connection);  // which may put it there again
  }
}

void HttpTransport::Engine::happened(const epoll_event& event) {
  const int socket = event.data.fd;
  if (socket == wake_.get()) {
    std::uint64_t ignored;
    [[maybe_unused]] const auto got = ::read(socket, &ignored, sizeof ignored);
    return;
  }
  if (Connection* const connection = by_socket(socket)) {
    using State = Connection::State;
    if (connection->state == State::idle && !is_quiet(*connection)) return close(*connection);
    if (connection->state == State::running && connection->asking().blocked) send(*connection);
    if (connection->state == State::running && (event.events & ~EPOLLOUT) != 0)
      receive(*connection);
    return;
  }
  int what = 0;
  if (event.events & EPOLLIN) what |= CURL_CSELECT_IN;
  if (event.events & EPOLLOUT) what |= CURL_CSELECT_OUT;
  if (event.events & (EPOLLERR | EPOLLHUP)) what |= CURL_CSELECT_ERR;
  act(socket, what);
}

void HttpTransport::Engine::receive_pending() {
  for (std::size_t left = pending_.size(); left > 0 && !pending_.empty(); --left) {
    Connection& connection = *pending_.front();
    pending_.erase(pending_.begin());
    connection.pending = false;
    receive(connection);
  }
}

HttpTransport::Engine::Connection* HttpTransport::Engine::by_socket(int socket) const noexcept {
  const auto at = static_cast<std::size_t>(socket);
  return at < by_socket_.size() ? by_socket_[at] : nullptr;
}

bool HttpTransport::Engine::watch_socket(int socket, std::uint32_t events) noexcept {
  epoll_event event{.events = events, .data = {.fd = socket}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket, &event) == 0) return true;
  return errno == EEXIST && ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket, &event) == 0;
}

void HttpTransport::Engine::wake() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

// ----------------------------------------------------------------------------------- the seam

HttpTransport::HttpTransport(const FetchLimits& limits, SocketWatch& watch)
    : engine_(std::make_unique<Engine>(limits, watch)) {}
HttpTransport::~HttpTransport() = default;

bool HttpTransport::start(const WireRequest& request, Exchange& exchange) {
  return engine_->start(request, exchange);
}
void HttpTransport::abort(Exchange& exchange) noexcept { engine_->abort(exchange); }
void HttpTransport::poll(milliseconds at_most) { engine_->poll(at_most); }
void HttpTransport::wake() noexcept { engine_->wake(); }
void HttpTransport::network_changed() { engine_->network_changed(); }

}  // namespace skimfs::fetch
