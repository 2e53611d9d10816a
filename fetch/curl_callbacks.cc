// SPDX-License-Identifier: MIT
//
// What libcurl calls: bytes, sockets and timers of the exchanges; which addresses may be tried.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <utility>

#include "fetch/address.h"
#include "fetch/curl_engine.h"

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

// Did the machine lack something, whoever was to be reached?
bool is_shortage(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

// --------------------------------------------------------------------------------- addresses

// An exchange got no connection.  True: there are addresses that it was kept from, and no longer
// is.
bool CurlTransport::Engine::forgive(const Slot& slot) {
  for (const std::string& address : slot.shunned) dead_.remove(address);
  return !slot.shunned.empty();
}

// The exchange has a connection to `peer`.
void CurlTransport::Engine::reached(Slot& slot, std::string_view peer) {
  const TimePoint now = clock_.now();
  for (const Tried& tried : slot.tried) {
    if (tried.address != peer) {
      if (now - tried.at >= kHeadStart) dead_.add(tried.address, now);
      continue;
    }
    dead_.remove(tried.address);
    // Not before there is a connection: it would cut the time for connecting short.
    const unsigned most = milliseconds(kUnacknowledged).count();
    ::setsockopt(tried.socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &most, sizeof most);
  }
  slot.tried.clear();
  slot.shunned.clear();
  slot.verdict = Fault::none;  // of an address before it
}

// ------------------------------------------------------------------------ called by libcurl

template <class Body>
std::size_t CurlTransport::Engine::guarded(Slot& slot, std::size_t size, Body body) noexcept {
  try {
    if (body()) return size;
  } catch (const std::exception&) {
    slot.verdict = Fault::local;
  }
  return size == 0 ? 1 : 0;  // anything but `size` ends the transfer
}

std::size_t CurlTransport::Engine::on_header(char* data, std::size_t, std::size_t size,
                                             void* opaque) noexcept {
  Slot& slot = *static_cast<Slot*>(opaque);
  return guarded(slot, size, [&] {
    switch (slot.reader.take({data, size})) {
      case HeadReader::Line::more:
        return true;
      case HeadReader::Line::final_head:
        return slot.exchange->head(slot.reader.head());
      case HeadReader::Line::stop:
        slot.verdict = slot.reader.fault();
        break;
    }
    return false;
  });
}

std::size_t CurlTransport::Engine::on_body(char* data, std::size_t, std::size_t size,
                                           void* opaque) noexcept {
  Slot& slot = *static_cast<Slot*>(opaque);
  return guarded(slot, size,
                 [&] { return slot.exchange->body(std::as_bytes(std::span(data, size))); });
}

int CurlTransport::Engine::on_request(void* opaque, char* peer, char*, int, int) noexcept {
  Slot& slot = *static_cast<Slot*>(opaque);
  const std::size_t done = guarded(slot, 1, [&] {
    Engine& engine = *slot.engine;
    engine.reached(slot, peer);
    // Of a used connection, too: it may have been opened for somebody who was allowed.
    const bool public_peer = engine.limits_.proxy.empty() && is_public(peer);
    if (slot.public_only && !public_peer) {
      slot.verdict = Fault::address;
      return false;
    }
    slot.exchange->connected(!slot.opened, public_peer);
    return true;
  });
  return done == 1 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

curl_socket_t CurlTransport::Engine::on_open(void* opaque, curlsocktype,
                                             curl_sockaddr* address) noexcept {
  Slot& slot = *static_cast<Slot*>(opaque);
  Engine& engine = *slot.engine;
  std::string digits;
  const std::size_t known = guarded(slot, 1, [&] {
    digits = digits_of(address->addr);
    if (!engine.dead_.contains(digits, engine.clock_.now())) return true;
    slot.shunned.push_back(digits);
    return false;
  });
  if (known != 1) return CURL_SOCKET_BAD;
  if (slot.public_only && !is_public(address->addr)) {
    slot.verdict = Fault::address;
    return CURL_SOCKET_BAD;
  }
  // A second address may be tried while the first still is; the caps hold for those too.
  const bool beside = std::exchange(slot.opened, true);
  if (engine.sockets_.open() >= engine.limits_.connections ||
      (beside && engine.sockets_.full(slot.host_port)))
    return CURL_SOCKET_BAD;
  // For libcurl all hosts have one cap; where this one's is lower, its idle connections give way.
  int fd = -1;
  if (engine.sockets_.make_way(slot.host_port))
    fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                  address->protocol);
  if (fd < 0) {
    if (is_shortage(errno)) slot.verdict = Fault::local;  // no word about the server
    return CURL_SOCKET_BAD;
  }
  const std::size_t done = guarded(slot, 1, [&] {
    engine.sockets_.opened(fd, slot.host_port);
    slot.tried.push_back({fd, std::move(digits), engine.clock_.now()});
    return true;
  });
  if (done == 1) return fd;
  ::close(fd);
  return CURL_SOCKET_BAD;
}

curl_socket_t CurlTransport::Engine::on_open_refused(void*, curlsocktype, curl_sockaddr*) noexcept {
  return CURL_SOCKET_BAD;
}

int CurlTransport::Engine::on_close(void* opaque, curl_socket_t socket) noexcept {
  Engine& engine = *static_cast<Engine*>(opaque);
  engine.sockets_.closed(socket);
  return ::close(socket);
}

int CurlTransport::Engine::on_socket(CURL*, curl_socket_t socket, int what, void* opaque,
                                     void* known) noexcept {
  Engine& engine = *static_cast<Engine*>(opaque);
  engine.sockets_.runs(socket, what != CURL_POLL_REMOVE);
  if (what == CURL_POLL_REMOVE) {
    ::epoll_ctl(engine.epoll_.get(), EPOLL_CTL_DEL, socket, nullptr);
    return 0;
  }
  epoll_event event{.events = 0, .data = {.fd = socket}};
  if (what & CURL_POLL_IN) event.events |= EPOLLIN;
  if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
  const int operation = known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (::epoll_ctl(engine.epoll_.get(), operation, socket, &event) != 0 && errno == EEXIST)
    ::epoll_ctl(engine.epoll_.get(), EPOLL_CTL_MOD, socket, &event);
  curl_multi_assign(engine.multi_.get(), socket, &engine);  // known from now on
  return 0;
}

int CurlTransport::Engine::on_timer(CURLM*, long timeout_ms, void* opaque) noexcept {
  Engine& engine = *static_cast<Engine*>(opaque);
  engine.timer_.reset();
  if (timeout_ms >= 0) engine.timer_ = engine.clock_.now() + milliseconds(timeout_ms);
  return 0;
}

}  // namespace skimfs::fetch
