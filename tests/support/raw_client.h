// SPDX-License-Identifier: MIT
//
// A client of one socket, so that no library hides what a server did.  Blocks; one thread.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "tests/support/sockets.h"

namespace skimfs::test {

class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(connect_to(port)) {}

  bool connected() const { return socket_.get() >= 0; }
  void send(const std::string& text) { ASSERT_TRUE(send_all(socket_, text)); }
  void get(const std::string& target, const std::string& fields = {}) {
    send("GET " + target + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n");
  }
  // Nothing more will be said; what comes is still read.
  void finish() { ::shutdown(socket_.get(), SHUT_WR); }
  // Up to and with the empty line.
  std::string head() {
    std::string text;
    char c = 0;
    while (!text.ends_with("\r\n\r\n") && ::read(socket_.get(), &c, 1) == 1) text += c;
    return text;
  }
  // As many bytes as come, up to `length`; fewer if the connection ends.
  std::string body(std::size_t length) {
    std::string text;
    std::array<char, 65536> buffer;
    while (text.size() < length) {
      const auto got =
          ::read(socket_.get(), buffer.data(), std::min(buffer.size(), length - text.size()));
      error_ = got < 0 ? errno : 0;
      if (got <= 0) break;
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return text;
  }
  // Of the last read: errno, 0 for a good end.
  int error() const { return error_; }

 private:
  Descriptor socket_;
  int error_ = 0;
};

inline std::string to_the_end(Client& client) { return client.body(~std::size_t{0}); }

}  // namespace skimfs::test
