// SPDX-License-Identifier: MIT
//
// Makes a server on loopback a distant one: relays its connections with the delay, the rates and
// the windows of a PathLimits in each direction.
//
// A connection is open at once for its client, but nothing sent on it leaves before the round trip
// that a handshake would have taken.  One thread runs it; other threads may call stop() only.
#pragma once

#include <cstdint>
#include <memory>

#include "tests/bench/path_model.h"

namespace skimfs::bench {

class Relay {
 public:
  // To a server at this port of 127.0.0.1.  Throws std::system_error.
  Relay(std::uint16_t server, const PathLimits& limits);
  ~Relay();

  std::uint16_t port() const noexcept;  // where clients find it, on 127.0.0.1
  void run();                           // until stop()
  void stop() noexcept;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace skimfs::bench
