// SPDX-License-Identifier: MIT
//
// One HTTP exchange, without opinions: the seam above connections.
//
// The lane's thread only, except wake().
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/response_head.h"

namespace skimfs::fetch {

struct Credential;
struct Exchange;

struct WireRequest {
  std::string url = {};
  std::string host_port = {};             // whom its sockets are counted for
  std::vector<std::string> headers = {};  // "Name: value", sent as they are
  std::uint64_t wants = 0;                // bytes of the body, as far as known
  bool head_only = false;                 // HEAD instead of GET
  bool fresh = false;                     // on a new connection
  bool public_only = false;  // to an address of the whole Internet (address.h), or not at all
  std::shared_ptr<const Credential> credential = nullptr;  // null: none
  // An exchange that runs, and over whose connection this request may be sent before the answer
  // there is over (pipelining, RFC 9112 section 9.3.2).  Null: none.
  const Exchange* behind = nullptr;
};

// How an exchange ended, below HTTP.
enum class Fault {
  none,             // the response is complete by its own framing
  stopped,          // head() or body() returned false
  dns,              // the name does not resolve
  connect,          // refused, unreachable, reset while connecting
  connect_timeout,  // no connection in time, name resolution included
  tls,              // the handshake failed: cut, reset, or refused not about the certificate
  not_tls,          // the peer speaks something else
  certificate,      // the peer is not who it says
  proxy_denied,     // the proxy does not let us through
  address,          // the peer's address is not public, and was to be
  reset,            // the connection broke before the response's end, or there was no response
  short_body,       // the body ended before its declared end
  protocol,         // not HTTP, a head or chunk that cannot be, a request that cannot be signed
  bad_length,       // a Content-Length that cannot be
  header_limit,  // more than 64 KiB or 1000 fields of header or trailer, or than ten 1xx responses
  local          // no memory, no file descriptor
};

struct ExchangeEnd {
  Fault fault = Fault::none;
  std::string_view detail;  // the transport's words; dies with the call
};

// What happens to one exchange.  All calls come from inside Transport::poll(), in this order:
// [connected], [lost, [connected]], [head, ([space] [body])...], end.  None of them may call
// start() or abort().
struct Exchange {
  // The request is about to be sent, or, sent behind another, has its turn.  `reused`: over a
  // connection that carried others before. `public_peer`: to an address of the whole Internet;
  // false where a proxy stands between.
  virtual void connected(bool reused, bool public_peer) = 0;
  // That one, which had carried others, or the one it waited for, has ended: another is made.
  virtual void lost() = 0;
  // The final response; 1xx ones are not reported.  false: end this, and close the connection.
  virtual bool head(const ResponseHead& head) = 0;
  // Where the next bytes of its body may be received; empty: anywhere.
  virtual std::span<std::byte> space() = 0;
  // The next bytes of its body, without transfer coding: at the front of space(), or elsewhere.
  // false as in head().
  virtual bool body(std::span<const std::byte> bytes) = 0;
  // Exactly once, unless abort() came first.
  virtual void end(const ExchangeEnd& end) = 0;

 protected:
  ~Exchange() = default;
};

// Told of every socket, running or idle.
struct SocketWatch {
  // So many may be open to the host at once.
  virtual unsigned most(std::string_view host_port) const noexcept = 0;
  virtual void opened(std::string_view host_port) noexcept = 0;
  virtual void closed(std::string_view host_port) noexcept = 0;

 protected:
  ~SocketWatch() = default;
};

struct Transport {
  // `exchange` lives until its end() or abort().  Throws std::bad_alloc: then nothing has begun,
  // and the exchange is forgotten.  True: it waits behind `request.behind`.  connected() comes when
  // that one is over, or lost() if the connection is.
  virtual bool start(const WireRequest& request, Exchange& exchange) = 0;
  // No call follows.  Closes the connection: who waits behind goes over another, with lost(). Whose
  // own turn had not come leaves it to the one before; once sent, it ends with that one.
  virtual void abort(Exchange& exchange) noexcept = 0;
  virtual void poll(std::chrono::milliseconds at_most) = 0;
  virtual void wake() noexcept = 0;  // any thread: poll() returns soon
  // The network is another one: no idle connection is used again, names are resolved anew.
  virtual void network_changed() = 0;
  virtual ~Transport() = default;
};

}  // namespace skimfs::fetch
