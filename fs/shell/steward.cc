// SPDX-License-Identifier: MIT
#include "fs/shell/steward.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <new>
#include <optional>
#include <system_error>
#include <utility>

#include "fs/control.h"
#include "fs/mount_table.h"
#include "fs/shell/helper_process.h"

namespace skimfs::fs::shell {
namespace {

constexpr std::chrono::milliseconds kPatience{2000};

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

int remove_if(const std::string& socket, ino_t inode) noexcept {
  struct stat there;
  if (lstat(socket.c_str(), &there) != 0) return errno;
  if (there.st_ino != inode) return ESTALE;
  return unlink(socket.c_str()) == 0 ? 0 : errno;
}

// Links are not followed: mountinfo names none.  Throws std::system_error.
int open_itself(const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  long fd = syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how);  // Linux 5.6
  if (fd < 0 && errno == ENOSYS) fd = open(path.c_str(), static_cast<int>(how.flags));
  if (fd < 0) fail("open");
  return static_cast<int>(fd);
}

// What a path led to.  Does not ask that file system, which may hang; those above it are asked.
class Place {
 public:
  explicit Place(const std::string& path) : path_(path), fd_(open_itself(path)) {}
  ~Place() {
    if (fd_ >= 0) close(fd_);
  }
  Place(Place&& other) noexcept
      : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}
  Place& operator=(Place&&) = delete;

  // As mountinfo has it.  Throws std::system_error.
  std::string mount_id() const {
    const auto id = id_of(STATX_MNT_ID);
    if (!id) fail("statx");
    return std::to_string(*id);
  }
  // Which no mount after it gets; empty before Linux 6.8.
  std::optional<std::uint64_t> lasting_id() const noexcept {
    constexpr unsigned kUnique = 0x4000;  // STATX_MNT_ID_UNIQUE
    return id_of(kUnique);
  }
  // A mount whose daemon is gone; every other one answers.
  bool is_dead() const noexcept {
    struct statfs answer;
    return fstatfs(fd_, &answer) != 0 && errno == ENOTCONN;
  }
  // fusermount3 goes by the path, and looks whose mount is there.
  int unmount(bool by_helper) const {
    if (by_helper) {
      const HelperResult result = helper_unmount(path_);
      return result.ran && result.exit_code == 0 ? 0 : EPERM;
    }
    const std::string itself = "/proc/self/fd/" + std::to_string(fd_);
    return umount2(itself.c_str(), MNT_DETACH) == 0 ? 0 : errno;
  }

 private:
  std::optional<std::uint64_t> id_of(unsigned kind) const noexcept {
    struct statx found {};
    const int done = statx(fd_, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, kind, &found);
    if (done != 0 || (found.stx_mask & kind) == 0) return std::nullopt;
    return found.stx_mnt_id;
  }

  std::string path_;
  int fd_;
};

}  // namespace

// What the steward is there for.
class Steward::Charge {
 public:
  Charge(const std::string& directory, const std::string& socket)
      : directory_(directory), socket_(socket) {}

  // 0, or an errno value.
  int do_task(const Request& request) noexcept try {
    switch (request.task) {
      case Task::leave_group:
        return setsid() > 0 ? 0 : errno;
      case Task::remove_socket:
        return remove_if(socket_, request.inode);
      case Task::note_mount:
        mount_ = topmost_at(read_mount_table(), directory_);
        if (mount_) lasting_id_ = Place(mount_->directory).lasting_id();
        return 0;
      case Task::unmount:
        return unmount(request);
    }
    return EINVAL;
  } catch (const std::system_error& error) {
    return error.code().value();
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }

 private:
  // Again where it is bound over itself.
  int unmount(const Request& request) const {
    constexpr int kMost = 16;
    for (int i = 0; i < kMost; ++i) {
      const auto place = find();
      if (!place || (request.only_if_dead && !place->is_dead())) return 0;
      const int error = place->unmount(request.by_helper);
      if (error != 0 || !mount_) return error;
    }
    return EBUSY;
  }
  // Empty: it is gone, or another mount covers it.
  std::optional<Place> find() const {
    if (!mount_) return Place(directory_);
    const auto table = read_mount_table();
    const auto ours = same_mount(*mount_, table);
    if (!ours) return std::nullopt;
    Place place(ours->directory);
    const std::string id = place.mount_id();
    if (id == ours->id && lasting_id_ != place.lasting_id()) return std::nullopt;  // the next one
    const auto has_that_id = [&](const MountRow& row) { return row.id == id; };
    const auto at_path = std::ranges::find_if(table, has_that_id);
    // One of our device is ours, bound there.
    if (at_path == table.end() || at_path->device != ours->device) return std::nullopt;
    return place;
  }

  const std::string& directory_;
  const std::string& socket_;
  std::optional<MountRow> mount_;  // empty: not noted, or the table does not show it
  std::optional<std::uint64_t> lasting_id_;
};

Steward::Steward(const std::string& directory) {
  std::array<int, 2> ends{-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) fail("socketpair");
  const std::string socket =
      control::socket_directories(geteuid()).front() + "/" + control::socket_name(directory);
  const StopsWait stops;
  pid_ = fork();
  if (pid_ == 0) {
    close(ends[0]);
    let_go(ends[1]);
    stops.allow();
    serve(ends[1], Charge(directory, socket));
  }
  const int error = errno;
  close(ends[1]);
  channel_ = ends[0];
  if (pid_ > 0) return;
  close(channel_);
  errno = error;
  fail("fork");
}

// Directories above the mount may hang it, even when it is killed.
Steward::~Steward() {
  close(channel_);
  const int itself = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  pollfd ended{itself, POLLIN, 0};
  const auto patience = static_cast<int>(kPatience.count());
  if (poll(&ended, 1, patience) == 0 && kill(pid_, SIGKILL) == 0) poll(&ended, 1, patience);
  if (itself >= 0) close(itself);
  waitpid(pid_, nullptr, WNOHANG);
}

[[noreturn]] void Steward::serve(int channel, Charge charge) noexcept {
  Request request{};
  ssize_t got;
  while ((got = recv(channel, &request, sizeof request, 0)) > 0 || (got < 0 && errno == EINTR)) {
    if (got != sizeof request) continue;
    const Answer answer{request.task, charge.do_task(request)};
    if (write(channel, &answer, sizeof answer) != sizeof answer) break;
  }
  _exit(0);
}

int Steward::mounted() noexcept { return ask({.task = Task::note_mount}); }

int Steward::unmount(bool by_helper, bool only_if_dead) noexcept {
  return ask({.task = Task::unmount, .by_helper = by_helper, .only_if_dead = only_if_dead});
}

int Steward::remove_socket(ino_t inode) noexcept {
  return ask({.task = Task::remove_socket, .inode = inode});
}

int Steward::leave_group() noexcept { return ask({.task = Task::leave_group}); }

// Of a request that was given up the answer may still come.
int Steward::ask(const Request& request) noexcept {
  using Clock = std::chrono::steady_clock;
  if (send(channel_, &request, sizeof request, MSG_NOSIGNAL) != sizeof request) return errno;
  const auto until = Clock::now() + kPatience;
  for (Answer answer{};;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    pollfd heard{channel_, POLLIN, 0};
    if (left.count() <= 0 || poll(&heard, 1, static_cast<int>(left.count())) <= 0) return ETIMEDOUT;
    if (read(channel_, &answer, sizeof answer) != sizeof answer) return EPIPE;
    if (answer.task == request.task) return answer.error;
  }
}

}  // namespace skimfs::fs::shell
