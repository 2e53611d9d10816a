// SPDX-License-Identifier: MIT
//
// See socket_book.h.
#include "fetch/socket_book.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace skimfs::fetch {

SocketBook::Identity SocketBook::identity_of(int descriptor) noexcept {
  struct stat found {};
  if (::fstat(descriptor, &found) != 0) return {};
  return {found.st_dev, found.st_ino};
}

void SocketBook::opened(int socket, const std::string& host_port, const void* owner) {
  closed(socket);
  connecting_.reserve(connecting_.size() + 1);  // nothing fails after what follows
  sockets_.emplace(socket, Entry{host_port, identity_of(socket)});
  connecting_.push_back({socket, owner});
  watch_.opened(host_port);
}

void SocketBook::connected(int socket) noexcept {
  std::erase_if(connecting_, [socket](const Connecting& one) { return one.socket == socket; });
}

void SocketBook::closed(int socket) noexcept {
  const auto known = sockets_.find(socket);
  if (known == sockets_.end()) return;
  watch_.closed(known->second.host_port);
  sockets_.erase(known);
  connected(socket);
}

void SocketBook::forget_gone() noexcept {
  for (std::size_t i = connecting_.size(); i-- > 0;) {
    const int socket = connecting_[i].socket;
    const auto known = sockets_.find(socket);
    if (known != sockets_.end() && known->second.identity != identity_of(socket)) closed(socket);
  }
}

void SocketBook::runs(int socket, bool running) noexcept {
  const auto known = sockets_.find(socket);
  if (known != sockets_.end()) known->second.running = running;
}

std::size_t SocketBook::open_to(std::string_view host_port) const noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(
      sockets_, [&](const auto& socket) { return socket.second.host_port == host_port; }));
}

bool SocketBook::connects(const void* owner) const noexcept {
  return std::ranges::find(connecting_, owner, &Connecting::owner) != connecting_.end();
}

// Of those whose host `suits`, one that can be done without; -1: none can.
template <class Suits>
int SocketBook::spare(Suits suits) const noexcept {
  for (auto one = connecting_.begin(); one != connecting_.end(); ++one) {
    const bool twice = std::any_of(one + 1, connecting_.end(), [one](const Connecting& later) {
      return later.owner == one->owner;
    });
    if (twice && suits(sockets_.at(one->socket).host_port)) return one->socket;
  }
  const auto idle = std::ranges::find_if(sockets_, [&](const auto& socket) {
    return !socket.second.running && suits(socket.second.host_port);
  });
  return idle == sockets_.end() ? -1 : idle->first;
}

bool SocketBook::make_way(const std::string& host_port) noexcept {
  given_ = {};
  if (full_for(host_port)) {
    const int socket = spare([&](const std::string& host) { return host == host_port; });
    // None: all of them run, and the cap was lowered meanwhile.
    if (socket >= 0 && !end(socket)) return false;
  }
  if (open() < most_) return true;
  const int socket = spare([](const std::string&) { return true; });
  if (socket >= 0) return end(socket);
  errno = EMFILE;
  return false;
}

bool SocketBook::give_up(const void* owner) noexcept {
  given_ = {};
  const auto one = std::ranges::find(connecting_, owner, &Connecting::owner);
  return one == connecting_.end() || end(one->socket);
}

bool SocketBook::end(int socket) noexcept {
  const int dead = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (dead < 0) return false;
  // Who holds the descriptor cannot be told to close it now, and shut down it would stay a socket.
  const bool replaced = ::dup3(dead, socket, O_CLOEXEC) >= 0;
  ::close(dead);
  if (!replaced) return false;
  const auto one = std::ranges::find(connecting_, socket, &Connecting::socket);
  given_ = {one == connecting_.end() ? nullptr : one->owner, socket};
  closed(socket);
  return true;
}

}  // namespace skimfs::fetch
