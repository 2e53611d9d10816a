// SPDX-License-Identifier: MIT
//
// How a connection comes to be: names, addresses, proxies and TLS are libcurl's, which is held at
// arm's length.
//
// Facts about 7.88.1 this relies on, most with a test in tests/fetch:
// - a handle with CURLOPT_CONNECT_ONLY(3) is done once its connection is there, TLS and tunnel
//   included, keeps it, and is given no other's; it is closed when the handle leaves the multi;
// - until the first curl_easy_send(3) it is taken for idle, and closed if its end has come;
// - a transfer that is refused the socket for one address goes on with the next of its family; the
//   other family is begun once, 200 ms after the first, and over when all its sockets were refused;
// - a socket that has not connected is closed without CURLOPT_CLOSESOCKETFUNCTION;
// - names are cached with the share; CURLOPT_QUICK_EXIT lets go of a resolver thread that hangs
//   instead of joining it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <new>
#include <utility>

#include "fetch/address.h"
#include "fetch/credential.h"
#include "fetch/curl_options.h"
#include "fetch/http_engine.h"

namespace skimfs::fetch {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A peer that does not even acknowledge what it is sent is gone: an idle connection that a router
// has forgotten shows so.  Servers that think acknowledge.
constexpr seconds kUnacknowledged{5};
// How much earlier an address was tried than the one that answered, to be remembered as dead.
// More than the 200 ms that libcurl lets IPv6 run ahead of IPv4.
constexpr milliseconds kHeadStart{500};

// In digits; empty for what is no address.
std::string digits_of(const sockaddr& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = nullptr;
  if (address.sa_family == AF_INET) bytes = &reinterpret_cast<const sockaddr_in&>(address).sin_addr;
  if (address.sa_family == AF_INET6)
    bytes = &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  if (bytes) ::inet_ntop(address.sa_family, bytes, text.data(), text.size());
  return text.data();
}

bool same_family(std::string_view one, std::string_view other) noexcept {
  return (one.find(':') == one.npos) == (other.find(':') == other.npos);
}

// Is there a way to it from here?  Sends nothing.
bool has_route(const curl_sockaddr& address) noexcept {
  const int probe = ::socket(address.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  const bool found = ::connect(probe, &address.addr, address.addrlen) == 0;
  ::close(probe);
  return found;
}

// False: it threw, for want of memory.
template <class Body>
bool attempted(Body body) noexcept {
  try {
    body();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

// Did the machine lack something, whoever was to be reached?
bool is_shortage(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

// ------------------------------------------------------------------------------ easy handles

CurlEasy HttpTransport::Engine::connecting_handle() {
  CurlEasy handle(curl_easy_init());
  if (!handle) throw std::bad_alloc();
  CURL* easy = handle.get();
  set_common(easy, limits_);
  SKIMFS_SET(easy, CURLOPT_OPENSOCKETFUNCTION, &Engine::on_open);
  SKIMFS_SET(easy, CURLOPT_CLOSESOCKETFUNCTION, &Engine::on_close);
  SKIMFS_SET(easy, CURLOPT_CLOSESOCKETDATA, this);
  return handle;
}

// What is asked for in plain text is asked of a proxy itself; only TLS needs a tunnel through it.
bool HttpTransport::Engine::prepare(Connection& connection, const WireRequest& request) noexcept {
  CURL* easy = connection.easy.get();
  const std::shared_ptr<const Credential> none;
  const auto& credential = connection.secure ? request.credential : none;
  if (connection.credential != credential) {
    connection.credential.reset();  // half of it may be set from here on
    if (!set_certificate(easy, credential.get())) return false;
    connection.credential = credential;
  }
  const bool ask_proxy = !connection.secure && !limits_.proxy.empty();
  const std::string& url = ask_proxy ? limits_.proxy : connection.origin;
  const char* const proxy = connection.secure ? limits_.proxy.c_str() : "";
  return curl_easy_setopt(easy, CURLOPT_URL, url.c_str()) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_PROXY, proxy) == CURLE_OK;
}

bool HttpTransport::Engine::take_share(Connection& connection) noexcept {
  const std::size_t at = std::hash<std::string>()(connection.host_port) % shares_.size();
  if (connection.share == shares_[at]) return true;
  if (curl_easy_setopt(connection.easy.get(), CURLOPT_SHARE, shares_[at].get()) != CURLE_OK)
    return false;
  connection.share = shares_[at];
  return true;
}

void HttpTransport::Engine::dial(Connection& connection) {
  Dial& dial = connection.dial;
  dial.tried.clear();
  dial.displaced = 0;
  dial.shunned.clear();
  dial.verdict = Fault::none;
  if (!take_share(connection) ||
      curl_multi_add_handle(multi_.get(), connection.easy.get()) != CURLM_OK)
    not_connected(connection, Fault::local);
}

void HttpTransport::Engine::collect() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    Connection* connection = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &connection);
    dialled(*connection, code);
  }
}

void HttpTransport::Engine::dialled(Connection& connection, CURLcode code) {
  Dial& dial = connection.dial;
  if (code == CURLE_OK) {
    Fault fault = Fault::local;
    static_cast<void>(attempted([&] { fault = connected(connection); }));
    return fault == Fault::none ? talk(connection, false) : not_connected(connection, fault);
  }
  // An address that may not be asked is no word about the others.
  const bool ours =
      dial.verdict != Fault::none && (dial.verdict != Fault::address || dial.tried.empty());
  const Fault fault =
      ours ? dial.verdict : fault_of(connection.easy.get(), code, dial.error.data());
  // Where no address was tried the code says what the handle's last failure was (7.88 keeps its
  // errno).
  if (forgive(connection) && (fault == Fault::connect || dial.tried.empty())) {
    curl_multi_remove_handle(multi_.get(), connection.easy.get());
    dial.error[0] = '\0';
    return this->dial(connection);
  }
  take_turns(connection, fault);
  not_connected(connection, fault);
}

void HttpTransport::Engine::not_connected(Connection& connection, Fault fault) {
  const std::array<char, CURL_ERROR_SIZE> detail = connection.dial.error;
  finish(connection, fault, detail.data(), false);
}

// Why it cannot be used, or Fault::none.
Fault HttpTransport::Engine::connected(Connection& connection) {
  curl_socket_t socket = CURL_SOCKET_BAD;
  const char* peer = nullptr;
  curl_easy_getinfo(connection.easy.get(), CURLINFO_ACTIVESOCKET, &socket);
  curl_easy_getinfo(connection.easy.get(), CURLINFO_PRIMARY_IP, &peer);
  // Ended already, and closed by libcurl as it looked for the dead among those nobody uses.
  if (socket == CURL_SOCKET_BAD) return Fault::reset;
  reached(connection, socket, peer);
  connection.public_peer = limits_.proxy.empty() && is_public(std::string_view(peer));
  if (connection.talk.public_only && !connection.public_peer) return Fault::address;
  const auto at = static_cast<std::size_t>(socket);
  if (at >= by_socket_.size()) by_socket_.resize(at + 1);
  if (!watch_socket(socket, EPOLLIN)) return Fault::local;
  by_socket_[at] = &connection;
  connection.dial.error[0] = '\0';
  connection.socket = socket;
  connection.made = clock_.now();
  connection.state = Connection::State::running;
  --dialling_;
  return Fault::none;
}

// --------------------------------------------------------------------------------- addresses

// A connection could not be made.  True: there are addresses that it was kept from, and no longer
// is.
bool HttpTransport::Engine::forgive(const Connection& connection) {
  for (const std::string& address : connection.dial.shunned) dead_.remove(address);
  return !connection.dial.shunned.empty();
}

// The socket that made way was not its address's fault, whoever tried it.
void HttpTransport::Engine::displace(const SocketBook::Given& given) noexcept {
  if (!given.owner) return leave_idle(given.socket);
  for (const auto& connection : connections_) {
    if (connection.get() != given.owner) continue;
    Dial& dial = connection->dial;
    for (std::size_t i = 0; i < dial.tried.size(); ++i)
      if (dial.tried[i].socket == given.socket) dial.displaced = i + 1;
  }
}

// The socket of an idle connection is gone.  libcurl, which is at work, is told later.
void HttpTransport::Engine::leave_idle(int socket) noexcept {
  const auto at = std::ranges::find(idle_, socket, &Connection::socket);
  if (at == idle_.end()) return;
  Connection& connection = **at;
  idle_.erase(at);
  connection.state = Connection::State::evicted;
  evicted_.push_back(&connection);
}

// The exchange got no connection.  Where an address made way for others, those that had their time,
// or refused, are kept from the next exchange, so that it has its own.  Not where a connection was
// there and a proxy or TLS was the end of it.
void HttpTransport::Engine::take_turns(Connection& connection, Fault fault) noexcept {
  const Dial& dial = connection.dial;
  if (dial.displaced == 0) return;
  if (fault != Fault::connect && fault != Fault::connect_timeout) return;
  const char* peer = nullptr;  // once there is a connection, before tunnel and TLS
  curl_easy_getinfo(connection.easy.get(), CURLINFO_PRIMARY_IP, &peer);
  if (peer != nullptr && *peer != '\0') return;
  const TimePoint now = clock_.now();
  static_cast<void>(attempted([&] {
    for (std::size_t i = dial.displaced; i < dial.tried.size(); ++i)
      if (fault == Fault::connect || now - dial.tried[i].at >= kHeadStart)
        dead_.add(dial.tried[i].address, now);
  }));
}

// Is there room for a socket to `address`, or can some be made?  A connection's only one has a
// right to it: admission counts exchanges.  One beside another has none: it may take that one's
// place, once and for the other family, as libcurl would not ask for it again.
bool HttpTransport::Engine::make_room(Connection& connection, const curl_sockaddr& address,
                                      std::string_view digits) noexcept {
  sockets_.forget_gone();
  bool made = false;
  if (!sockets_.connects(&connection)) {
    made = sockets_.make_way(connection.host_port);
  } else {
    if (!sockets_.full(connection.host_port)) return true;
    const auto alike = [&](const Tried& tried) { return same_family(tried.address, digits); };
    if (std::ranges::any_of(connection.dial.tried, alike) || !has_route(address)) return false;
    made = sockets_.give_up(&connection);
  }
  displace(sockets_.given());
  if (!made && is_shortage(errno))
    connection.dial.verdict = Fault::local;  // no word about the server
  return made;
}

// There is a connection to `peer`.
void HttpTransport::Engine::reached(const Connection& connection, int socket,
                                    std::string_view peer) {
  sockets_.connected(socket);
  dead_.remove(peer);
  // Not before there is a connection: it would cut the time for connecting short.
  const unsigned most = milliseconds(kUnacknowledged).count();
  ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &most, sizeof most);
  const Dial& dial = connection.dial;
  const TimePoint now = clock_.now();
  for (std::size_t i = dial.displaced; i < dial.tried.size(); ++i) {
    const Tried& tried = dial.tried[i];
    if (tried.address != peer && now - tried.at >= kHeadStart) dead_.add(tried.address, now);
  }
}

// -------------------------------------------------------------------------- libcurl is called

void HttpTransport::Engine::act(curl_socket_t socket, int events) {
  int running = 0;
  curl_multi_socket_action(multi_.get(), socket, events, &running);
}

void HttpTransport::Engine::ask_for_timer() {
  long timeout_ms = -1;
  curl_multi_timeout(multi_.get(), &timeout_ms);
  on_timer(multi_.get(), timeout_ms, this);
}

// libcurl 7.88 gives an address up in time, but closes its socket, asks for no call, and tries the
// next one only when it is called for all its transfers.
void HttpTransport::Engine::nudge_dialling() {
  if (dialling_ == 0) return;
  int running = 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  curl_multi_socket_all(multi_.get(), &running);
#pragma GCC diagnostic pop
}

// ---------------------------------------------------------------------------- and calls us

curl_socket_t HttpTransport::Engine::on_open(void* opaque, curlsocktype,
                                             curl_sockaddr* address) noexcept {
  Connection& connection = *static_cast<Connection*>(opaque);
  Engine& engine = *connection.engine;
  Dial& dial = connection.dial;
  std::string digits;
  bool shunned = false;
  const bool known = attempted([&] {
    digits = digits_of(address->addr);
    shunned = engine.dead_.contains(digits, engine.clock_.now());
    if (shunned) dial.shunned.push_back(digits);
  });
  if (!known) dial.verdict = Fault::local;
  if (!known || shunned) return CURL_SOCKET_BAD;
  if (connection.talk.public_only && !is_public(address->addr)) {
    dial.verdict = Fault::address;
    return CURL_SOCKET_BAD;
  }
  if (!engine.make_room(connection, *address, digits)) return CURL_SOCKET_BAD;
  const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                          address->protocol);
  if (fd < 0) {
    if (is_shortage(errno)) dial.verdict = Fault::local;  // no word about the server
    return CURL_SOCKET_BAD;
  }
  const bool booked = attempted([&] {
    engine.sockets_.opened(fd, connection.host_port, &connection);
    dial.tried.push_back({fd, std::move(digits), engine.clock_.now()});
  });
  if (booked) return fd;
  dial.verdict = Fault::local;
  ::close(fd);
  return CURL_SOCKET_BAD;
}

int HttpTransport::Engine::on_close(void* opaque, curl_socket_t socket) noexcept {
  Engine& engine = *static_cast<Engine*>(opaque);
  engine.sockets_.closed(socket);
  return ::close(socket);
}

int HttpTransport::Engine::on_socket(CURL*, curl_socket_t socket, int what, void* opaque,
                                     void*) noexcept {
  Engine& engine = *static_cast<Engine*>(opaque);
  if (what == CURL_POLL_REMOVE) {
    ::epoll_ctl(engine.epoll_.get(), EPOLL_CTL_DEL, socket, nullptr);
    return 0;
  }
  std::uint32_t events = 0;
  if (what & CURL_POLL_IN) events |= EPOLLIN;
  if (what & CURL_POLL_OUT) events |= EPOLLOUT;
  engine.watch_socket(socket, events);
  return 0;
}

int HttpTransport::Engine::on_timer(CURLM*, long timeout_ms, void* opaque) noexcept {
  Engine& engine = *static_cast<Engine*>(opaque);
  engine.timer_.reset();
  if (timeout_ms >= 0) engine.timer_ = engine.clock_.now() + milliseconds(timeout_ms);
  return 0;
}

}  // namespace skimfs::fetch
