// SPDX-License-Identifier: MIT
//
// The process that unmounts: whose group it is in.  What it unmounts is in mount_test.cc.
#include "fs/shell/steward.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

namespace skimfs::fs::shell {
namespace {

// The child of ours that bears its name, proc_pid_stat(5); -1: there is none.
pid_t steward_of_ours() {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string name, state;
    pid_t pid = -1, parent = -1;
    if (file >> pid >> name >> state >> parent && parent == getpid() && name == "(skimfs-steward)")
      return pid;
  }
  return -1;
}

// Below an automount it could not unmount what has failed to start: autofs would have it wait.
TEST(Steward, StaysInTheGroupOfItsMakerUntilItIsToldToLeave) {
  Steward steward("/no/such/directory");
  ASSERT_EQ(steward.mounted(), 0);  // it listens, and has its name
  const pid_t pid = steward_of_ours();
  ASSERT_GT(pid, 0);
  EXPECT_EQ(getpgid(pid), getpgrp());
  EXPECT_EQ(steward.leave_group(), 0);
  EXPECT_EQ(getpgid(pid), pid);
  EXPECT_EQ(getsid(pid), pid);
}

// Ctrl-C in the moment of the fork, which the other process survives.
TEST(Steward, ASignalToTheGroupDoesNotEndItHoweverEarlyItComes) {
  const pid_t group = fork();
  if (group == 0) {
    setpgid(0, 0);
    for (int i = 0; i < 50; ++i) {
      std::signal(SIGTERM, SIG_DFL);
      Steward steward("/no/such/directory");
      std::signal(SIGTERM, SIG_IGN);
      kill(0, SIGTERM);
      if (steward.mounted() != 0) _exit(1);
    }
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(group, &status, 0), group);
  EXPECT_EQ(status, 0);
}

// Killed by the machine for want of memory, say.
TEST(Steward, WhoIsGoneIsNotWaitedFor) {
  Steward steward("/no/such/directory");
  ASSERT_EQ(steward.mounted(), 0);
  const pid_t pid = steward_of_ours();
  ASSERT_GT(pid, 0);
  kill(pid, SIGKILL);
  EXPECT_EQ(steward.unmount(false, false), EPIPE);
}

TEST(Steward, WhoHangsIsNotWaitedFor) {
  auto steward = std::make_unique<Steward>("/no/such/directory");
  ASSERT_EQ(steward->mounted(), 0);
  const pid_t pid = steward_of_ours();
  ASSERT_GT(pid, 0);
  kill(pid, SIGSTOP);
  EXPECT_EQ(steward->unmount(false, false), ETIMEDOUT);
  steward.reset();
  EXPECT_EQ(steward_of_ours(), -1);
}

}  // namespace
}  // namespace skimfs::fs::shell
