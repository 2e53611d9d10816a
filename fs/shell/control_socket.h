// SPDX-License-Identifier: MIT
//
// Where a running mount takes commands.
//
// One thread, one client at a time, each with a deadline: a client that says nothing costs the next
// one a moment, never memory.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "fs/control.h"

namespace skimfs::fs::shell {

class ControlSocket {
 public:
  // What answers a command; empty: there is no such command.  The socket's thread; at once.
  using Answer = std::function<std::optional<control::Reply>(std::string_view command)>;
  // Does the name still mean what answers here?  The socket's thread.
  using Owns = std::function<bool()>;

  // Listens at `path`, in a directory that is made 0700 if need be and must belong to this user.
  // What a dead mount left there is replaced.  Who connects waits for start().  Throws
  // std::system_error.  Once started it is there again within two seconds of its removal, where
  // this user may and it `owns` the name.
  explicit ControlSocket(std::string path);
  // Once.  Throws std::system_error.
  void start(Answer answer, Owns owns);
  // Removes the socket, unless another mount has put its own there or this user may not; joins
  // within a moment.
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  const std::string& path() const noexcept { return path_; }
  ino_t inode() const noexcept { return inode_; }  // of the socket file, at present

 private:
  class Client;

  void run();
  void serve(int client) noexcept;
  bool is_gone() const noexcept;
  void listen_again() noexcept;

  const std::string path_;
  Answer answer_;  // set before the thread is, like owns_
  Owns owns_;
  int listener_ = -1;             // the thread's, once there is one
  int stop_ = -1;                 // eventfd
  std::atomic<ino_t> inode_ = 0;  // is it still ours?
  std::thread thread_;
};

}  // namespace skimfs::fs::shell
