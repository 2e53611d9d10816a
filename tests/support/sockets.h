// SPDX-License-Identifier: MIT
//
// TCP on loopback for the servers that tests run: descriptors that close, and blocking sends.
//
// Whatever fails to be set up throws std::system_error; a peer that goes away is a return value.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

namespace skimfs::test {

inline constexpr int kLongQueue = 4096;

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  int get() const noexcept { return fd_; }
  void reset() noexcept { Descriptor(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

// Takes a port of 127.0.0.1, and refuses connects to it; a `port` of 0 becomes the one that was
// free.
Descriptor hold(std::uint16_t& port);
// `queue`: as of listen(2).
void listen_on(const Descriptor& held, int queue = kLongQueue);
Descriptor listen_on(std::uint16_t& port, int queue = kLongQueue);
// Empty (below 0) when nobody accepts.
Descriptor connect_to(std::uint16_t port);

// Small writes go out at once.
void no_delay(const Descriptor& socket) noexcept;
// The next close sends RST.
void reset_on_close(const Descriptor& socket) noexcept;
// False: the peer is gone.
bool send_all(const Descriptor& socket, std::string_view bytes);

}  // namespace skimfs::test
