// SPDX-License-Identifier: MIT
//
// The verdict of a background start, with real processes.
#include "fs/shell/daemonise.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>

namespace skimfs::fs::shell {
namespace {

using namespace std::chrono_literals;

// The caller learns something from the background process after ready(): over a pipe.
class Report {
 public:
  Report() { EXPECT_EQ(pipe(ends_.data()), 0); }
  ~Report() {
    close(ends_[0]);
    close(ends_[1]);
  }
  void write(const std::string& text) const {
    EXPECT_EQ(::write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string read() {
    close(std::exchange(ends_[1], -1));
    std::string text;
    std::array<char, 256> piece;
    for (ssize_t got; (got = ::read(ends_[0], piece.data(), piece.size())) > 0;)
      text.append(piece.data(), static_cast<std::size_t>(got));
    return text;
  }

 private:
  std::array<int, 2> ends_{};
};

TEST(Daemonise, ReturnsOnceTheBodyIsReadyAndTheBodyGoesOn) {
  Report report;
  const Outcome outcome = run_in_background(10s, [&](const auto& ready) -> Outcome {
    ready();
    report.write("still here");
    return {};
  });
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.text, "");
  EXPECT_EQ(report.read(), "still here");
}

TEST(Daemonise, AFailureBeforeReadyReachesTheCaller) {
  const Outcome outcome = run_in_background(10s, [](const auto&) -> Outcome {
    return {32, "songs.skimfs:1:1: error: no header"};
  });
  EXPECT_EQ(outcome.code, 32);
  EXPECT_EQ(outcome.text, "songs.skimfs:1:1: error: no header");
}

TEST(Daemonise, AFailureAfterReadyIsNoLongerTheCallers) {
  const Outcome outcome = run_in_background(10s, [](const auto& ready) -> Outcome {
    ready();
    return {32, "too late"};
  });
  EXPECT_EQ(outcome.code, 0);
}

TEST(Daemonise, AVerdictLongerThanAPipeArrivesWhole) {
  const std::string text(200'000, 'x');
  const Outcome outcome = run_in_background(10s, [&](const auto&) -> Outcome { return {1, text}; });
  EXPECT_EQ(outcome.text, text);
}

TEST(Daemonise, ADeathAtStartIsToldWithItsSignal) {
  const Outcome outcome = run_in_background(10s, [](const auto&) -> Outcome {
    kill(getpid(), SIGKILL);
    return {};
  });
  EXPECT_EQ(outcome.code, 32);
  EXPECT_EQ(outcome.text, "skimfs: the daemon died at start (signal 9)");
}

TEST(Daemonise, AStartThatHangsIsEnded) {
  Report report;
  const Outcome outcome = run_in_background(1s, [&](const auto&) -> Outcome {
    pause();
    return {};
  });
  EXPECT_EQ(outcome.code, 32);
  EXPECT_EQ(outcome.text, "skimfs: not mounted: not ready after 1 s (start_timeout)");
  EXPECT_EQ(report.read(), "");  // the stream ends: the process with its other end is gone
}

TEST(Daemonise, AStartThatASignalStopsIsInterrupted) {
  const Outcome outcome = run_in_background(10s, [](const auto&) -> Outcome {
    kill(getpid(), SIGTERM);
    return {};
  });
  EXPECT_EQ(outcome.code, 8);
  EXPECT_EQ(outcome.text, "skimfs: not mounted: interrupted");
}

// Ten times 2^32 ms and 40.
TEST(Daemonise, AYearToStartIsNoShortTime) {
  const Outcome outcome = run_in_background(42949673s, [](const auto& ready) -> Outcome {
    std::this_thread::sleep_for(200ms);
    ready();
    return {};
  });
  EXPECT_EQ(outcome.text, "");
}

// Runs `start` in a process of its own, so that it can be sent signals.
template <class Start>
pid_t in_a_caller(Start start) {
  const pid_t pid = fork();
  if (pid == 0) {
    const Outcome outcome = start();
    _exit(outcome.code);
  }
  return pid;
}

// Its exit code, or minus the signal that ended it.
int end_of(pid_t pid) {
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

// Waits until the other end has written a byte.
void await_byte(int fd) {
  char byte = 0;
  ASSERT_EQ(::read(fd, &byte, 1), 1);
}

TEST(Daemonise, ASignalToTheCallerEndsTheStart) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    Report report;
    std::array<int, 2> running{};
    ASSERT_EQ(pipe(running.data()), 0);
    const pid_t caller = in_a_caller([&] {
      return run_in_background(30s, [&](const auto&) -> Outcome {
        EXPECT_EQ(::write(running[1], "x", 1), 1);
        pause();  // SIGTERM ends it
        return {};
      });
    });
    await_byte(running[0]);
    kill(caller, signal);
    EXPECT_EQ(end_of(caller), 8);
    EXPECT_EQ(report.read(), "");  // the stream ends: nobody is left who holds its other end
    close(running[0]);
    close(running[1]);
  }
}

// Ctrl-C, or timeout(1).  Whatever it is, the body hears the one signal that has it clean up.
TEST(Daemonise, ASignalToTheCallersGroupEndsTheStart) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    Report report;
    std::array<int, 2> running{};
    ASSERT_EQ(pipe(running.data()), 0);
    const pid_t caller = in_a_caller([&] {
      setpgid(0, 0);
      return run_in_background(30s, [&](const auto&) -> Outcome {
        sigset_t term;
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        sigprocmask(SIG_BLOCK, &term, nullptr);
        EXPECT_EQ(::write(running[1], "x", 1), 1);
        int heard = 0;
        sigwait(&term, &heard);
        report.write("cleaned up");
        return {};
      });
    });
    await_byte(running[0]);
    kill(-caller, signal);
    EXPECT_EQ(end_of(caller), 8);
    EXPECT_EQ(report.read(), "cleaned up") << strsignal(signal);
    close(running[0]);
    close(running[1]);
  }
}

TEST(Daemonise, ASignalThatTheCallerIgnoresStaysIgnored) {
  const pid_t caller = in_a_caller([] {
    std::signal(SIGINT, SIG_IGN);
    return run_in_background(30s, [](const auto&) -> Outcome {
      kill(getppid(), SIGINT);
      return {32, "as usual"};
    });
  });
  EXPECT_EQ(end_of(caller), 32);
}

// Signals that wait are read by a mount later.
TEST(Daemonise, WhatATerminalSentDuringTheStartIsNotForTheDaemon) {
  Report report;
  run_in_background(10s, [&](const auto& ready) -> Outcome {
    sigset_t sent;
    sigemptyset(&sent);
    sigaddset(&sent, SIGINT);
    sigprocmask(SIG_BLOCK, &sent, nullptr);
    kill(getpid(), SIGINT);
    ready();
    sigpending(&sent);
    report.write(sigismember(&sent, SIGINT) == 1 ? "waits" : "gone");
    return {};
  });
  EXPECT_EQ(report.read(), "gone");
}

TEST(Daemonise, TheDaemonHearsSignalsAsItsCallerDid) {
  Report report;
  run_in_background(10s, [&](const auto& ready) -> Outcome {
    ready();
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
      struct sigaction now {};
      sigaction(signal, nullptr, &now);
      report.write(now.sa_handler == SIG_DFL ? "default " : "other ");
    }
    return {};
  });
  EXPECT_EQ(report.read(), "default default default default ");
}

// To unmount below an automount it must still be of the group that autofs lets by.
TEST(Daemonise, ADaemonWhoseCallerIsGoneIsToldToStopAndStaysInItsGroup) {
  Report report;
  std::array<int, 2> running{};
  std::array<int, 2> gone{};
  ASSERT_EQ(pipe(running.data()), 0);
  ASSERT_EQ(pipe(gone.data()), 0);
  const pid_t group = getpgrp();
  const pid_t caller = in_a_caller([&] {
    return run_in_background(30s, [&](const auto& ready) -> Outcome {
      sigset_t term;
      sigemptyset(&term);
      sigaddset(&term, SIGTERM);
      sigprocmask(SIG_BLOCK, &term, nullptr);
      EXPECT_EQ(::write(running[1], "x", 1), 1);
      await_byte(gone[0]);
      ready();
      sigset_t pending;
      sigpending(&pending);
      report.write(sigismember(&pending, SIGTERM) == 1 ? "told" : "not told");
      report.write(getpgrp() == group ? ", in the group" : ", alone");
      return {};
    });
  });
  await_byte(running[0]);
  kill(caller, SIGKILL);
  // Reaped, it has let go of its pipe; our new parent would tell of the death of its first thread.
  EXPECT_EQ(end_of(caller), -SIGKILL);
  EXPECT_EQ(::write(gone[1], "x", 1), 1);
  EXPECT_EQ(report.read(), "told, in the group");
  for (const int end : {running[0], running[1], gone[0], gone[1]}) close(end);
}

// autofs lets the automounter's process group alone look at what waits to be mounted.
TEST(Daemonise, TheBodyStaysInItsCallersProcessGroupUntilItIsReady) {
  Report report;
  const pid_t group = getpgrp();
  run_in_background(10s, [&](const auto& ready) -> Outcome {
    report.write(getpgrp() == group ? "the caller's" : "another");
    ready();
    report.write(getpgrp() == getpid() ? ", then its own" : ", then another");
    return {};
  });
  EXPECT_EQ(report.read(), "the caller's, then its own");
}

TEST(Daemonise, TheDaemonLetsGoOfTheCallersDirectoryTerminalAndSession) {
  Report report;
  run_in_background(10s, [&](const auto& ready) -> Outcome {
    ready();
    std::string seen = std::filesystem::current_path();
    for (int stream = 0; stream < 3; ++stream)
      seen +=
          " " + std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(stream)).string();
    seen += getsid(0) == getpid() ? " own session" : " caller's session";
    report.write(seen);
    return {};
  });
  EXPECT_EQ(report.read(), "/ /dev/null /dev/null /dev/null own session");
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

TEST(Daemonise, NoDescriptorIsLeftInTheCaller) {
  const std::size_t before = open_descriptors();
  run_in_background(10s, [](const auto&) -> Outcome { return {1, "no"}; });
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace skimfs::fs::shell
