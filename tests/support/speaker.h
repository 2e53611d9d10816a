// SPDX-License-Identifier: MIT
//
// A TCP server on loopback that says the same to everybody, whatever it is asked, and hangs up.
//
// For peers that speak another protocol, or only one sentence of it.  All calls: any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "tests/support/sockets.h"

namespace skimfs::test {

class Speaker {
 public:
  enum class Ending { close, reset };  // FIN, RST

  // Waits for the client's first words, then says `words`; these may be empty.
  explicit Speaker(std::string words, Ending ending = Ending::close);
  ~Speaker();

  std::uint16_t port() const noexcept { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  unsigned connections() const noexcept { return connections_; }

 private:
  void serve();
  void answer(const Descriptor& client) const;

  const std::string words_;
  const Ending ending_;
  std::uint16_t port_ = 0;
  const Descriptor listener_;
  std::atomic<unsigned> connections_ = 0;
  std::thread thread_;
};

}  // namespace skimfs::test
