// SPDX-License-Identifier: MIT
//
// How far a host is, how fast one connection to it, and whether it is in use: what read-ahead goes
// by.
//
// The lane notes, any thread reads.  The least time and the best rate of the last 10 to 20 seconds:
// a busy lane or a busy server makes both look worse than the path is, and nothing makes them
// better.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "fetch/clock.h"

namespace skimfs::fetch {

struct HostPace {
  Duration first_byte{};  // from a request sent to its response; zero: nothing is known yet
  double rate = 0;        // bytes a second on one connection; zero: not known yet
  bool settled = false;   // the rate is that of a connection past its slow start

  bool known() const noexcept { return first_byte > Duration::zero(); }
  // Several connections bring more than one.
  bool capped() const noexcept { return settled && rate < kCappedRate; }
  // As a machine of the same site, where one connection is as good as many.
  bool near() const noexcept { return known() && first_byte < kNear && !capped(); }

  static constexpr double kCappedRate = 64 << 20;
  static constexpr std::chrono::milliseconds kNear{2};
};

class Pace {
 public:
  // Any thread.
  HostPace get() const noexcept;
  // A connection is open, or the host was asked lately: it may be connecting, have led elsewhere or
  // have failed.
  bool warm(TimePoint now) const noexcept;
  // The host is cold, and the caller the one who is to ask it.
  bool claim_warming(TimePoint now) noexcept;

  // The lane's thread.
  void note_asked(TimePoint now) noexcept;
  void note_connections(std::uint64_t open) noexcept;
  void note_first_byte(Duration took, TimePoint now) noexcept;
  void note_body(std::uint64_t bytes, Duration took, bool settled, TimePoint now) noexcept;

 private:
  void turn(TimePoint now) noexcept;

  std::atomic<Duration::rep> first_byte_{0};
  std::atomic<double> rate_{0};
  std::atomic<bool> settled_{false};
  std::atomic<std::uint64_t> connections_{0};         // open
  std::atomic<Duration::rep> asked_lately_until_{0};  // since the clock's beginning
  // The lane's: the present period and the one before.
  TimePoint until_{};
  std::array<HostPace, 2> best_{};
};

// By "host:port".  Any thread; a leaf lock, asked once for each file that is opened.
class PaceBook {
 public:
  std::shared_ptr<Pace> at(std::string_view host_port);
  // Forgets, of more than `most`, those nobody holds.
  void trim(std::size_t most);

 private:
  void drop_unused();  // with mutex_ held

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Pace>, std::less<>> paces_;  // guarded by mutex_
};

}  // namespace skimfs::fetch
