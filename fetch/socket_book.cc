// SPDX-License-Identifier: MIT
//
// See socket_book.h.
#include "fetch/socket_book.h"

#include <sys/socket.h>

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

void SocketBook::make_way(const std::string& host_port) noexcept {
  if (!full(host_port)) return;
  const auto idle = std::ranges::find_if(sockets_, [&](const auto& socket) {
    return !socket.second.running && socket.second.host_port == host_port;
  });
  if (idle == sockets_.end()) return;
  ::shutdown(idle->first, SHUT_RDWR);
  closed(idle->first);
}

}  // namespace skimfs::fetch
