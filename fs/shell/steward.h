// SPDX-License-Identifier: MIT
//
// A process that keeps the right to unmount, so that the one that talks to servers needs none.
//
// It does nothing but wait: for word to unmount that mount, wherever it is now, or to remove its
// control socket, or for the end of the other process, after which it ends too and leaves the mount
// as it is, dead and honest.
#pragma once

#include <sys/types.h>

#include <string>

namespace skimfs::fs::shell {

class Steward {
 public:
  // Forks: call before any thread and anything large exists.  `directory`: absolute.
  // Throws std::system_error.
  explicit Steward(const std::string& directory);
  ~Steward();  // it ends, and is waited for as long as it may take
  Steward(const Steward&) = delete;
  Steward& operator=(const Steward&) = delete;

  // All of these: 0 or an errno value; ETIMEDOUT when nothing is heard for two seconds.
  //
  // What is at the directory now is the mount: from here on nothing else is unmounted, if the mount
  // table shows it.
  int mounted() noexcept;
  // Lazily, by umount2(2) or by fusermount3.  Nothing where another's covers it, where it is gone,
  // and, if so wanted, where it answers.  Before mounted(): what is at the directory.
  int unmount(bool by_helper, bool only_if_dead) noexcept;
  // Removes the socket where the directory's mounts take commands, if it has this number.
  int remove_socket(ino_t inode) noexcept;
  // It goes to a session of its own.  Until then it is of our group, and so below an automount of
  // the only one that may unmount what has failed to start.
  int leave_group() noexcept;

 private:
  enum class Task : char { leave_group, remove_socket, note_mount, unmount };
  struct Request {
    Task task;
    bool by_helper = false;
    bool only_if_dead = false;
    ino_t inode = 0;  // of the socket
  };
  struct Answer {
    Task task;
    int error = 0;
  };
  class Charge;

  [[noreturn]] static void serve(int channel, Charge charge) noexcept;
  int ask(const Request& request) noexcept;

  pid_t pid_ = -1;
  int channel_ = -1;
};

}  // namespace skimfs::fs::shell
