// SPDX-License-Identifier: MIT
#include "fs/shell/steward.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <new>
#include <optional>
#include <system_error>

#include "fs/control.h"
#include "fs/mount_table.h"
#include "fs/shell/helper_process.h"

namespace skimfs::fs::shell {
namespace {

constexpr int kPatience = 2000;  // milliseconds
constexpr char kDirectly = 'u', kByHelper = 'h', kIfDead = 'd', kMounted = 'm', kSocket = 's',
               kLeave = 'l';

struct Request {
  char what;
  ino_t inode;  // of kSocket
};

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

constexpr std::array kStops{SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// While one lives, they wait: between its fork and its first own step, too, the steward must not be
// ended by what is meant for the whole group.
class StopsWait {
 public:
  StopsWait() noexcept {
    sigset_t stops;
    sigemptyset(&stops);
    for (const int signal : kStops) sigaddset(&stops, signal);
    pthread_sigmask(SIG_BLOCK, &stops, &before_);
  }
  StopsWait(const StopsWait&) = delete;
  StopsWait& operator=(const StopsWait&) = delete;
  ~StopsWait() { allow(); }
  void allow() const noexcept { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

// Nothing of the caller's stays held: whoever waits for the end of a pipe or of an output would
// wait for us.
void let_go(int channel) noexcept {
  const int null = open("/dev/null", O_RDWR);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, stream);
  if (channel > 3) close_range(3, static_cast<unsigned>(channel) - 1, 0);
  close_range(static_cast<unsigned>(channel) + 1, ~0u, 0);
  [[maybe_unused]] const int moved = chdir("/");
  // Ctrl-C and systemd mean the whole group; the other process ends first.
  for (const int signal : kStops) std::signal(signal, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_NAME, "skimfs-steward");
}

// A mount whose daemon is gone; every other one answers.
bool is_dead(const std::string& directory) noexcept {
  struct statfs answer;
  return statfs(directory.c_str(), &answer) != 0 && errno == ENOTCONN;
}

int remove_if(const std::string& socket, ino_t inode) noexcept {
  struct stat there;
  if (lstat(socket.c_str(), &there) != 0) return errno;
  if (there.st_ino != inode) return ESTALE;
  return unlink(socket.c_str()) == 0 ? 0 : errno;
}

int unmount_at(const std::string& directory, char how) {
  if (how == kIfDead && !is_dead(directory)) return 0;
  if (how != kByHelper) return umount2(directory.c_str(), MNT_DETACH) == 0 ? 0 : errno;
  const HelperResult result = helper_unmount(directory);
  return result.ran && result.exit_code == 0 ? 0 : EPERM;
}

// What the steward is there for.
struct Charge {
  const std::string& directory;
  const std::string& socket;
  std::optional<MountRow> mount = {};
};

// 0, or an errno value.  Throws std::system_error, std::bad_alloc.
int do_it(const Request& request, Charge& charge) {
  switch (request.what) {
    case kLeave:
      return setsid() > 0 ? 0 : errno;
    case kSocket:
      return remove_if(charge.socket, request.inode);
    case kMounted:
      if (!charge.mount) charge.mount = topmost_at(read_mount_table(), charge.directory);
      return 0;
  }
  const auto place = charge.mount ? place_of(*charge.mount, read_mount_table()) : charge.directory;
  return place ? unmount_at(*place, request.what) : 0;
}

int try_it(const Request& request, Charge& charge) noexcept try {
  return do_it(request, charge);
} catch (const std::system_error& error) {
  return error.code().value();
} catch (const std::bad_alloc&) {
  return ENOMEM;
}

[[noreturn]] void serve(int channel, Charge charge, const StopsWait& stops) noexcept {
  let_go(channel);
  stops.allow();
  Request request{};
  ssize_t got;
  while ((got = recv(channel, &request, sizeof request, 0)) > 0 || (got < 0 && errno == EINTR)) {
    if (got != sizeof request) continue;
    const char answer = static_cast<char>(try_it(request, charge));
    if (write(channel, &answer, 1) != 1) break;
  }
  _exit(0);
}

}  // namespace

Steward::Steward(const std::string& directory) {
  std::array<int, 2> ends{-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) fail("socketpair");
  const std::string socket =
      control::socket_directories(geteuid()).front() + "/" + control::socket_name(directory);
  const StopsWait stops;
  pid_ = fork();
  if (pid_ == 0) {
    close(ends[0]);
    serve(ends[1], {directory, socket}, stops);
  }
  const int error = errno;
  close(ends[1]);
  channel_ = ends[0];
  if (pid_ > 0) return;
  close(channel_);
  errno = error;
  fail("fork");
}

Steward::~Steward() {
  close(channel_);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void Steward::mounted() noexcept { ask(kMounted, 0); }

int Steward::unmount(bool by_helper) noexcept { return ask(by_helper ? kByHelper : kDirectly, 0); }

int Steward::unmount_if_dead() noexcept { return ask(kIfDead, 0); }

int Steward::remove_socket(ino_t inode) noexcept { return ask(kSocket, inode); }

int Steward::leave_group() noexcept { return ask(kLeave, 0); }

int Steward::ask(char what, ino_t inode) noexcept {
  const Request request{what, inode};
  char answer = 0;
  if (send(channel_, &request, sizeof request, MSG_NOSIGNAL) != sizeof request) return errno;
  pollfd heard{channel_, POLLIN, 0};
  if (poll(&heard, 1, kPatience) <= 0) return ETIMEDOUT;
  return read(channel_, &answer, 1) == 1 ? static_cast<unsigned char>(answer) : EPIPE;
}

}  // namespace skimfs::fs::shell
