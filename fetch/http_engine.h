// SPDX-License-Identifier: MIT
//
// HttpTransport's inside: its connections, what runs on them, and the loop that waits for them.
//
// HttpTransport's own; http_engine.cc, http_connect.cc and http_exchange.cc only.
#pragma once

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "fetch/body_reader.h"
#include "fetch/busy_poll.h"
#include "fetch/clock.h"
#include "fetch/curl_handle.h"
#include "fetch/dead_addresses.h"
#include "fetch/fetcher.h"
#include "fetch/head_reader.h"
#include "fetch/http_transport.h"
#include "fetch/socket_book.h"

namespace skimfs::fetch {

class HttpTransport::Engine {
 public:
  Engine(const FetchLimits& limits, SocketWatch& watch);
  ~Engine();

  bool start(const WireRequest& request, Exchange& exchange);
  void abort(Exchange& exchange) noexcept;
  void poll(std::chrono::milliseconds at_most);
  void wake() noexcept;
  void network_changed();

 private:
  class Fd {
   public:
    explicit Fd(int fd, const char* what) : fd_(fd) {
      if (fd_ < 0) throw std::system_error(errno, std::generic_category(), what);
    }
    ~Fd() { ::close(fd_); }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    int get() const noexcept { return fd_; }

   private:
    int fd_;
  };

  using Share = std::shared_ptr<CURLSH>;

  // An address that was tried for a connection.
  struct Tried {
    int socket;
    std::string address;
    TimePoint at;
  };
  // How a connection comes to be.
  struct Dial {
    std::vector<Tried> tried;          // in order, until one answers
    std::size_t displaced = 0;         // of those: made way for the ones after them
    std::vector<std::string> shunned;  // addresses that were not tried
    Fault verdict = Fault::none;       // ours, which says more than libcurl's
    std::array<char, CURL_ERROR_SIZE> error;
  };
  // An exchange on a connection.
  struct Talk {
    Exchange* exchange = nullptr;  // null: none
    std::uint64_t wants = 0;
    bool public_only = false;
    std::string request;
    std::size_t sent = 0;  // bytes of it
    bool blocked = false;  // the rest waits for room in the socket
    bool reused = false;   // the connection carried others before
    bool heard = false;    // something came
    bool head_only = false;
    std::string line;  // of the head; so much of it has come
    HeadReader head;
    BodyReader body;
    bool persistent = false;  // the connection outlives it, as far as the head says

    bool all_sent() const noexcept { return sent == request.size(); }
  };
  // One easy handle, which makes a connection and holds it.
  struct Connection {
    enum class State {
      closed,
      dialling,  // libcurl connects
      running,   // an exchange has it
      idle,
      evicted  // it was idle, and its socket made way for another
    };

    Engine* engine;
    Share share;  // outlives the handle
    CurlEasy easy;
    // That the handle is set up for, and points into; empty: half of one.
    std::optional<std::shared_ptr<const Credential>> credential{nullptr};
    std::string origin;  // "http://host:port"
    std::string host_port;
    bool secure = false;  // TLS to the origin
    bool tls = false;     // to whom it is connected: the origin, or a proxy
    State state = State::closed;
    Dial dial;
    int socket = -1;
    bool public_peer = false;
    bool pending = false;  // in pending_
    TimePoint made{};      // when the connection was
    TimePoint idle_since{};
    Talk talk;
    Talk next;  // pipelined: its answer comes behind that one's

    // Whose request is being sent, or was last.
    Talk& asking() noexcept { return next.exchange ? next : talk; }
  };

  // http_engine.cc: which connections there are.
  Connection* idle_for(const WireRequest& request, std::string_view origin) noexcept;
  Connection* quiet_for(const WireRequest& request, std::string_view origin) noexcept;
  static bool suits(const Connection& connection, const WireRequest& request,
                    std::string_view origin) noexcept;
  Connection* busy_for(const WireRequest& request, std::string_view origin) noexcept;
  Connection& closed_connection();
  void engage(Talk& talk, const WireRequest& request, std::string text,
              Exchange& exchange) noexcept;
  void begin(Connection& connection);
  void rest(Connection& connection) noexcept;
  void close(Connection& connection) noexcept;
  void leave_socket(Connection& connection) noexcept;
  void forget_pending(Connection& connection) noexcept;
  void forget(Talk& talk) noexcept;
  void start_over(Connection& connection) noexcept;
  void dial_for_next(Connection& connection) noexcept;
  void finish(Connection& connection, Fault fault, std::string_view detail, bool keep);
  void close_evicted() noexcept;
  void close_old() noexcept;
  static bool is_quiet(const Connection& connection) noexcept;
  bool is_worn(const Connection& connection) const noexcept;
  Connection* by_socket(int socket) const noexcept;

  // And what they wait for.
  int await(std::span<epoll_event> events, std::chrono::milliseconds at_most);
  std::chrono::milliseconds wait_time(std::chrono::milliseconds at_most) const;
  void happened(const epoll_event& event);
  void act(curl_socket_t socket, int events);
  void begin_all();
  void receive_pending();
  void ask_for_timer();
  void nudge_dialling();
  bool watch_socket(int socket, std::uint32_t events) noexcept;

  // http_connect.cc: a connection is made.
  CurlEasy connecting_handle();
  bool prepare(Connection& connection, const WireRequest& request) noexcept;
  bool take_share(Connection& connection) noexcept;
  void dial(Connection& connection);
  void collect();
  void dialled(Connection& connection, CURLcode code);
  Fault connected(Connection& connection);
  void not_connected(Connection& connection, Fault fault);
  bool make_room(Connection& connection, const curl_sockaddr& address,
                 std::string_view digits) noexcept;
  bool forgive(const Connection& connection);
  void displace(const SocketBook::Given& given) noexcept;
  void take_turns(Connection& connection, Fault fault) noexcept;
  void reached(const Connection& connection, int socket, std::string_view peer);
  void leave_idle(int socket) noexcept;

  // http_exchange.cc: an exchange runs on it.
  void talk(Connection& connection, bool reused);
  void send(Connection& connection);
  void ask_no_more(Connection& connection) noexcept;
  void receive(Connection& connection);
  std::span<std::byte> space_of(const Connection& connection);
  void take(Connection& connection, std::span<const std::byte> bytes);
  bool take_head(Connection& connection, std::span<const std::byte>& bytes);
  bool begin_body(Connection& connection);
  void take_body(Connection& connection, std::span<const std::byte> bytes);
  void ended(Connection& connection);
  void broken(Connection& connection, CURLcode code);
  void lost(Connection& connection, Fault fault, std::string_view detail);
  void redial(Connection& connection);

  static curl_socket_t on_open(void* connection, curlsocktype, curl_sockaddr* address) noexcept;
  static int on_close(void* engine, curl_socket_t socket) noexcept;
  static int on_socket(CURL*, curl_socket_t socket, int what, void* engine, void* known) noexcept;
  static int on_timer(CURLM*, long timeout_ms, void* engine) noexcept;

  const FetchLimits limits_;
  const SteadyClock clock_;
  Fd epoll_;
  Fd wake_;
  std::optional<TimePoint> timer_;  // when libcurl wants to be called
  TimePoint nudge_{};               // when those that connect were last called
  SocketBook sockets_;
  DeadAddresses dead_;
  std::size_t dialling_ = 0;
  BusyPoll busy_poll_;
  std::vector<std::byte> buffer_;  // for what has no place of its own

  // In this order: the multi closes its connections into the members above, and needs its shares.
  // Of names and TLS sessions; each host has one of them.  Several, because libcurl (7.88) keeps
  // eight sessions in each: visited in turn, a ninth host left none of them any.
  std::array<Share, 16> shares_;
  CurlMulti multi_;
  std::vector<std::unique_ptr<Connection>> connections_;
  // Each has room for all connections, so that none of their changes can fail.
  std::vector<Connection*> closed_;
  std::vector<Connection*> idle_;     // the longest first
  std::vector<Connection*> evicted_;  // libcurl still holds them
  std::vector<Connection*> begun_;    // whose exchange is to begin
  std::vector<Connection*> pending_;  // bytes of theirs may have left the socket, and nothing tells
  std::vector<Connection*> by_socket_;  // connected ones; null: none, or libcurl's
};

}  // namespace skimfs::fetch
