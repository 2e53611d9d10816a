// SPDX-License-Identifier: MIT
//
// The signals a mount lives by, as something to poll.
//
// While one lives, they are blocked in its thread and in all threads started after it.
#pragma once

#include <csignal>
#include <optional>

namespace skimfs::fs::shell {

class Signals {
 public:
  // SIGTERM, SIGINT, SIGHUP and SIGUSR1 are blocked, SIGPIPE is ignored.  Throws std::system_error.
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  int descriptor() const noexcept { return fd_; }  // readable when next() has one
  std::optional<int> next() noexcept;

 private:
  sigset_t before_;
  int fd_ = -1;
};

}  // namespace skimfs::fs::shell
