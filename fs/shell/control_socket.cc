// SPDX-License-Identifier: MIT
#include "fs/shell/control_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

#include "fs/control.h"

namespace skimfs::fs::shell {
namespace {

// For the command to come, and again for the reply to go: a busy machine is not a silent client.
constexpr std::chrono::seconds kClientTime{2};
// Who connects to a mount that has stopped goes after seconds, but stays in the queue.
constexpr int kQueue = 64;
constexpr int kLook = 1000;  // milliseconds: is the socket still there?

[[noreturn]] void fail(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

// Others must not be able to put a socket of theirs in our place.
void make_private_directory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) fail(errno, path);
  struct stat found;
  if (lstat(path.c_str(), &found) != 0) fail(errno, path);
  if (!S_ISDIR(found.st_mode) || found.st_uid != geteuid() || (found.st_mode & 022) != 0)
    fail(EACCES, path + " is not a private directory");
}

struct Listener {
  int fd;
  ino_t inode;
};

// In a directory that is made if need be.  Bound beside its place and moved there, so that a
// leftover is replaced in one step.  `flags`: of renameat2(2).  Throws std::system_error.
Listener listen_at(const std::string& path, unsigned flags) {
  make_private_directory(path.substr(0, path.rfind('/')));
  const std::string fresh = path + "." + std::to_string(getpid());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (fresh.size() >= sizeof address.sun_path) fail(ENAMETOOLONG, fresh);
  std::memcpy(address.sun_path, fresh.c_str(), fresh.size() + 1);
  unlink(fresh.c_str());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  struct stat made;
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      chmod(fresh.c_str(), 0600) != 0 || stat(fresh.c_str(), &made) != 0 ||
      listen(fd, kQueue) != 0 ||
      renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, path.c_str(), flags) != 0) {
    const int error = errno;
    if (fd >= 0) close(fd);
    unlink(fresh.c_str());
    fail(error, path);
  }
  return {fd, made.st_ino};
}

bool may_command(int client) noexcept {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == 0 || peer.uid == geteuid());
}

}  // namespace

// One connection: a line in, a reply out.
class ControlSocket::Client {
 public:
  Client(int fd, int stop) noexcept : fd_(fd), stop_(stop) {}
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void serve(const Answer& answer) {
    if (!may_command(fd_)) return;
    const auto command = receive_line();
    if (!command) return;
    const control::Reply reply =
        answer(*command).value_or(control::Reply{false, "unknown command \"" + *command + "\""});
    deadline_ = later();
    send_all(std::string(reply.good ? control::kOk : control::kError) + reply.text);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static Clock::time_point later() noexcept { return Clock::now() + kClientTime; }

  // false: time is up, or the mount stops.
  bool wait(short events) noexcept {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now());
    std::array<pollfd, 2> polled{{{fd_, events, 0}, {stop_, POLLIN, 0}}};
    return left.count() > 0 &&
           poll(polled.data(), polled.size(), static_cast<int>(left.count())) > 0 &&
           polled[1].revents == 0;
  }

  std::optional<std::string> receive_line() {
    std::string line;
    std::array<char, control::kLongestRequest> piece;
    while (line.size() < control::kLongestRequest && wait(POLLIN)) {
      const ssize_t got = recv(fd_, piece.data(), piece.size() - line.size(), 0);
      if (got <= 0) return std::nullopt;
      line.append(piece.data(), static_cast<std::size_t>(got));
      if (const auto end = line.find('\n'); end != std::string::npos) return line.substr(0, end);
    }
    return std::nullopt;
  }

  void send_all(std::string_view text) {
    while (!text.empty() && wait(POLLOUT)) {
      const ssize_t sent = send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(sent));
      deadline_ = later();
    }
  }

  const int fd_;
  const int stop_;
  Clock::time_point deadline_ = later();
};

ControlSocket::ControlSocket(std::string path) : path_(std::move(path)) {
  const Listener made = listen_at(path_, 0);
  stop_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop_ < 0) {
    const int error = errno;
    close(made.fd);
    unlink(path_.c_str());
    fail(error, "control socket");
  }
  listener_ = made.fd;
  inode_ = made.inode;
}

void ControlSocket::start(Answer answer, Owns owns) {
  answer_ = std::move(answer);
  owns_ = std::move(owns);
  thread_ = std::thread([this] { run(); });
}

bool ControlSocket::is_gone() const noexcept {
  struct stat there;
  return lstat(path_.c_str(), &there) != 0 && errno == ENOENT;
}

// /run/user/UID goes with the last session of its user, and /tmp is swept.
void ControlSocket::listen_again() noexcept {
  try {
    if (!owns_()) return;  // a successor makes its own
    const Listener made = listen_at(path_, RENAME_NOREPLACE);
    close(std::exchange(listener_, made.fd));
    inode_ = made.inode;
  } catch (const std::system_error&) {
    // Not yet, or not for who we have become.
  } catch (const std::bad_alloc&) {
  }
}

ControlSocket::~ControlSocket() {
  eventfd_write(stop_, 1);
  if (thread_.joinable()) thread_.join();
  struct stat there;
  if (stat(path_.c_str(), &there) == 0 && there.st_ino == inode_) unlink(path_.c_str());
  close(listener_);
  close(stop_);
}

void ControlSocket::serve(int client) noexcept {
  try {
    Client(client, stop_).serve(answer_);
  } catch (const std::bad_alloc&) {
    // Who asks sees the end of the stream, and asks again.
  }
}

void ControlSocket::run() {
  constexpr int kPause = 100;  // milliseconds
  std::array<pollfd, 2> polled{{{listener_, POLLIN, 0}, {stop_, POLLIN, 0}}};
  for (;;) {
    polled[0].fd = listener_;
    const int ready = poll(polled.data(), polled.size(), kLook);
    if (ready < 0 && errno == ENOMEM)
      std::this_thread::sleep_for(std::chrono::milliseconds(kPause));
    else if (ready < 0 && errno != EINTR)
      return;
    if (ready > 0 && polled[1].revents != 0) return;
    if (ready == 0 && is_gone()) listen_again();
    if (ready <= 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client >= 0)
      serve(client);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
      poll(&polled[1], 1, kPause);  // who asks is still there, and would be found at once
  }
}

}  // namespace skimfs::fs::shell
