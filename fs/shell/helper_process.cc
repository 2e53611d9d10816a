// SPDX-License-Identifier: MIT
#include "fs/shell/helper_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

namespace skimfs::fs::shell {
namespace {

constexpr const char* kHelper = "fusermount3";
constexpr int kChannel = 3;  // its descriptor of the socket, named by _FUSE_COMMFD

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) noexcept : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }
  void reset() noexcept {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

// What the child inherits: no open file but these, no blocked signal but those, PATH or its
// default.
class SpawnPlan {
 public:
  SpawnPlan(int errors, int channel, const sigset_t& blocked) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions_, STDIN_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO);
    if (channel >= 0) posix_spawn_file_actions_adddup2(&actions_, channel, kChannel);
    posix_spawnattr_setsigmask(&attributes_, &blocked);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  // Result: an errno value, 0 when it runs.
  int run(std::vector<std::string>& words, pid_t& pid) {
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::string channel = "_FUSE_COMMFD=" + std::to_string(kChannel);
    std::array<char*, 2> environment{channel.data(), nullptr};
    return posix_spawnp(&pid, kHelper, &actions_, &attributes_, arguments.data(),
                        environment.data());
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

// Between mounting and sending the device it must not be ended: a dead mount would stay.  Who stops
// a whole group means us, who take down what it sends.
sigset_t blocked_while(bool mounting) noexcept {
  sigset_t blocked;
  sigemptyset(&blocked);
  if (!mounting) return blocked;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&blocked, signal);
  return blocked;
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 512> piece;
  for (;;) {
    const ssize_t got = read(fd, piece.data(), piece.size());
    if (got > 0)
      text.append(piece.data(), static_cast<std::size_t>(got));
    else if (got == 0 || errno != EINTR)
      return text;
  }
}

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const std::size_t start = text.rfind('\n');
  return start == std::string::npos ? text : text.substr(start + 1);
}

// One byte with a descriptor beside it, unix(7) SCM_RIGHTS; -1 when the other end closed.
int receive_descriptor(int socket) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got;
  do got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  const cmsghdr* header = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return -1;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

// As a shell tells it; kUnknown where the kernel does not, as it does who ignores SIGCHLD.
int exit_code_of(pid_t pid) noexcept {
  constexpr int kUnknown = 255;
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return kUnknown;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

HelperResult run(std::vector<std::string> words, bool expect_device) {
  std::array<int, 2> ends{-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe");
  const Descriptor errors(ends[0]);
  Descriptor errors_out(ends[1]);
  std::array<int, 2> sockets{-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) fail("socketpair");
  const Descriptor channel(sockets[0]);
  Descriptor channel_out(sockets[1]);

  HelperResult result;
  pid_t pid = -1;
  const int error =
      SpawnPlan(errors_out.get(), channel_out.get(), blocked_while(expect_device)).run(words, pid);
  if (error == ENOENT) return result;
  if (error != 0) throw std::system_error(error, std::generic_category(), kHelper);
  errors_out.reset();
  channel_out.reset();

  result.ran = true;
  if (expect_device) result.device = receive_descriptor(channel.get());
  result.complaint = last_line(read_all(errors.get()));
  result.exit_code = exit_code_of(pid);
  return result;
}

}  // namespace

HelperResult helper_mount(const std::string& options, const std::string& directory) {
  return run({kHelper, "-o", options, "--", directory}, true);
}

HelperResult helper_unmount(const std::string& directory, Unmount how) {
  std::vector<std::string> words{kHelper, "-u"};
  if (how == Unmount::lazily) words.push_back("-z");
  words.insert(words.end(), {"--", directory});
  return run(std::move(words), false);
}

}  // namespace skimfs::fs::shell
