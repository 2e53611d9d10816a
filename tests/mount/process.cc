// SPDX-License-Identifier: MIT
//
// pidfds (pidfd_open(2)), so that waiting has a deadline and no signal meets a recycled pid.
#include "tests/mount/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>

namespace skimfs::test {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

int open_for_log(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

// As exec wants it: with a null at the end.  The words live longer.
std::vector<char*> pointers(const Command& words) {
  std::vector<char*> all;
  for (const auto& word : words) all.push_back(const_cast<char*>(word.c_str()));
  all.push_back(nullptr);
  return all;
}

pid_t start(const Command& command, int out, int err, const Command& environment, int keep_fd) {
  // All made before the fork: with other threads about, the child may not allocate.
  Command words = environment;
  words.emplace_back("LC_ALL=C.UTF-8");
  std::vector<char*> arguments = pointers(command), variables = pointers(words);
  variables.pop_back();
  for (char** each = environ; *each != nullptr; ++each) {
    if (!std::string_view(*each).starts_with("LC_ALL=")) variables.push_back(*each);
  }
  variables.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid > 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  if (keep_fd >= 0) ::fcntl(keep_fd, F_SETFD, 0);
  ::execvpe(arguments[0], arguments.data(), variables.data());
  ::_exit(127);
}

ExitCode ending_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int milliseconds_until(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  return static_cast<int>(std::max<std::chrono::milliseconds::rep>(0, left.count()));
}

std::optional<ExitCode> reap(pid_t pid, int pidfd, std::chrono::milliseconds at_most) {
  const auto deadline = Clock::now() + at_most;
  pollfd ended{pidfd, POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&ended, 1, milliseconds_until(deadline));
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) return {};
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid) return {};
  return ending_of(status);
}

int open_pid(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

// An unlinked file, so that output of any size needs no thread to drain it.
int scratch_file() {
  char name[] = "/tmp/skimfs-test-output.XXXXXX";
  const int fd = ::mkostemp(name, O_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "mkostemp");
  ::unlink(name);
  return fd;
}

std::string take_contents(int fd) {
  std::string text(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)), '\0');
  const auto got = ::pread(fd, text.data(), text.size(), 0);
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  ::close(fd);
  return text;
}

}  // namespace

Process::Process(const Command& command, const std::string& log, const Command& environment,
                 int keep_fd) {
  const int output = open_for_log(log);
  pid_ = start(command, output, output, environment, keep_fd);
  pidfd_ = open_pid(pid_);
  ::close(output);
}

Process::~Process() {
  if (!ending_) {
    signal(SIGKILL);
    wait(10s);
  }
  ::close(pidfd_);
}

void Process::signal(int number) const noexcept {
  if (!ending_) ::syscall(SYS_pidfd_send_signal, pidfd_, number, nullptr, 0);
}

std::optional<ExitCode> Process::wait(std::chrono::milliseconds at_most) {
  if (!ending_) ending_ = reap(pid_, pidfd_, at_most);
  return ending_;
}

Outcome run(const Command& command) {
  const auto begin = Clock::now();
  const int out = scratch_file(), err = scratch_file();
  const pid_t pid = start(command, out, err, {}, -1);
  const int pidfd = open_pid(pid);
  auto ending = reap(pid, pidfd, 60s);
  if (!ending) {
    ::kill(pid, SIGKILL);
    ending = reap(pid, pidfd, 10s);
  }
  ::close(pidfd);
  return {.ending = ending.value_or(-SIGKILL),
          .out = take_contents(out),
          .err = take_contents(err),
          .took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin)};
}

Outcome shell(const std::string& script) { return run({"bash", "-euo", "pipefail", "-c", script}); }

std::optional<ExitCode> wait_for(pid_t pid, std::chrono::milliseconds at_most) {
  const int pidfd = open_pid(pid);
  if (pidfd < 0) return {};
  const auto ending = reap(pid, pidfd, at_most);
  ::close(pidfd);
  return ending;
}

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace skimfs::test
