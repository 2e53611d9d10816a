// SPDX-License-Identifier: MIT
#include "fs/shell/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace skimfs::fs::shell {

Signals::Signals() {
  sigset_t ours;
  sigemptyset(&ours);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&ours, signal);
  fd_ = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
  // The signal that wakes a worker is for workers alone: they unblock it themselves.
  sigaddset(&ours, SIGRTMIN);
  pthread_sigmask(SIG_BLOCK, &ours, &before_);
  std::signal(SIGPIPE, SIG_IGN);
}

Signals::~Signals() {
  while (next()) {  // those that came during the stop would end the process, which is ending
  }
  close(fd_);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<int> Signals::next() noexcept {
  signalfd_siginfo info;
  return read(fd_, &info, sizeof info) == sizeof info
             ? std::optional(static_cast<int>(info.ssi_signo))
             : std::nullopt;
}

}  // namespace skimfs::fs::shell
