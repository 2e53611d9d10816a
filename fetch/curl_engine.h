// SPDX-License-Identifier: MIT
//
// CurlTransport's inside: one multi handle, its exchanges, sockets and timers.
//
// CurlTransport's own; curl_transport.cc and curl_callbacks.cc only.
#pragma once

#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "fetch/clock.h"
#include "fetch/curl_handle.h"
#include "fetch/curl_transport.h"
#include "fetch/dead_addresses.h"
#include "fetch/fetcher.h"
#include "fetch/head_reader.h"
#include "fetch/socket_book.h"

namespace skimfs::fetch {

class CurlTransport::Engine {
 public:
  Engine(const FetchLimits& limits, SocketWatch& watch);
  ~Engine();

  void start(const WireRequest& request, Exchange& exchange);
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

  // An address that was tried for an exchange.
  struct Tried {
    int socket;
    std::string address;
    TimePoint at;
  };
  // One easy handle, running an exchange or free.
  struct Slot {
    Engine* engine;
    Share share;  // outlives the handle
    CurlEasy easy;
    CurlList headers;
    // That the handle is set up for, and points into; empty: half of one.
    std::optional<std::shared_ptr<const Credential>> credential{nullptr};
    std::string host_port;
    Exchange* exchange = nullptr;  // null: free
    HeadReader reader;
    bool public_only = false;
    bool opened = false;               // a socket, for this exchange
    std::vector<Tried> tried;          // in order, until one answers
    std::vector<std::string> shunned;  // addresses that were not tried
    Fault verdict = Fault::none;       // ours, which says more than CURLE_WRITE_ERROR
    std::array<char, CURL_ERROR_SIZE> error;
  };

  Slot& free_slot();
  void set_common(CURL* easy);
  static bool add_header(Slot& slot, const std::string& header) noexcept;
  bool prepare(Slot& slot, const WireRequest& request) const noexcept;
  const Share& share_of(const std::string& host_port) const noexcept;
  void run(Slot& slot);
  bool forgive(const Slot& slot);
  void reached(Slot& slot, std::string_view peer);
  void give_back(Slot& slot) noexcept;
  void act(curl_socket_t socket, int events);
  void ask_for_timer();
  void nudge_connecting();
  void collect();
  void complete(Slot& slot, CURLcode code);
  std::chrono::milliseconds wait_time(std::chrono::milliseconds at_most) const;

  bool any_idle() const noexcept { return sockets_.open() > running_; }
  void plan_sweep();
  void sweep();

  template <class Body>
  static std::size_t guarded(Slot& slot, std::size_t size, Body body) noexcept;
  static std::size_t on_header(char* data, std::size_t one, std::size_t size, void* slot) noexcept;
  static std::size_t on_body(char* data, std::size_t one, std::size_t size, void* slot) noexcept;
  static int on_request(void* slot, char* peer, char*, int, int) noexcept;
  static curl_socket_t on_open(void* slot, curlsocktype, curl_sockaddr* address) noexcept;
  static curl_socket_t on_open_refused(void*, curlsocktype, curl_sockaddr*) noexcept;
  static int on_close(void* engine, curl_socket_t socket) noexcept;
  static int on_socket(CURL*, curl_socket_t socket, int what, void* engine, void* known) noexcept;
  static int on_timer(CURLM*, long timeout_ms, void* engine) noexcept;

  const FetchLimits limits_;
  const SteadyClock clock_;
  Fd epoll_;
  Fd wake_;
  std::optional<TimePoint> timer_;  // when libcurl wants to be called
  TimePoint nudge_{};               // when those that connect were last called
  std::optional<TimePoint> sweep_;  // when to look for old idle connections
  SocketBook sockets_;
  DeadAddresses dead_;
  std::size_t running_ = 0;
  std::vector<Slot*> stillborn_;  // could not be added

  // In this order: the multi closes its connections into the members above, and needs its shares.
  // Of names and TLS sessions; each host has one of them.  Several, because libcurl (7.88) keeps
  // eight sessions in each: visited in turn, a ninth host left none of them any.
  std::array<Share, 16> shares_;
  CurlMulti multi_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> free_;
  CurlEasy sweeper_;
  bool sweeping_ = false;
};

}  // namespace skimfs::fetch
