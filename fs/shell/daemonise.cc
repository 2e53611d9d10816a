// SPDX-License-Identifier: MIT
#include "fs/shell/daemonise.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "fs/shell/mount_error.h"

namespace skimfs::fs::shell {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

// The record on the pipe: the code in one byte, then the text, then the end of the stream.
std::string to_record(const Outcome& outcome) {
  return static_cast<char>(outcome.code) + outcome.text;
}

Outcome from_record(const std::string& record) {
  return {static_cast<unsigned char>(record.front()), record.substr(1)};
}

// The background process's end of the pipe: one record, told at most once.
class Teller {
 public:
  explicit Teller(int fd) noexcept : fd_(fd) {}

  bool is_heard() const noexcept {
    pollfd end{fd_, 0, 0};
    return fd_ >= 0 && poll(&end, 1, 0) >= 0 && (end.revents & POLLERR) == 0;
  }
  // false: nobody listens any more.
  bool tell(const Outcome& outcome) noexcept {
    if (fd_ < 0) return true;
    const std::string record = to_record(outcome);
    std::size_t sent = 0;
    while (sent < record.size()) {
      const ssize_t wrote = write(fd_, record.data() + sent, record.size() - sent);
      if (wrote < 0 && errno != EINTR) break;
      if (wrote > 0) sent += static_cast<std::size_t>(wrote);
    }
    close(std::exchange(fd_, -1));
    return sent == record.size();
  }

 private:
  int fd_;
};

// While one lives, what a terminal sends to all of the caller's group is the caller's alone: it
// ends us by SIGTERM, and a mount that is already there is taken down.  What has come meanwhile
// goes with the object, also where it is blocked.
class DeafToTerminal {
 public:
  DeafToTerminal() noexcept {
    for (std::size_t at = 0; at < kSignals.size(); ++at) {
      sigaction(kSignals[at], nullptr, &before_[at]);
      ignore(kSignals[at]);
    }
  }
  DeafToTerminal(const DeafToTerminal&) = delete;
  DeafToTerminal& operator=(const DeafToTerminal&) = delete;
  ~DeafToTerminal() {
    for (std::size_t at = 0; at < kSignals.size(); ++at) {
      ignore(kSignals[at]);  // once more: drops what is pending, sigaction(2)
      sigaction(kSignals[at], &before_[at], nullptr);
    }
  }

 private:
  static void ignore(int signal) noexcept { std::signal(signal, SIG_IGN); }

  static constexpr std::array kSignals{SIGINT, SIGHUP, SIGQUIT};
  std::array<struct sigaction, kSignals.size()> before_{};
};

// Nothing of the caller's stays held: neither its directory nor its terminal.
void let_go_of_caller() noexcept {
  setsid();
  if (chdir("/") != 0) return;  // "/" can always be reached
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return;
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, stream);
  if (null > STDERR_FILENO) close(null);
}

[[noreturn]] void run_child(
    int pipe, const std::function<Outcome(const std::function<void()>& ready)>& body) noexcept {
  std::signal(SIGPIPE, SIG_IGN);  // a caller that has gone must not end us
  std::optional<DeafToTerminal> deaf(std::in_place);
  Teller teller(pipe);
  const Outcome outcome = body([&] {
    // Whose caller is gone ends at once, and that must be in its group, as all before.
    if (teller.is_heard()) let_go_of_caller();
    deaf.reset();
    if (!teller.tell({})) kill(getpid(), SIGTERM);
  });
  teller.tell(outcome);
  _exit(outcome.code);  // without the caller's exit handlers and buffered output
}

// While one lives, the signals by which a user stops a program wait in it; the last of them are
// dropped with it.  Those that the caller ignores stay ignored.
class StopSignals {
 public:
  StopSignals() noexcept {
    sigset_t stops;
    sigemptyset(&stops);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
      struct sigaction now {};
      sigaction(signal, nullptr, &now);
      if (now.sa_handler != SIG_IGN) sigaddset(&stops, signal);  // blocked, it would wait here too
    }
    pthread_sigmask(SIG_BLOCK, &stops, &before_);
    fd_ = signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals() {
    signalfd_siginfo signal;
    while (read(fd_, &signal, sizeof signal) > 0) {
    }
    close(fd_);
    allow();
  }

  // Negative where there is none: then they come when the object goes.
  int descriptor() const noexcept { return fd_; }
  // In the background process: as before.
  void allow() const noexcept { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
  int fd_ = -1;
};

constexpr std::chrono::milliseconds kLongestPoll = std::chrono::hours(24);  // poll(2) has an int

enum class Heard { record, nothing, stop_signal };

// `record`: all that was told, empty when the process died.
Heard hear(int fd, const StopSignals& stops, SteadyTime deadline, std::string& record) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return Heard::nothing;
    std::array<pollfd, 2> polled{{{fd, POLLIN, 0}, {stops.descriptor(), POLLIN, 0}}};
    const int ready =
        poll(polled.data(), polled.size(), static_cast<int>(std::min(left, kLongestPoll).count()));
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    if (ready < 0) return Heard::nothing;
    if (polled[1].revents != 0) return Heard::stop_signal;
    std::array<char, 512> piece;
    const ssize_t got = read(fd, piece.data(), piece.size());
    if (got > 0)
      record.append(piece.data(), static_cast<std::size_t>(got));
    else if (got == 0 || errno != EINTR)
      return Heard::record;
  }
}

const Outcome kStopped{kInterrupted, "skimfs: not mounted: interrupted"};

Outcome describe_death(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  // Sent to the whole group, it may end the other process before it comes to us.
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) return kStopped;
  const std::string how = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                              : "exit code " + std::to_string(WEXITSTATUS(status));
  return {kMountFailed, "skimfs: the daemon died at start (" + how + ")"};
}

// SIGTERM first: a mount that is already there must be taken down.
void end_process(pid_t pid) {
  kill(pid, SIGTERM);
  constexpr int kTries = 30;
  for (int i = 0; i < kTries; ++i) {
    if (waitpid(pid, nullptr, WNOHANG) != 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

}  // namespace

Outcome run_in_background(std::chrono::seconds start_timeout,
                          const std::function<Outcome(const std::function<void()>& ready)>& body) {
  const auto deadline = std::chrono::steady_clock::now() + start_timeout;
  std::fflush(nullptr);  // else both processes would write what is buffered
  std::array<int, 2> ends{-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0)
    return {kSystemError, "skimfs: pipe: " + std::generic_category().message(errno)};
  const StopSignals stops;
  const pid_t pid = fork();
  if (pid == 0) {
    stops.allow();
    close(stops.descriptor());
    close(ends[0]);
    run_child(ends[1], body);
  }
  const int fork_error = errno;
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return {kSystemError, "skimfs: fork: " + std::generic_category().message(fork_error)};
  }
  std::string record;
  const Heard heard = hear(ends[0], stops, deadline, record);
  close(ends[0]);
  if (heard == Heard::record) return record.empty() ? describe_death(pid) : from_record(record);
  end_process(pid);
  if (heard == Heard::stop_signal) return kStopped;
  return {kMountFailed, "skimfs: not mounted: not ready after " +
                            std::to_string(start_timeout.count()) + " s (start_timeout)"};
}

}  // namespace skimfs::fs::shell
