// SPDX-License-Identifier: MIT
//
// What a long path does to a stream of bytes, one direction of one connection.
//
// Delay, a rate for the connection and one for all, and the sender's congestion window: it begins
// small, grows by what is acknowledged and shrinks when nothing is sent (RFC 5681, RFC 2861 as
// Linux does it).  No loss.  Pure: the caller brings the time; one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>

namespace skimfs::bench {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::steady_clock::time_point;

struct PathLimits {
  Duration delay{};                 // one way
  double connection_rate = 0;       // bytes a second; 0: no limit
  double total_rate = 0;            // of all connections together, this direction
  std::uint64_t window = 64 << 20;  // bytes sent and not acknowledged, at most
  std::uint64_t first_window = 0;   // of a new connection; 0: all of it at once
};

// The line that the connections share.
struct SharedLine {
  TimePoint free_at{};
};

class OneWay {
 public:
  // `line` lives longer.  Before `open_at`, when the handshake is done, nothing leaves.
  OneWay(const PathLimits& limits, SharedLine& line, TimePoint open_at);

  // Bytes that may be sent now.
  std::uint64_t room(TimePoint now);
  // When room() is worth asking again; max() if only an arrival can change it.
  TimePoint ask_again() const;

  // Bytes leave now, at most room(); when the last of them arrives.
  TimePoint send(std::uint64_t bytes, TimePoint now);
  // The receiver has taken them; the sender hears of it a delay later.
  void taken(std::uint64_t bytes, TimePoint now);

 private:
  struct Ack {
    TimePoint at;
    std::uint64_t bytes;
  };

  void hear_acks(TimePoint now);
  void shrink_when_idle(TimePoint now);

  const PathLimits limits_;
  SharedLine& line_;
  const TimePoint open_at_;
  TimePoint free_at_;   // the connection's own rate lets the next byte go
  TimePoint may_send_;  // both rates do
  TimePoint last_sent_;
  std::uint64_t window_;
  std::uint64_t in_flight_ = 0;
  std::deque<Ack> acks_;
};

}  // namespace skimfs::bench
