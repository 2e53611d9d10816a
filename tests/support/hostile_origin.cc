// SPDX-License-Identifier: MIT
//
// The sockets and the memory of the hostile origin; what it says is origin_reply's.
//
// One lock for files, records and connections; it is never held over a wait or a send.  A thread
// that waits (held, stalled, dripping) polls its socket and its own eventfd, so that the peer's
// close, release() and the destructor all end the wait at once.
#include "tests/support/hostile_origin.h"

#include <linux/filter.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <random>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "tests/support/origin_reply.h"
#include "tests/support/sockets.h"

namespace skimfs::test {
namespace {

constexpr std::size_t kMaxHead = 64 * 1024;
constexpr std::size_t kSendBuffer = 64 * 1024;

// A filter on the socket itself: the kernel drops what arrives before TCP sees it.
void set_dropping(int socket, bool dropping) {
  sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog filter{1, &nothing};
  const int unused = 0;
  const int done = dropping
                       ? ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter)
                       : ::setsockopt(socket, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
  if (done != 0 && errno != ENOENT)  // ENOENT: there was none
    throw std::system_error(errno, std::generic_category(), "filter");
}

struct Entry {
  OriginFile file;
  Behaviour behaviour;
  unsigned times = 0;  // requests the behaviour is still for, ...
  unsigned after = 0;  // ... after so many that it is not for
  unsigned turn = 0;
  std::optional<unsigned> change_in{};  // requests until the content changes
  std::optional<std::uint64_t> changed_size{};

  bool misbehaves() const noexcept { return after == 0 && times > 0; }
  void change(std::optional<std::uint64_t> size) {
    ++file.content;
    ++file.validator;
    if (size) file.size = *size;
  }
  // What the next request gets.
  Behaviour take_behaviour() {
    if (change_in && (*change_in)-- == 0) {
      change(changed_size);
      change_in.reset();
    }
    const bool now = misbehaves();
    if (after > 0)
      --after;
    else if (now && times != HostileOrigin::kAlways)
      --times;
    return now ? behaviour : Behaviour{};
  }
};

// Faults that any request may meet.
struct Chance {
  std::mt19937_64 random;
  double probability = 0;
  std::vector<Behaviour> faults;

  const Behaviour* draw() {
    if (faults.empty() || std::uniform_real_distribution<>()(random) >= probability) return nullptr;
    return &faults[random() % faults.size()];
  }
};

struct Connection {
  std::uint64_t number = 0;
  Descriptor socket, nudge;
  std::thread thread;
  bool idle = true;       // guarded by the server's mutex, as are the next two
  bool finished = false;  // the thread is at its end
  unsigned released = 0;  // the server's release count it has seen
};

}  // namespace

class HostileOrigin::Server {
 public:
  explicit Server(std::uint16_t port) : port_(port), listener_(listen_on(port_)) {
    start_accepting();
  }
  ~Server();

  std::uint16_t port() const noexcept { return port_; }
  void stop_listening();
  void listen_again();
  void drop_packets(bool dropping);
  void drop_idle_connections();
  void release();
  bool await(const std::function<bool()>& holds, std::chrono::milliseconds at_most) const;

  template <class F>
  auto with_entry(const std::string& path, F&& act) {
    const std::lock_guard lock(mutex_);
    const auto found = files_.find(path);
    if (found == files_.end()) throw std::out_of_range("the origin has no " + path);
    return act(found->second);
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::uint64_t changes_ = 0;  // all below guarded by mutex_
  std::map<std::string, Entry, std::less<>> files_;
  std::deque<std::shared_ptr<RequestRecord>> records_;
  ConnectionCounts counts_;
  bool silent_ = false;
  Chance chance_;

 private:
  enum class Next { request, close, reset };

  void start_accepting() {
    acceptor_ = std::thread([this] { accept_all(); });
  }
  void accept_all();
  void reap();
  void serve(Connection& connection);
  bool read_head(Connection& connection, std::string& buffer, std::string& head);
  Next answer(Connection& connection, const OriginRequest& request);
  bool send_body(Connection& connection, RequestRecord& record, const OriginReply& reply,
                 const Body& body, const Behaviour& behaviour);
  bool send_run(Connection& connection, RequestRecord& record, std::string_view bytes,
                const Behaviour& behaviour, bool chunked);
  // False: the peer went away, or the server ends.
  bool wait_for_release(Connection& connection);
  bool pause(Connection& connection, std::chrono::milliseconds time);
  void note_change() {  // mutex_ held
    ++changes_;
    changed_.notify_all();
  }

  std::uint16_t port_;
  Descriptor listener_;
  std::list<Connection> connections_;  // guarded by mutex_
  unsigned releases_ = 0;              // guarded by mutex_
  bool stopping_ = false;              // guarded by mutex_
  std::thread acceptor_;
};

HostileOrigin::Server::~Server() {
  stop_listening();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (auto& connection : connections_) {
      if (!connection.finished) ::shutdown(connection.socket.get(), SHUT_RDWR);
      ::eventfd_write(connection.nudge.get(), 1);
    }
  }
  for (auto& connection : connections_) connection.thread.join();
}

void HostileOrigin::Server::stop_listening() {
  if (!acceptor_.joinable()) return;
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  listener_ = hold(port_);  // so that nobody else gets the port meanwhile
}

void HostileOrigin::Server::listen_again() {
  if (acceptor_.joinable()) return;
  listen_on(listener_);
  start_accepting();
}

void HostileOrigin::Server::drop_packets(bool dropping) {
  const std::lock_guard lock(mutex_);
  set_dropping(listener_.get(), dropping);
  for (auto& connection : connections_)
    if (!connection.finished) set_dropping(connection.socket.get(), dropping);
}

void HostileOrigin::Server::drop_idle_connections() {
  const std::lock_guard lock(mutex_);
  for (auto& connection : connections_) {
    if (connection.idle && !connection.finished) ::shutdown(connection.socket.get(), SHUT_RDWR);
  }
}

void HostileOrigin::Server::release() {
  const std::lock_guard lock(mutex_);
  ++releases_;
  for (auto& connection : connections_) ::eventfd_write(connection.nudge.get(), 1);
}

bool HostileOrigin::Server::await(const std::function<bool()>& holds,
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

void HostileOrigin::Server::accept_all() {
  for (;;) {
    Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket.get() < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EINVAL) std::perror("hostile origin: accept");  // EINVAL: stop_listening()
      return;
    }
    no_delay(socket);
    reap();
    const std::lock_guard lock(mutex_);
    Connection& connection = connections_.emplace_back();
    connection.number = ++counts_.total;
    connection.socket = std::move(socket);
    connection.nudge = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    connection.released = releases_;
    counts_.peak = std::max(counts_.peak, ++counts_.open);
    connection.thread = std::thread([this, &connection] { serve(connection); });
    note_change();
  }
}

void HostileOrigin::Server::reap() {
  std::list<Connection> ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = connections_.begin(); at != connections_.end();) {
      const auto here = at++;
      if (here->finished) ended.splice(ended.end(), connections_, here);
    }
  }
  for (auto& connection : ended) connection.thread.join();
}

void HostileOrigin::Server::serve(Connection& connection) {
  std::string buffer, head;
  Next next = Next::request;
  while (next == Next::request) {
    OriginRequest request;
    if (!read_head(connection, buffer, head) || !parse_request(head, request)) break;
    next = answer(connection, request);
  }
  if (next == Next::reset) reset_on_close(connection.socket);
  const std::lock_guard lock(mutex_);
  connection.socket.reset();
  connection.finished = true;
  --counts_.open;
  note_change();
}

bool HostileOrigin::Server::read_head(Connection& connection, std::string& buffer,
                                      std::string& head) {
  {
    const std::lock_guard lock(mutex_);
    connection.idle = true;
  }
  std::array<char, 4096> bytes;
  for (;;) {
    if (const auto end = buffer.find("\r\n\r\n"); end != buffer.npos) {
      head = buffer.substr(0, end);
      buffer.erase(0, end + 4);
      return true;
    }
    if (buffer.size() > kMaxHead) return false;
    const auto got = ::recv(connection.socket.get(), bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    buffer.append(bytes.data(), static_cast<std::size_t>(got));
  }
}

HostileOrigin::Server::Next HostileOrigin::Server::answer(Connection& connection,
                                                          const OriginRequest& request) {
  const auto record = std::make_shared<RequestRecord>();
  record->connection = connection.number;
  record->method = request.method;
  record->target = request.target;
  record->headers = request.headers;
  bool hold = false;
  {
    const std::lock_guard lock(mutex_);
    connection.idle = false;
    connection.released = releases_;
    records_.push_back(record);
    const auto found = files_.find(request.path());
    hold = silent_ ||
           (found != files_.end() && found->second.misbehaves() && found->second.behaviour.hold);
    note_change();
  }
  if (hold && !wait_for_release(connection)) return Next::close;

  Behaviour behaviour;
  OriginFile file;
  OriginReply reply;
  {
    const std::lock_guard lock(mutex_);
    const auto found = files_.find(request.path());
    if (found == files_.end()) {
      reply = make_not_found();
    } else {
      Entry& entry = found->second;
      behaviour = entry.take_behaviour();
      if (const Behaviour* fault = chance_.draw()) behaviour = *fault;
      file = entry.file;
      reply = make_reply(request, file, behaviour, entry.turn++);
    }
    record->status = reply.status;
    note_change();
  }

  std::string head;
  for (unsigned i = 0; i < behaviour.informational; ++i) head += "HTTP/1.1 103 Early Hints\r\n\r\n";
  head += reply.head;
  const bool whole =
      send_all(connection.socket, head) &&
      send_body(connection, *record, reply, Body(file.path, file.content), behaviour);
  {
    const std::lock_guard lock(mutex_);
    record->done = true;
    connection.idle = true;  // known to whoever sees that it is done
    note_change();
  }
  if (behaviour.ending == Ending::reset) return Next::reset;
  if (!whole || behaviour.ending == Ending::close || behaviour.ending == Ending::close_unsaid) {
    return Next::close;
  }
  const bool stalled_already = behaviour.stop_after.has_value();
  if (behaviour.ending == Ending::stall && !stalled_already && !wait_for_release(connection)) {
    return Next::close;
  }
  return reply.length_known ? Next::request : Next::close;
}

// False: the connection can carry no further reply.
bool HostileOrigin::Server::send_body(Connection& connection, RequestRecord& record,
                                      const OriginReply& reply, const Body& body,
                                      const Behaviour& behaviour) {
  std::vector<char> buffer(kSendBuffer);
  std::uint64_t left = behaviour.stop_after.value_or(~std::uint64_t{0});
  for (const auto& piece : reply.body) {
    const std::uint64_t length = piece.text.empty() ? piece.length : piece.text.size();
    for (std::uint64_t at = 0; at < length;) {
      std::uint64_t run = std::min<std::uint64_t>({length - at, buffer.size(), left});
      if (behaviour.drip_bytes > 0) run = std::min(run, behaviour.drip_bytes);
      if (run == 0) {
        if (behaviour.ending != Ending::stall || !wait_for_release(connection)) return false;
        left = ~std::uint64_t{0};
        continue;
      }
      const std::span<char> out = std::span(buffer).first(run);
      if (piece.text.empty()) {
        body.fill(piece.offset + at, out);
      } else {
        std::copy_n(piece.text.data() + at, run, out.data());
      }
      if (!send_run(connection, record, {out.data(), out.size()}, behaviour, reply.chunked)) {
        return false;
      }
      at += run;
      left -= run;
    }
  }
  return !reply.chunked || send_all(connection.socket, "0\r\n\r\n");
}

bool HostileOrigin::Server::send_run(Connection& connection, RequestRecord& record,
                                     std::string_view bytes, const Behaviour& behaviour,
                                     bool chunked) {
  if (behaviour.drip_bytes > 0 && !pause(connection, behaviour.drip_every)) return false;
  if (chunked) {
    char size[20];
    const int length = std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    if (!send_all(connection.socket, {size, static_cast<std::size_t>(length)})) return false;
  }
  if (!send_all(connection.socket, bytes) || (chunked && !send_all(connection.socket, "\r\n")))
    return false;
  const std::lock_guard lock(mutex_);
  record.body_sent += bytes.size();
  note_change();
  return true;
}

bool HostileOrigin::Server::wait_for_release(Connection& connection) {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return false;
      if (connection.released != releases_) {
        connection.released = releases_;
        return true;
      }
    }
    if (!pause(connection, std::chrono::milliseconds(-1))) return false;
  }
}

// Returns early, with true, when nudged.  Negative: as long as it takes.
bool HostileOrigin::Server::pause(Connection& connection, std::chrono::milliseconds time) {
  std::array<pollfd, 2> waits{
      {{connection.socket.get(), POLLRDHUP, 0}, {connection.nudge.get(), POLLIN, 0}}};
  while (::poll(waits.data(), waits.size(), static_cast<int>(time.count())) < 0) {
    if (errno != EINTR) return false;
  }
  if (waits[1].revents != 0) {
    eventfd_t ignored;
    ::eventfd_read(connection.nudge.get(), &ignored);
  }
  if (waits[0].revents != 0) return false;
  const std::lock_guard lock(mutex_);
  return !stopping_;
}

std::string_view RequestRecord::header(std::string_view name) const noexcept {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

HostileOrigin::HostileOrigin(std::uint16_t port) : server_(std::make_unique<Server>(port)) {}
HostileOrigin::~HostileOrigin() = default;

std::uint16_t HostileOrigin::port() const noexcept { return server_->port(); }
std::string HostileOrigin::base() const { return "http://127.0.0.1:" + std::to_string(port()); }
std::string HostileOrigin::url(std::string_view path) const { return base() + std::string(path); }

void HostileOrigin::add(const std::string& path, std::uint64_t size, Behaviour behaviour) {
  const std::lock_guard lock(server_->mutex_);
  server_->files_[path] = {
      .file = {path, size}, .behaviour = std::move(behaviour), .times = kAlways};
}

void HostileOrigin::remove(const std::string& path) {
  const std::lock_guard lock(server_->mutex_);
  server_->files_.erase(path);
}

void HostileOrigin::behave(const std::string& path, Behaviour behaviour, unsigned times,
                           unsigned after) {
  server_->with_entry(path, [&](Entry& entry) {
    entry.behaviour = std::move(behaviour);
    entry.times = times;
    entry.after = after;
  });
}

void HostileOrigin::misbehave(std::uint64_t seed, double probability,
                              std::vector<Behaviour> faults) {
  const std::lock_guard lock(server_->mutex_);
  server_->chance_ = {std::mt19937_64(seed), probability, std::move(faults)};
}

void HostileOrigin::change(const std::string& path, std::optional<std::uint64_t> size) {
  server_->with_entry(path, [&](Entry& entry) { entry.change(size); });
}

void HostileOrigin::change_after(const std::string& path, unsigned requests,
                                 std::optional<std::uint64_t> size) {
  server_->with_entry(path, [&](Entry& entry) {
    entry.change_in = requests;
    entry.changed_size = size;
  });
}

void HostileOrigin::rewrite(const std::string& path) {
  server_->with_entry(path, [](Entry& entry) { ++entry.file.content; });
}

Body HostileOrigin::body(const std::string& path) const {
  return server_->with_entry(path, [&](Entry& entry) { return Body(path, entry.file.content); });
}

std::string HostileOrigin::etag(const std::string& path) const {
  return server_->with_entry(path, [](Entry& entry) { return etag_of(entry.file); });
}

std::int64_t HostileOrigin::last_modified(const std::string& path) const {
  return server_->with_entry(path, [](Entry& entry) { return last_modified_of(entry.file); });
}

void HostileOrigin::accept_in_silence(bool silent) noexcept {
  const std::lock_guard lock(server_->mutex_);
  server_->silent_ = silent;
}

void HostileOrigin::stop_listening() { server_->stop_listening(); }
void HostileOrigin::listen_again() { server_->listen_again(); }
void HostileOrigin::drop_packets(bool dropping) { server_->drop_packets(dropping); }
void HostileOrigin::drop_idle_connections() { server_->drop_idle_connections(); }
void HostileOrigin::release() { server_->release(); }

std::vector<RequestRecord> HostileOrigin::requests(std::string_view path) const {
  const std::lock_guard lock(server_->mutex_);
  std::vector<RequestRecord> out;
  for (const auto& record : server_->records_) {
    if (path.empty() || record->target.substr(0, record->target.find('?')) == path) {
      out.push_back(*record);
    }
  }
  return out;
}

std::size_t HostileOrigin::count(std::string_view path) const { return requests(path).size(); }

void HostileOrigin::forget_requests() {
  const std::lock_guard lock(server_->mutex_);
  server_->records_.clear();
}

ConnectionCounts HostileOrigin::connections() const {
  const std::lock_guard lock(server_->mutex_);
  return server_->counts_;
}

bool HostileOrigin::await(const std::function<bool()>& holds,
                          std::chrono::milliseconds at_most) const {
  return server_->await(holds, at_most);
}

}  // namespace skimfs::test
