// SPDX-License-Identifier: MIT
//
// A thread per connection.  One lock for plans and records; it is never held over a wait or a send.
//
// A thread that waits polls the client's socket and its own eventfd, so that the client's going,
// release(), cut_all() and the destructor all end the wait at once.
#include "tests/support/fault_proxy.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <list>
#include <mutex>
#include <span>
#include <thread>

#include "tests/support/sockets.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBuffer = 64 * 1024;

std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

struct Connection {
  Descriptor client, server, nudge;
  std::thread thread;
  // Guarded by the relay's mutex.
  ProxyRecord record;
  unsigned released = 0;  // the relay's release count it has seen
  bool cut = false;
  bool finished = false;  // the thread is at its end
};

}  // namespace

RandomFaults::RandomFaults(std::uint64_t seed, double probability) noexcept
    : seed_(seed), probability_(probability) {}

ProxyFault RandomFaults::operator()(std::uint64_t connection,
                                    std::uint64_t exchange) const noexcept {
  std::uint64_t state = mix(mix(seed_ + 1) ^ mix(connection * 0x9e3779b97f4a7c15u) ^ exchange);
  const auto next = [&state] { return state = mix(state + 0x9e3779b97f4a7c15u); };
  ProxyFault fault;
  if (static_cast<double>(next() >> 11) * 0x1p-53 >= probability_) return fault;
  const std::uint64_t at = next() % kBuffer;
  // Silence and drips cost their victim a timeout of many seconds: one fault in sixteen each.
  const std::uint64_t kind = next() % 16;
  if (kind < 4) return {.stop_after = at, .ending = ProxyFault::Ending::reset};
  if (kind < 8) return {.stop_after = at, .ending = ProxyFault::Ending::close};
  if (kind < 12) return {.stop_after = at, .ending = ProxyFault::Ending::half_close};
  if (kind < 14) return {.delay = 50ms};
  if (kind < 15) return {.stop_after = at, .ending = ProxyFault::Ending::stall};
  return {.drip_from = at};
}

class FaultProxy::Relay {
 public:
  Relay(std::uint16_t server_port, std::uint16_t port)
      : port_(port), listener_(listen_on(port_)), server_port_(server_port) {
    start_accepting();
  }
  ~Relay();

  std::uint16_t port() const noexcept { return port_; }
  void lead_to(std::uint16_t server_port) noexcept { server_port_ = server_port; }
  void stop_listening();
  void listen_again();
  void plan(Plan plan, unsigned times, unsigned after);
  void cut_all();
  void release();
  std::vector<ProxyRecord> connections() const;
  bool await(const std::function<bool()>& holds, std::chrono::milliseconds at_most) const;

 private:
  enum class Next { on, close, reset };

  // What a connection is in the midst of; its thread's alone.
  struct State {
    ProxyFault fault;
    std::uint64_t exchange = 0;  // the next one's number
    std::uint64_t sent = 0;      // to the client, in this exchange
    bool answered = true;        // the server has spoken: the client's next word begins another
    bool half_closed = false;
    bool client_open = true, server_open = true;
  };

  void start_accepting() {
    acceptor_ = std::thread([this] { accept_all(); });
  }
  void accept_all();
  void reap();
  void relay(Connection& connection);
  Next carry(Connection& connection, State& state);
  Next from_client(Connection& connection, State& state);
  Next from_server(Connection& connection, State& state);
  Next deliver(Connection& connection, State& state, std::span<char> bytes);
  Next send_run(Connection& connection, State& state, std::span<const char> bytes);
  Next stop(Connection& connection, State& state);
  void begin_exchange(Connection& connection, State& state);
  // False: the client went away, or somebody cuts.
  bool wait_for_release(Connection& connection);
  bool pause(Connection& connection, std::chrono::milliseconds time);
  bool released(Connection& connection);

  std::uint16_t port_;
  Descriptor listener_;
  std::atomic<std::uint16_t> server_port_;
  std::thread acceptor_;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  // All below guarded by mutex_.
  std::uint64_t changes_ = 0;
  std::shared_ptr<const Plan> plan_;
  unsigned times_ = 0, after_ = 0;
  std::list<Connection> connections_;
  std::vector<ProxyRecord> ended_;
  std::uint64_t total_ = 0;
  unsigned releases_ = 0;
  bool stopping_ = false;
};

FaultProxy::Relay::~Relay() {
  stop_listening();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  cut_all();
  for (auto& connection : connections_) connection.thread.join();
}

void FaultProxy::Relay::stop_listening() {
  if (!acceptor_.joinable()) return;
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  listener_ = hold(port_);  // so that nobody else gets the port meanwhile
}

void FaultProxy::Relay::listen_again() {
  if (acceptor_.joinable()) return;
  listen_on(listener_);
  start_accepting();
}

void FaultProxy::Relay::plan(Plan plan, unsigned times, unsigned after) {
  auto shared = std::make_shared<const Plan>(std::move(plan));
  const std::lock_guard lock(mutex_);
  plan_ = std::move(shared);
  times_ = times;
  after_ = after;
}

void FaultProxy::Relay::cut_all() {
  const std::lock_guard lock(mutex_);
  for (auto& connection : connections_) {
    connection.cut = true;
    // A send or receive ends at once; the thread then sees `cut`.
    if (!connection.finished) {
      reset_on_close(connection.client);
      ::shutdown(connection.client.get(), SHUT_RD);
      if (connection.server.get() >= 0) ::shutdown(connection.server.get(), SHUT_RDWR);
    }
    ::eventfd_write(connection.nudge.get(), 1);
  }
}

void FaultProxy::Relay::release() {
  const std::lock_guard lock(mutex_);
  ++releases_;
  for (auto& connection : connections_) ::eventfd_write(connection.nudge.get(), 1);
}

std::vector<ProxyRecord> FaultProxy::Relay::connections() const {
  const std::lock_guard lock(mutex_);
  std::vector<ProxyRecord> records = ended_;
  for (const auto& connection : connections_) records.push_back(connection.record);
  std::ranges::sort(records, {}, &ProxyRecord::connection);
  return records;
}

bool FaultProxy::Relay::await(const std::function<bool()>& holds,
                              std::chrono::milliseconds at_most) const {
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  for (;;) {
    std::unique_lock lock(mutex_);
    const auto seen = changes_;
    lock.unlock();
    if (holds()) return true;
    lock.lock();
    if (!changed_.wait_until(lock, deadline, [&] { return changes_ != seen; })) return false;
  }
}

void FaultProxy::Relay::accept_all() {
  for (;;) {
    Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket.get() < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EINVAL) std::perror("fault proxy: accept");  // EINVAL: stop_listening()
      return;
    }
    no_delay(socket);
    reap();
    const std::lock_guard lock(mutex_);
    Connection& connection = connections_.emplace_back();
    connection.client = std::move(socket);
    connection.nudge = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    connection.record.connection = ++total_;
    connection.released = releases_;
    connection.thread = std::thread([this, &connection] { relay(connection); });
    ++changes_;
    changed_.notify_all();
  }
}

void FaultProxy::Relay::reap() {
  std::list<Connection> ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = connections_.begin(); at != connections_.end();) {
      const auto here = at++;
      if (!here->finished) continue;
      ended_.push_back(here->record);
      ended.splice(ended.end(), connections_, here);
    }
  }
  for (auto& connection : ended) connection.thread.join();
}

void FaultProxy::Relay::relay(Connection& connection) {
  State state;
  Descriptor server = connect_to(server_port_);
  Next next = server.get() >= 0 ? Next::on : Next::reset;
  {
    const std::lock_guard lock(mutex_);
    connection.server = std::move(server);
    if (connection.cut) next = Next::reset;
  }
  if (next == Next::on) no_delay(connection.server);
  while (next == Next::on && (state.client_open || state.server_open)) {
    next = carry(connection, state);
  }
  const std::lock_guard lock(mutex_);
  if (next == Next::reset || connection.cut) reset_on_close(connection.client);
  connection.client.reset();
  connection.server.reset();
  connection.record.open = false;
  connection.finished = true;
  ++changes_;
  changed_.notify_all();
}

// One turn: whatever side has something to say.
FaultProxy::Relay::Next FaultProxy::Relay::carry(Connection& connection, State& state) {
  std::array<pollfd, 3> waits{
      {{state.client_open ? connection.client.get() : -1, POLLIN, 0},
       {state.server_open && !state.half_closed ? connection.server.get() : -1, POLLIN, 0},
       {connection.nudge.get(), POLLIN, 0}}};
  if (::poll(waits.data(), waits.size(), -1) < 0) return errno == EINTR ? Next::on : Next::close;
  if (waits[2].revents != 0 && !released(connection)) return Next::reset;
  Next next = Next::on;
  if (waits[0].revents != 0) next = from_client(connection, state);
  if (next == Next::on && waits[1].revents != 0) next = from_server(connection, state);
  return next;
}

FaultProxy::Relay::Next FaultProxy::Relay::from_client(Connection& connection, State& state) {
  std::array<char, 16384> buffer;
  const auto got = ::recv(connection.client.get(), buffer.data(), buffer.size(), 0);
  if (got < 0) return errno == EINTR ? Next::on : Next::close;
  if (got == 0) {
    state.client_open = false;
    ::shutdown(connection.server.get(), SHUT_WR);
    return state.half_closed ? Next::close : Next::on;
  }
  if (state.half_closed) return Next::on;  // heard by nobody
  if (state.answered) begin_exchange(connection, state);
  state.answered = false;
  if (state.fault.refuse) return Next::reset;
  if (!send_all(connection.server, {buffer.data(), static_cast<std::size_t>(got)}))
    return Next::close;
  const std::lock_guard lock(mutex_);
  connection.record.to_server += static_cast<std::uint64_t>(got);
  ++changes_;
  changed_.notify_all();
  return Next::on;
}

FaultProxy::Relay::Next FaultProxy::Relay::from_server(Connection& connection, State& state) {
  std::vector<char> buffer(kBuffer);
  const auto got = ::recv(connection.server.get(), buffer.data(), buffer.size(), 0);
  if (got < 0) return errno == EINTR ? Next::on : Next::reset;
  if (got == 0) {
    state.server_open = false;
    ::shutdown(connection.client.get(), SHUT_WR);
    return state.client_open ? Next::on : Next::close;
  }
  state.answered = true;
  return deliver(connection, state, std::span(buffer).first(static_cast<std::size_t>(got)));
}

FaultProxy::Relay::Next FaultProxy::Relay::deliver(Connection& connection, State& state,
                                                   std::span<char> bytes) {
  if (state.fault.delay > 0ms && !pause(connection, state.fault.delay)) return Next::reset;
  while (!bytes.empty()) {
    const ProxyFault& fault = state.fault;
    if (fault.stop_after == state.sent) {
      if (const Next next = stop(connection, state); next != Next::on || state.half_closed)
        return next;
    }
    // A run ends where something is to happen.
    std::uint64_t run = bytes.size();
    const auto end_at = [&](std::optional<std::uint64_t> offset) {
      if (offset && *offset > state.sent) run = std::min(run, *offset - state.sent);
    };
    end_at(fault.stop_after);
    end_at(fault.drip_from);
    if (fault.drip_from && state.sent >= *fault.drip_from) run = 1;
    const auto here = bytes.first(static_cast<std::size_t>(run));
    bytes = bytes.subspan(here.size());
    if (const Next next = send_run(connection, state, here); next != Next::on) return next;
  }
  return state.fault.stop_after == state.sent ? stop(connection, state) : Next::on;
}

FaultProxy::Relay::Next FaultProxy::Relay::send_run(Connection& connection, State& state,
                                                    std::span<const char> bytes) {
  const ProxyFault& fault = state.fault;
  std::string out(bytes.begin(), bytes.end());
  const auto place = [&](std::optional<std::uint64_t> offset) -> std::optional<std::size_t> {
    if (!offset || *offset < state.sent || *offset >= state.sent + bytes.size()) return {};
    return static_cast<std::size_t>(*offset - state.sent);
  };
  if (const auto at = place(fault.corrupt_at)) out[*at] = static_cast<char>(~out[*at]);
  if (const auto at = place(fault.duplicate_at)) out.insert(*at, 1, out[*at]);
  if (fault.drip_from && state.sent >= *fault.drip_from && !pause(connection, fault.drip_every)) {
    return Next::reset;
  }
  if (!send_all(connection.client, out)) return Next::close;
  state.sent += bytes.size();
  const std::lock_guard lock(mutex_);
  connection.record.to_client += out.size();
  ++changes_;
  changed_.notify_all();
  return Next::on;
}

FaultProxy::Relay::Next FaultProxy::Relay::stop(Connection& connection, State& state) {
  switch (state.fault.ending) {
    case ProxyFault::Ending::close:
      return Next::close;
    case ProxyFault::Ending::reset:
      return Next::reset;
    case ProxyFault::Ending::half_close:
      state.half_closed = true;
      ::shutdown(connection.client.get(), SHUT_WR);
      return Next::on;
    case ProxyFault::Ending::stall:
      break;
  }
  if (!wait_for_release(connection)) return Next::reset;
  state.fault.stop_after.reset();
  return Next::on;
}

void FaultProxy::Relay::begin_exchange(Connection& connection, State& state) {
  std::shared_ptr<const Plan> plan;
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = connection.record.connection;
    ++connection.record.exchanges;
    connection.released = releases_;
    const bool now = after_ == 0 && times_ > 0;
    if (after_ > 0) --after_;
    if (now) plan = plan_;
    if (now && times_ != kAlways) --times_;
  }
  state.fault = plan && *plan ? (*plan)(number, state.exchange) : ProxyFault{};
  ++state.exchange;
  state.sent = 0;
  const std::lock_guard lock(mutex_);
  connection.record.faulty += state.fault != ProxyFault{};
}

bool FaultProxy::Relay::wait_for_release(Connection& connection) {
  const unsigned before = [&] {
    const std::lock_guard lock(mutex_);
    return connection.released;
  }();
  for (;;) {
    if (!pause(connection, -1ms)) return false;
    const std::lock_guard lock(mutex_);
    if (connection.released != before) return true;
  }
}

// Returns early, with true, when released.  Negative: as long as it takes.
bool FaultProxy::Relay::pause(Connection& connection, std::chrono::milliseconds time) {
  std::array<pollfd, 2> waits{
      {{connection.client.get(), POLLRDHUP, 0}, {connection.nudge.get(), POLLIN, 0}}};
  while (::poll(waits.data(), waits.size(), static_cast<int>(time.count())) < 0) {
    if (errno != EINTR) return false;
  }
  if (waits[0].revents != 0) return false;
  return waits[1].revents == 0 || released(connection);
}

// After a nudge.  False: it is to be cut.
bool FaultProxy::Relay::released(Connection& connection) {
  eventfd_t ignored;
  ::eventfd_read(connection.nudge.get(), &ignored);
  const std::lock_guard lock(mutex_);
  connection.released = releases_;
  return !connection.cut && !stopping_;
}

FaultProxy::FaultProxy(std::uint16_t server_port, std::uint16_t port)
    : relay_(std::make_unique<Relay>(server_port, port)) {}
FaultProxy::~FaultProxy() = default;

std::uint16_t FaultProxy::port() const noexcept { return relay_->port(); }
std::string FaultProxy::base() const { return "http://127.0.0.1:" + std::to_string(port()); }

void FaultProxy::fault(ProxyFault fault, unsigned times, unsigned after) {
  relay_->plan([fault](std::uint64_t, std::uint64_t) { return fault; }, times, after);
}
void FaultProxy::plan(Plan plan) { relay_->plan(std::move(plan), kAlways, 0); }
void FaultProxy::lead_to(std::uint16_t server_port) { relay_->lead_to(server_port); }
void FaultProxy::stop_listening() { relay_->stop_listening(); }
void FaultProxy::listen_again() { relay_->listen_again(); }
void FaultProxy::cut_all() { relay_->cut_all(); }
void FaultProxy::release() { relay_->release(); }
std::vector<ProxyRecord> FaultProxy::connections() const { return relay_->connections(); }
bool FaultProxy::await(const std::function<bool()>& holds,
                       std::chrono::milliseconds at_most) const {
  return relay_->await(holds, at_most);
}

}  // namespace skimfs::test
