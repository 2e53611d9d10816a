// SPDX-License-Identifier: MIT
//
// A process that keeps the right to unmount, so that the one that talks to servers needs none.
//
// It does nothing but wait: for word to unmount its directory, or to remove that mount's control
// socket, or for the end of the other process, after which it ends too and leaves the mount as it
// is, dead and honest.
#pragma once

#include <sys/types.h>

#include <string>

namespace skimfs::fs::shell {

class Steward {
 public:
  // Forks: call before any thread and anything large exists.  `directory`: absolute.
  // Throws std::system_error.
  explicit Steward(const std::string& directory);
  ~Steward();  // it ends, and is waited for
  Steward(const Steward&) = delete;
  Steward& operator=(const Steward&) = delete;

  // What is at the directory now is the mount: from here on it is unmounted wherever directories
  // above it are moved to, and nothing else is.
  void mounted() noexcept;
  // Unmounts lazily what is at the directory, by umount2(2) or by fusermount3.  Result: 0 or an
  // errno value; ETIMEDOUT when nothing is heard for two seconds.
  int unmount(bool by_helper) noexcept;
  // The same by umount2(2); nothing where the mount answers.
  int unmount_if_dead() noexcept;
  // Removes the socket where the directory's mounts take commands, if it has this number.
  int remove_socket(ino_t inode) noexcept;
  // It goes to a session of its own.  Until then it is of our group, and so below an automount of
  // the only one that may unmount what has failed to start.
  int leave_group() noexcept;

 private:
  int ask(char what, ino_t inode) noexcept;

  pid_t pid_ = -1;
  int channel_ = -1;
};

}  // namespace skimfs::fs::shell
