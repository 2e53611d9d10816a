// SPDX-License-Identifier: MIT
//
// Which sockets are open, for whom, and whether a transfer runs on them.
//
// Gives no descriptor back: that is the transport's.  The lane's thread only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

#include "fetch/transport.h"

namespace skimfs::fetch {

class SocketBook {
 public:
  // `watch` outlives this.
  explicit SocketBook(SocketWatch& watch) : watch_(watch) {}

  void opened(int socket, const std::string& host_port);
  void closed(int socket) noexcept;
  // A transfer runs on it, or none does.  Others than those opened are nobody's business.
  void runs(int socket, bool running) noexcept;

  std::size_t open() const noexcept { return sockets_.size(); }
  std::size_t open_to(std::string_view host_port) const noexcept;

  // Ends the connections no transfer runs on, so that whoever holds them sees that they are dead.
  void end_idle() const noexcept;
  // Where the host has all it may have, closes one of them, which no longer counts: its descriptor
  // then leads to a socket that looks dead.  False: errno says why it cannot be.
  bool make_way(const std::string& host_port) noexcept;
  // Another socket to the host is one too many.
  bool full(const std::string& host_port) const noexcept {
    return open_to(host_port) >= watch_.most(host_port);
  }

 private:
  struct Entry {
    std::string host_port;
    bool running = true;
  };

  SocketWatch& watch_;
  std::unordered_map<int, Entry> sockets_;
};

}  // namespace skimfs::fetch
