// SPDX-License-Identifier: MIT
#include "tests/support/sockets.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace skimfs::test {
namespace {

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

Descriptor tcp_socket() {
  return Descriptor(checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Descriptor hold(std::uint16_t& port) {
  Descriptor held = tcp_socket();
  const int yes = 1;
  checked(::setsockopt(held.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), "reuseaddr");
  sockaddr_in address = loopback(port);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  checked(::bind(held.get(), generic, sizeof address), "bind");
  socklen_t length = sizeof address;
  checked(::getsockname(held.get(), generic, &length), "getsockname");
  port = ntohs(address.sin_port);
  return held;
}

void listen_on(const Descriptor& held, int queue) {
  checked(::listen(held.get(), queue), "listen");
}

Descriptor listen_on(std::uint16_t& port, int queue) {
  Descriptor listener = hold(port);
  listen_on(listener, queue);
  return listener;
}

Descriptor connect_to(std::uint16_t port) {
  Descriptor socket = tcp_socket();
  const sockaddr_in address = loopback(port);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (::connect(socket.get(), generic, sizeof address) != 0) socket.reset();
  return socket;
}

void no_delay(const Descriptor& socket) noexcept {
  const int yes = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

void reset_on_close(const Descriptor& socket) noexcept {
  const linger at_once{1, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

bool send_all(const Descriptor& socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace skimfs::test
