// SPDX-License-Identifier: MIT
#include "fs/control.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "fs/mount_table.h"

namespace skimfs::fs::control {
namespace {

constexpr std::size_t kLongestReply = 64u << 20;  // some KiB for each of thousands of hosts
constexpr std::size_t kLongestName = 60;  // of a file; a socket's whole path has 107 bytes, unix(7)

std::uint64_t fnv1a(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

std::string hex(std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (int shift = 60; shift >= 0; shift -= 4) out.push_back(kDigits[(value >> shift) & 15]);
  return out;
}

// As systemd-escape --path does: '/' is '-', what is not plain is \xNN.
std::string escape(std::string_view path) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  while (path.starts_with('/')) path.remove_prefix(1);
  if (path.empty()) return "-";
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '_' || (c == '.' && !out.empty());
    if (c == '/') {
      out.push_back('-');
    } else if (plain) {
      out.push_back(c);
    } else {
      out += "\\x";
      out.push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 15]);
    }
  }
  return out;
}

using SteadyTime = std::chrono::steady_clock::time_point;

class Socket {
 public:
  Socket() : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  int get() const noexcept { return fd_; }

  // 0, or an errno value: EAGAIN when as many wait as may until the deadline.
  int connect_to(const std::string& path, SteadyTime deadline) const noexcept {
    constexpr std::chrono::milliseconds kPause{10};  // poll(2) does not tell when there is room
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return ENAMETOOLONG;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    while (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      if (errno != EAGAIN || std::chrono::steady_clock::now() >= deadline) return errno;
      std::this_thread::sleep_for(kPause);
    }
    return 0;
  }

  // Of the process that called listen(2), unix(7).
  std::optional<ucred> peer() const noexcept {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (getsockopt(fd_, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
    return peer;
  }

 private:
  int fd_;
};

void wait_for(int fd, short events, SteadyTime deadline, const std::string& mount) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  pollfd poller{fd, events, 0};
  if (left.count() <= 0 || poll(&poller, 1, static_cast<int>(left.count())) == 0)
    throw NotServed(mount + ": the mount does not answer");
}

bool is_control(unsigned char byte) noexcept {
  return (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f;
}

// For a terminal of root's, though a user's mount may have said it.  As JSON has them, where they
// mean the same.
std::string without_controls(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    auto byte = static_cast<unsigned char>(text[at]);
    const auto next = static_cast<unsigned char>(at + 1 < text.size() ? text[at + 1] : 0);
    const bool high = byte == 0xc2 && next >= 0x80 && next < 0xa0;  // U+0080 to U+009F
    if (!high && !is_control(byte)) {
      plain += text[at];
      continue;
    }
    if (high) byte = next, ++at;
    plain += "\\u00" + hex(byte).substr(14);
  }
  return plain;
}

// The mount has no more time for this connection.
struct HungUp : NotServed {
  using NotServed::NotServed;
};

[[noreturn]] void fail(const std::string& mount, int error) {
  const std::string why = mount + ": " + std::generic_category().message(error);
  if (error == EPIPE || error == ECONNRESET) throw HungUp(why);
  throw NotServed(why);
}

void send_all(int fd, std::string_view text, SteadyTime deadline, const std::string& mount) {
  while (!text.empty()) {
    wait_for(fd, POLLOUT, deadline, mount);
    const ssize_t sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent > 0)
      text.remove_prefix(static_cast<std::size_t>(sent));
    else if (errno != EINTR && errno != EAGAIN)
      fail(mount, errno);
  }
}

std::string receive_all(int fd, SteadyTime deadline, const std::string& mount) {
  std::string text;
  std::array<char, 4096> piece;
  for (;;) {
    wait_for(fd, POLLIN, deadline, mount);
    const ssize_t got = recv(fd, piece.data(), piece.size(), 0);
    if (got > 0 && text.size() > kLongestReply) throw NotServed(mount + ": the answer has no end");
    if (got > 0)
      text.append(piece.data(), static_cast<std::size_t>(got));
    else if (got == 0)
      return text;
    else if (errno != EINTR && errno != EAGAIN)
      fail(mount, errno);
  }
}

// What the kernel says of the directory.
struct Listed {
  bool mounted = false;  // a skimfs
  uid_t owner = geteuid();
};

Listed listed_at(const std::string& mount) {
  Listed listed;
  try {
    const auto row = topmost_at(read_mount_table(), mount);
    listed.mounted = row && row->type == kMountType;
    if (listed.mounted && row->user) listed.owner = *row->user;
  } catch (const std::system_error&) {
    // Without /proc it can only be the caller's own.
  }
  return listed;
}

std::string why_not_served(bool mounted, int error) {
  if (error == EACCES || error == EPERM)
    return "it belongs to another user: ask as that user or as root";
  if (error == EAGAIN) return "the mount does not answer";
  if (mounted)
    return "a skimfs is mounted there, but its socket cannot be reached: " +
           std::generic_category().message(error);
  return "no skimfs is mounted there";
}

// Anybody may make a socket in /tmp.
void check_peer(const Socket& socket, uid_t owner, const std::string& mount,
                const std::string& path) {
  const auto peer = socket.peer();
  if (!peer || (peer->uid != 0 && peer->uid != owner))
    throw NotServed(mount + ": " + path + " is another user's socket: it was not asked");
}

// Throws NotServed.
Socket connect_to_mount(const std::string& mount, SteadyTime deadline) {
  const Listed listed = listed_at(mount);
  const uid_t owner = geteuid() == 0 ? listed.owner : geteuid();  // root finds a user's
  int error = listed.owner == owner ? ENOENT : EACCES;
  for (const std::string& place : socket_directories(owner)) {
    const std::string path = place + "/" + socket_name(mount);
    Socket socket;
    const int refused = socket.connect_to(path, deadline);
    if (refused == 0) {
      check_peer(socket, owner, mount, path);
      return socket;
    }
    if (refused != ENOENT) error = refused;
  }
  throw NotServed(mount + ": " + why_not_served(listed.mounted, error));
}

std::filesystem::path real_or_same(const std::filesystem::path& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr),
                                                         &std::free);
  return real ? std::filesystem::path(real.get()) : path;
}

}  // namespace

// Word by word: ".." goes up from where a link led to, and realpath(3), which looks into what
// stands before a slash or a dot at the end, asks only whether each is a link, which no mount has
// to answer.
std::string mount_name(std::string_view directory) {
  namespace stdfs = std::filesystem;
  stdfs::path name = "/";
  for (const stdfs::path& word : stdfs::absolute(stdfs::path(directory)).relative_path()) {
    if (word == "..")
      name = name.parent_path();
    else if (!word.empty() && word != ".")
      name = real_or_same(name / word);
  }
  return name.string();
}

std::vector<std::string> socket_directories(uid_t user) {
  if (user == 0) return {"/run/skimfs"};
  std::vector<std::string> places;
  const char* runtime = user == geteuid() ? std::getenv("XDG_RUNTIME_DIR") : nullptr;
  if (runtime != nullptr && runtime[0] == '/') places.push_back(std::string(runtime) + "/skimfs");
  const std::string id = std::to_string(user);
  places.push_back("/run/user/" + id + "/skimfs");
  places.push_back("/tmp/skimfs-" + id);
  return places;
}

std::string socket_name(std::string_view mount_name) {
  std::string name = escape(mount_name);
  if (name.size() > kLongestName)
    name = name.substr(0, kLongestName - 17) + "~" + hex(fnv1a(mount_name));
  return name + ".sock";
}

static std::string ask_once(const std::string& mount, std::string_view command,
                            SteadyTime deadline) {
  const Socket socket = connect_to_mount(mount, deadline);
  send_all(socket.get(), std::string(command) + "\n", deadline, mount);
  const std::string reply = without_controls(receive_all(socket.get(), deadline, mount));
  if (reply.starts_with(kOk)) return reply.substr(kOk.size());
  if (reply.starts_with(kError)) throw Refused(mount + ": " + reply.substr(kError.size()));
  throw NotServed(mount + ": the mount ended while it was asked");
}

std::string ask(std::string_view directory, std::string_view command,
                std::chrono::milliseconds at_most) {
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  const std::string mount = mount_name(directory);
  try {
    return ask_once(mount, command, deadline);
  } catch (const HungUp&) {
    // We were slow, and the command was not read, or not to its end.
  }
  return ask_once(mount, command, deadline);
}

std::optional<Ticket> ticket_of(std::string_view command) {
  constexpr std::string_view kWord = "reload";
  if (!command.starts_with(kWord)) return std::nullopt;
  command.remove_prefix(kWord.size());
  if (command.empty()) return 0;
  if (!command.starts_with(' ')) return std::nullopt;
  command.remove_prefix(1);
  Ticket ticket = 0;
  const auto [end, error] =
      std::from_chars(command.data(), command.data() + command.size(), ticket);
  if (error != std::errc() || end != command.data() + command.size() || ticket == 0)
    return std::nullopt;
  return ticket;
}

std::string reload(std::string_view directory) {
  constexpr std::chrono::milliseconds kFirstLook{10}, kLongestPause{500};
  const std::string question = "reload " + ask(directory, "reload");
  for (auto pause = kFirstLook;; pause = std::min(2 * pause, kLongestPause)) {
    std::this_thread::sleep_for(pause);
    std::string outcome = ask(directory, question);
    if (!outcome.empty()) return outcome;
  }
}

std::optional<pid_t> serving_process(std::string_view directory) {
  constexpr std::chrono::seconds kPatience{1};
  try {
    const Socket socket =
        connect_to_mount(mount_name(directory), std::chrono::steady_clock::now() + kPatience);
    if (const auto peer = socket.peer()) return peer->pid;
  } catch (const NotServed&) {
    // Nobody this user may talk to.
  }
  return std::nullopt;
}

}  // namespace skimfs::fs::control
