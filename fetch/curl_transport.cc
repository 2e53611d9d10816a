// SPDX-License-Identifier: MIT
//
// libcurl, held at arm's length.
//
// Facts about 7.88.1 this relies on, each with a test in curl_transport_test.cc:
// - with CURLMOPT_MAX_TOTAL_CONNECTIONS and CURLMOPT_MAX_HOST_CONNECTIONS a new connection evicts
//   the oldest idle one, so idle connections never keep a transfer pending while fewer run;
// - every new transfer first closes idle connections older than CURLOPT_MAXAGE_CONN, at most once a
//   second; a transfer that is refused its socket closes them and does nothing else;
// - a transfer that is refused the socket for one address goes on with the next;
// - a connection that has ended is found dead when it is to be used again;
// - names are cached with the share; CURLOPT_QUICK_EXIT lets go of a resolver thread that hangs
// instead of joining it.
#include "fetch/curl_transport.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <new>
#include <system_error>

#include "fetch/curl_engine.h"
#include "fetch/curl_options.h"
#include "fetch/fetcher.h"

namespace skimfs::fetch {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// libcurl 7.88 has lost wake-ups before (#10146, #12971): look at running transfers this often.
constexpr milliseconds kSafetyTick{1000};
constexpr milliseconds kLongestWait = std::chrono::hours(24);
// libcurl prunes idle connections no more often than this.
constexpr seconds kSweepSpacing{1};

}  // namespace

CurlTransport::Engine::Engine(const FetchLimits& limits, SocketWatch& watch)
    : limits_(limits),
      epoll_(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"),
      sockets_(watch) {
  init_libcurl_once();
  std::ranges::generate(shares_, make_share);
  multi_.reset(curl_multi_init());
  sweeper_.reset(curl_easy_init());
  if (!multi_ || !sweeper_) throw std::bad_alloc();

  CURLM* multi = multi_.get();
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &Engine::on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &Engine::on_timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(limits_.connections));
  curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(limits_.connections));
  // To libcurl everything behind a proxy is one host; how many go to each is the caller's business.
  const unsigned per_host =
      limits_.proxy.empty() ? limits_.connections_per_host : limits_.connections;
  curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, static_cast<long>(per_host));

  set_common(sweeper_.get());
  SKIMFS_SET(sweeper_.get(), CURLOPT_URL, "http://127.0.0.1:9/");
  SKIMFS_SET(sweeper_.get(), CURLOPT_FRESH_CONNECT, 1L);
  SKIMFS_SET(sweeper_.get(), CURLOPT_OPENSOCKETFUNCTION, &Engine::on_open_refused);
  SKIMFS_SET(sweeper_.get(), CURLOPT_MAXAGE_CONN,
             std::max(0L, long(limits_.idle_timeout.count()) - 1));

  epoll_event event{.events = EPOLLIN, .data = {.fd = wake_.get()}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

CurlTransport::Engine::~Engine() {
  for (const auto& slot : slots_)
    if (slot->exchange) curl_multi_remove_handle(multi_.get(), slot->easy.get());
  if (sweeping_) curl_multi_remove_handle(multi_.get(), sweeper_.get());
  slots_.clear();
  sweeper_.reset();
  multi_.reset();
}

void CurlTransport::Engine::set_common(CURL* easy) {
  fetch::set_common(easy, limits_);
  SKIMFS_SET(easy, CURLOPT_CLOSESOCKETFUNCTION, &Engine::on_close);
  SKIMFS_SET(easy, CURLOPT_CLOSESOCKETDATA, this);
}

CurlTransport::Engine::Slot& CurlTransport::Engine::free_slot() {
  if (!free_.empty()) {
    Slot& slot = *free_.back();
    free_.pop_back();
    return slot;
  }
  auto owned = std::make_unique<Slot>();
  Slot& slot = *owned;
  slot.engine = this;
  slot.easy.reset(curl_easy_init());
  if (!slot.easy) throw std::bad_alloc();
  CURL* easy = slot.easy.get();
  set_common(easy);
  SKIMFS_SET(easy, CURLOPT_PRIVATE, &slot);
  SKIMFS_SET(easy, CURLOPT_ERRORBUFFER, slot.error.data());
  SKIMFS_SET(easy, CURLOPT_HEADERFUNCTION, &Engine::on_header);
  SKIMFS_SET(easy, CURLOPT_HEADERDATA, &slot);
  SKIMFS_SET(easy, CURLOPT_WRITEFUNCTION, &Engine::on_body);
  SKIMFS_SET(easy, CURLOPT_WRITEDATA, &slot);
  SKIMFS_SET(easy, CURLOPT_PREREQFUNCTION, &Engine::on_request);
  SKIMFS_SET(easy, CURLOPT_PREREQDATA, &slot);
  SKIMFS_SET(easy, CURLOPT_OPENSOCKETFUNCTION, &Engine::on_open);
  SKIMFS_SET(easy, CURLOPT_OPENSOCKETDATA, &slot);
  slots_.push_back(std::move(owned));
  free_.reserve(slots_.size());  // giving back never allocates
  return slot;
}

void CurlTransport::Engine::start(const WireRequest& request, Exchange& exchange) {
  Slot& slot = free_slot();
  slot.exchange = &exchange;
  slot.host_port = request.host_port;
  slot.public_only = request.public_only;
  ++running_;
  if (prepare(slot, request))
    run(slot);
  else
    stillborn_.push_back(&slot);
}

void CurlTransport::Engine::run(Slot& slot) {
  slot.reader.reset();
  slot.opened = false;
  slot.tried.clear();
  slot.shunned.clear();
  slot.verdict = Fault::none;
  slot.error[0] = '\0';
  if (curl_multi_add_handle(multi_.get(), slot.easy.get()) != CURLM_OK) stillborn_.push_back(&slot);
}

bool CurlTransport::Engine::add_header(Slot& slot, const std::string& header) noexcept {
  curl_slist* longer = curl_slist_append(slot.headers.get(), header.c_str());
  if (!longer) return false;
  static_cast<void>(slot.headers.release());
  slot.headers.reset(longer);
  return true;
}

bool CurlTransport::Engine::prepare(Slot& slot, const WireRequest& request) const noexcept {
  slot.headers.reset();
  const auto add = [&slot](const std::string& header) { return add_header(slot, header); };
  if (!std::ranges::all_of(request.headers, add)) return false;
  if (request.credential && !std::ranges::all_of(request.credential->headers, add)) return false;
  CURL* easy = slot.easy.get();
  if (slot.credential != request.credential) {
    slot.credential.reset();  // half of it may be set from here on
    if (!set_credential(easy, request.credential.get())) return false;
    slot.credential = request.credential;
  }
  if (const Share& share = share_of(request.host_port); slot.share != share) {
    if (curl_easy_setopt(easy, CURLOPT_SHARE, share.get()) != CURLE_OK) return false;
    slot.share = share;
  }
  const auto method = request.head_only ? CURLOPT_NOBODY : CURLOPT_HTTPGET;
  return curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str()) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_HTTPHEADER, slot.headers.get()) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, long(request.fresh)) == CURLE_OK &&
         curl_easy_setopt(easy, method, 1L) == CURLE_OK;
}

const CurlTransport::Engine::Share& CurlTransport::Engine::share_of(
    const std::string& host_port) const noexcept {
  return shares_[std::hash<std::string>()(host_port) % shares_.size()];
}

void CurlTransport::Engine::give_back(Slot& slot) noexcept {
  curl_multi_remove_handle(multi_.get(), slot.easy.get());
  slot.exchange = nullptr;
  --running_;
  free_.push_back(&slot);
  plan_sweep();
}

void CurlTransport::Engine::abort(Exchange& exchange) noexcept {
  for (const auto& slot : slots_) {
    if (slot->exchange != &exchange) continue;
    std::erase(stillborn_, slot.get());
    return give_back(*slot);
  }
}

// ---------------------------------------------------------------------------------- the loop

milliseconds CurlTransport::Engine::wait_time(milliseconds at_most) const {
  milliseconds wait = running_ > 0 ? std::min(at_most, kSafetyTick) : at_most;
  const TimePoint now = clock_.now();
  for (const auto& due : {timer_, sweep_})
    if (due) wait = std::min(wait, std::chrono::ceil<milliseconds>(*due - now));
  if (!stillborn_.empty()) return milliseconds(0);
  return std::clamp(wait, milliseconds(0), kLongestWait);
}

void CurlTransport::Engine::poll(milliseconds at_most) {
  std::array<epoll_event, 64> events;
  const int timeout = static_cast<int>(wait_time(at_most).count());
  const int count = ::epoll_wait(epoll_.get(), events.data(), int(events.size()), timeout);
  for (int i = 0; i < count; ++i) {
    if (events[i].data.fd == wake_.get()) {
      std::uint64_t ignored;
      [[maybe_unused]] const auto got = ::read(wake_.get(), &ignored, sizeof ignored);
      continue;
    }
    int what = 0;
    if (events[i].events & EPOLLIN) what |= CURL_CSELECT_IN;
    if (events[i].events & EPOLLOUT) what |= CURL_CSELECT_OUT;
    if (events[i].events & (EPOLLERR | EPOLLHUP)) what |= CURL_CSELECT_ERR;
    act(events[i].data.fd, what);
  }
  const TimePoint now = clock_.now();
  if ((timer_ && *timer_ <= now) || (running_ > 0 && count == 0)) {
    timer_.reset();
    act(CURL_SOCKET_TIMEOUT, 0);
    // Called a fraction too early, libcurl neither acts nor tells the time again.
    if (!timer_) ask_for_timer();
  }
  if (now - nudge_ >= kSafetyTick) {
    nudge_ = now;
    nudge_connecting();
  }
  collect();
  if (sweep_ && *sweep_ <= now) sweep();
}

void CurlTransport::Engine::ask_for_timer() {
  long timeout_ms = -1;
  curl_multi_timeout(multi_.get(), &timeout_ms);
  on_timer(multi_.get(), timeout_ms, this);
}

// libcurl 7.88 gives an address up in time, but closes its socket, asks for no call, and tries the
// next one only when it is called for all its transfers.
void CurlTransport::Engine::nudge_connecting() {
  if (std::ranges::none_of(slots_,
                           [](const auto& slot) { return slot->exchange && !slot->tried.empty(); }))
    return;
  int running = 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  curl_multi_socket_all(multi_.get(), &running);
#pragma GCC diagnostic pop
}

void CurlTransport::Engine::act(curl_socket_t socket, int events) {
  int running = 0;
  curl_multi_socket_action(multi_.get(), socket, events, &running);
}

void CurlTransport::Engine::collect() {
  while (!stillborn_.empty()) {
    Slot& slot = *stillborn_.back();
    stillborn_.pop_back();
    complete(slot, CURLE_FAILED_INIT);
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    if (message->easy_handle == sweeper_.get()) {
      curl_multi_remove_handle(multi_.get(), sweeper_.get());
      sweeping_ = false;
      plan_sweep();
      continue;
    }
    const CURLcode code = message->data.result;
    Slot* slot = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
    complete(*slot, code);
  }
}

void CurlTransport::Engine::complete(Slot& slot, CURLcode code) {
  Exchange& exchange = *slot.exchange;
  Fault fault = slot.verdict != Fault::none ? slot.verdict
                                            : fault_of(slot.easy.get(), code, slot.error.data());
  // libcurl refuses this header before it shows it.
  if (std::string_view(slot.error.data()).starts_with("Invalid Content-Length"))
    fault = Fault::bad_length;
  if (fault == Fault::none && !slot.reader.complete()) fault = Fault::protocol;
  if (forgive(slot) && fault == Fault::connect) {
    curl_multi_remove_handle(multi_.get(), slot.easy.get());
    return run(slot);
  }
  const std::array<char, CURL_ERROR_SIZE> detail = slot.error;
  give_back(slot);
  exchange.end({fault, fault == Fault::none ? "" : detail.data()});
}

void CurlTransport::Engine::network_changed() {
  sockets_.end_idle();
  std::ranges::generate(shares_, make_share);
  dead_.clear();
}

// ------------------------------------------------------------------------- idle connections

void CurlTransport::Engine::plan_sweep() {
  if (!any_idle() || sweep_ || sweeping_) return;
  sweep_ = clock_.now() + std::max<Duration>(kSweepSpacing, Duration(limits_.idle_timeout) / 4);
}

void CurlTransport::Engine::sweep() {
  sweep_.reset();
  if (!any_idle()) return;
  sweeping_ = curl_multi_add_handle(multi_.get(), sweeper_.get()) == CURLM_OK;
  plan_sweep();
}

void CurlTransport::Engine::wake() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

// ----------------------------------------------------------------------------------- the seam

CurlTransport::CurlTransport(const FetchLimits& limits, SocketWatch& watch)
    : engine_(std::make_unique<Engine>(limits, watch)) {}
CurlTransport::~CurlTransport() = default;

void CurlTransport::start(const WireRequest& request, Exchange& exchange) {
  engine_->start(request, exchange);
}
void CurlTransport::abort(Exchange& exchange) noexcept { engine_->abort(exchange); }
void CurlTransport::poll(milliseconds at_most) { engine_->poll(at_most); }
void CurlTransport::wake() noexcept { engine_->wake(); }
void CurlTransport::network_changed() { engine_->network_changed(); }

std::string transport_version() {
  const curl_version_info_data* info = curl_version_info(CURLVERSION_NOW);
  std::string text = info->version;
  if (info->ssl_version != nullptr) text += std::string(" ") + info->ssl_version;
  return text;
}

}  // namespace skimfs::fetch
