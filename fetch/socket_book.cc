// SPDX-License-Identifier: MIT
//
// See socket_book.h.
#include "fetch/socket_book.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace skimfs::fetch {

void SocketBook::opened(int socket, const std::string& host_port) {
  sockets_.insert_or_assign(socket, Entry{host_port});
  watch_.opened(host_port);
}

void SocketBook::closed(int socket) noexcept {
  const auto known = sockets_.find(socket);
  if (known == sockets_.end()) return;
  watch_.closed(known->second.host_port);
  sockets_.erase(known);
}

void SocketBook::runs(int socket, bool running) noexcept {
  const auto known = sockets_.find(socket);
  if (known != sockets_.end()) known->second.running = running;
}

std::size_t SocketBook::open_to(std::string_view host_port) const noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(
      sockets_, [&](const auto& socket) { return socket.second.host_port == host_port; }));
}

void SocketBook::end_idle() const noexcept {
  for (const auto& [socket, entry] : sockets_)
    if (!entry.running) ::shutdown(socket, SHUT_RDWR);
}

bool SocketBook::make_way(const std::string& host_port) noexcept {
  if (!full(host_port)) return true;
  const auto idle = std::ranges::find_if(sockets_, [&](const auto& socket) {
    return !socket.second.running && socket.second.host_port == host_port;
  });
  if (idle == sockets_.end()) return true;
  const int dead = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (dead < 0) return false;
  // Who holds the descriptor cannot be told to close it now, and shut down it would stay a socket.
  const bool replaced = ::dup3(dead, idle->first, O_CLOEXEC) >= 0;
  ::close(dead);
  if (replaced) closed(idle->first);
  return replaced;
}

}  // namespace skimfs::fetch
