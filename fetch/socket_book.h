// SPDX-License-Identifier: MIT
//
// Which sockets are open, for whom, and whether a transfer runs on them; which one makes way.
//
// The caps hold for sockets, of whatever kind.  Who connects with two of them, as libcurl does
// where a name has addresses of two families, has one that anybody else may have.
//
// Gives no descriptor back: that is the transport's.  The lane's thread only.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fetch/transport.h"

namespace skimfs::fetch {

class SocketBook {
 public:
  // `watch` outlives this.  `most`: so many may be open in all.
  SocketBook(SocketWatch& watch, unsigned most) : watch_(watch), most_(most) {}

  // `owner` connects with it, until connected().
  void opened(int socket, const std::string& host_port, const void* owner);
  // From here on its end is told.
  void connected(int socket) noexcept;
  void closed(int socket) noexcept;
  // libcurl (7.88) closes what has not connected without a word (lib/cf-socket.c, cf_socket_close):
  // whose number leads elsewhere by now is counted as closed.
  void forget_gone() noexcept;
  // A transfer runs on it, or none does.  Others than those opened are nobody's business.
  void runs(int socket, bool running) noexcept;

  std::size_t open() const noexcept { return sockets_.size(); }
  std::size_t open_to(std::string_view host_port) const noexcept;

  // Another socket to the host is one too many.
  bool full(const std::string& host_port) const noexcept {
    return open() >= most_ || full_for(host_port);
  }
  bool connects(const void* owner) const noexcept;

  // Both close a socket, which no longer counts: its descriptor then leads to one that looks dead.
  // False: errno says why it cannot be.
  //
  // For somebody's only socket to the host, where that is one too many: the earlier of two that one
  // owner connects with, else an idle one.
  bool make_way(const std::string& host_port) noexcept;
  // That `owner` connects with.
  bool give_up(const void* owner) noexcept;
  // Which one the last of these calls has closed.
  struct Given {
    const void* owner = nullptr;  // who was connecting with it; null: it was idle
    int socket = -1;              // none: none
  };
  const Given& given() const noexcept { return given_; }

 private:
  // Of the socket itself: its number may be another's soon.
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const Identity&) const = default;
  };
  struct Entry {
    std::string host_port;
    Identity identity;
    bool running = true;
  };
  struct Connecting {
    int socket;
    const void* owner;
  };

  static Identity identity_of(int descriptor) noexcept;
  bool full_for(const std::string& host_port) const noexcept {
    return open_to(host_port) >= watch_.most(host_port);
  }
  template <class Suits>
  int spare(Suits suits) const noexcept;
  bool end(int socket) noexcept;

  SocketWatch& watch_;
  const unsigned most_;
  std::unordered_map<int, Entry> sockets_;
  std::vector<Connecting> connecting_;  // oldest first
  Given given_;
};

}  // namespace skimfs::fetch
