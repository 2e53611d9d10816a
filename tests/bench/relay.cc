// SPDX-License-Identifier: MIT
#include "tests/bench/relay.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <list>
#include <system_error>
#include <utility>
#include <vector>

namespace skimfs::bench {
namespace {

constexpr std::size_t kPiece = 256 * 1024;      // read at once
constexpr std::size_t kRatedPiece = 16 * 1024;  // where a rate cuts time into small slices
// What the server may be ahead of the path: bytes it counts as sent and nobody asked for any more.
constexpr int kServerBuffer = 128 * 1024;

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() { close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }

 private:
  const int fd_;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int new_socket() {
  return checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
}

// Edge-triggered: what epoll said and no call has refuted yet.
struct Socket {
  explicit Socket(int fd) : descriptor(fd) {
    const int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  }
  Descriptor descriptor;
  bool readable = false, writable = false;
};

// One direction: what has been sent and not arrived.
class Half {
 public:
  Half(Socket& from, Socket& to, const PathLimits& limits, SharedLine& line, TimePoint open_at)
      : from_(from), to_(to), path_(limits, line, open_at) {
    piece_ = limits.connection_rate > 0 || limits.total_rate > 0 ? kRatedPiece : kPiece;
  }

  // Moves what may move now.  false: the connection is broken.
  bool pump(TimePoint now) { return deliver(now) && accept(now); }
  TimePoint due() const {
    TimePoint at = TimePoint::max();
    if (!pieces_.empty() && to_.writable) at = pieces_.front().arrives;
    if (!ended_ && from_.readable) at = std::min(at, path_.ask_again());
    return at;
  }
  bool over() const { return over_; }

 private:
  struct Piece {
    TimePoint arrives;
    std::vector<char> bytes;  // empty: the end
    std::size_t done = 0;
  };

  bool deliver(TimePoint now) {
    while (!pieces_.empty() && to_.writable && pieces_.front().arrives <= now) {
      Piece& piece = pieces_.front();
      if (piece.bytes.empty()) {
        shutdown(to_.descriptor.get(), SHUT_WR);
        over_ = true;
        pieces_.pop_front();
        return true;
      }
      const ssize_t count = send(to_.descriptor.get(), piece.bytes.data() + piece.done,
                                 piece.bytes.size() - piece.done, MSG_NOSIGNAL);
      if (count < 0) {
        if (errno != EAGAIN) return false;
        to_.writable = false;
        return true;
      }
      piece.done += static_cast<std::size_t>(count);
      path_.taken(static_cast<std::uint64_t>(count), now);
      if (piece.done == piece.bytes.size()) pieces_.pop_front();
    }
    return true;
  }

  bool accept(TimePoint now) {
    while (!ended_ && from_.readable) {
      const auto room = std::min<std::uint64_t>(path_.room(now), piece_);
      if (room == 0) return true;
      std::vector<char> bytes(room);
      const ssize_t count = recv(from_.descriptor.get(), bytes.data(), bytes.size(), 0);
      if (count < 0) {
        if (errno != EAGAIN) return false;
        from_.readable = false;
        return true;
      }
      bytes.resize(static_cast<std::size_t>(count));
      ended_ = count == 0;
      pieces_.push_back({path_.send(static_cast<std::uint64_t>(count), now), std::move(bytes)});
    }
    return true;
  }

  Socket& from_;
  Socket& to_;
  OneWay path_;
  std::size_t piece_;
  std::deque<Piece> pieces_;
  bool ended_ = false;  // `from` sends no more
  bool over_ = false;   // and `to` knows
};

struct Connection {
  Connection(int client_fd, int server_fd, const PathLimits& limits, SharedLine& up_line,
             SharedLine& down_line, TimePoint open_at)
      : client(client_fd),
        server(server_fd),
        up(client, server, limits, up_line, open_at),
        down(server, client, limits, down_line, open_at) {}

  bool pump(TimePoint now) { return up.pump(now) && down.pump(now) && !(up.over() && down.over()); }
  TimePoint due() const { return std::min(up.due(), down.due()); }

  Socket client, server;
  Half up, down;
};

}  // namespace

class Relay::Loop {
 public:
  Loop(std::uint16_t server, const PathLimits& limits)
      : limits_(limits),
        server_(loopback(server)),
        listener_(new_socket()),
        epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
        timer_(checked(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd")),
        stop_(checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {
    sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    checked(bind(listener_.get(), generic, length), "bind");
    checked(listen(listener_.get(), SOMAXCONN), "listen");
    checked(getsockname(listener_.get(), generic, &length), "getsockname");
    port_ = ntohs(address.sin_port);
    watch(listener_.get(), EPOLLIN, nullptr);
    watch(timer_.get(), EPOLLIN, nullptr);
    watch(stop_.get(), EPOLLIN, nullptr);
  }

  std::uint16_t port() const noexcept { return port_; }

  void run() {
    while (!stopped_) {
      std::array<epoll_event, 128> events;
      const int count = epoll_wait(epoll_.get(), events.data(), int(events.size()), -1);
      for (int i = 0; i < count; ++i) note(events[i]);
      while (accept_one()) {
      }
      const TimePoint now = std::chrono::steady_clock::now();
      connections_.remove_if([now](Connection& each) { return !each.pump(now); });
      set_timer();
    }
  }

  void stop() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(stop_.get(), &one, sizeof one);
  }

 private:
  void watch(int fd, std::uint32_t events, Socket* socket) {
    epoll_event event{.events = events, .data = {.ptr = socket}};
    checked(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
  }

  // The sockets; of ours only stop_ matters here, and it is read to the end once.
  void note(const epoll_event& event) {
    std::uint64_t value = 0;
    if (auto* const socket = static_cast<Socket*>(event.data.ptr)) {
      socket->readable |= (event.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
      socket->writable |= (event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
    } else if (read(stop_.get(), &value, sizeof value) > 0) {
      stopped_ = true;
    } else {
      [[maybe_unused]] const auto expired = read(timer_.get(), &value, sizeof value);
    }
  }

  bool accept_one() {
    const int client = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0) return false;
    const int server = new_socket();
    setsockopt(server, SOL_SOCKET, SO_RCVBUF, &kServerBuffer, sizeof kServerBuffer);
    const auto open_at = std::chrono::steady_clock::now() + 2 * limits_.delay;
    Connection& connection =
        connections_.emplace_back(client, server, limits_, up_line_, down_line_, open_at);
    // Refused: the first read says so, and the client finds its connection closed.
    static_cast<void>(connect(server, reinterpret_cast<const sockaddr*>(&server_), sizeof server_));
    constexpr std::uint32_t kAll = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    watch(client, kAll, &connection.client);
    watch(server, kAll, &connection.server);
    return true;
  }

  void set_timer() {
    TimePoint at = TimePoint::max();
    for (const Connection& each : connections_) at = std::min(at, each.due());
    itimerspec when{};
    if (at != TimePoint::max()) {
      // Zero would disarm it.
      const auto since = std::max(at.time_since_epoch(), TimePoint::duration(1));
      when.it_value.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(since).count();
      when.it_value.tv_nsec = (since % std::chrono::seconds(1)).count();
    }
    checked(timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr), "timerfd_settime");
  }

  const PathLimits limits_;
  const sockaddr_in server_;
  Descriptor listener_, epoll_, timer_, stop_;
  std::uint16_t port_ = 0;
  SharedLine up_line_, down_line_;
  std::list<Connection> connections_;
  bool stopped_ = false;
};

Relay::Relay(std::uint16_t server, const PathLimits& limits)
    : loop_(std::make_unique<Loop>(server, limits)) {}
Relay::~Relay() = default;
std::uint16_t Relay::port() const noexcept { return loop_->port(); }
void Relay::run() { loop_->run(); }
void Relay::stop() noexcept { loop_->stop(); }

}  // namespace skimfs::bench
