// SPDX-License-Identifier: MIT
//
// Has the machine moved to another network, or slept?
//
// Then idle connections are dead without a word, and addresses of names may be others.  It is asked
// when there is something to do, at most once a second: a mount that nobody reads never wakes up
// for it.  One thread.
#pragma once

#include <cstdint>
#include <memory>

#include "fetch/clock.h"

namespace skimfs::fetch {

// What can be seen of it at one time.
struct NetSight {
  Duration asleep{};           // of the time since boot: CLOCK_BOOTTIME less CLOCK_MONOTONIC
  Duration wall{};             // CLOCK_REALTIME less CLOCK_BOOTTIME
  std::uint64_t moves = 0;     // addresses that came or went, default routes that changed; grows
  std::uint64_t resolver = 0;  // differs where /etc/resolv.conf is another file or another text

  friend bool operator==(const NetSight&, const NetSight&) = default;
};

struct NetSource {
  virtual NetSight look() noexcept = 0;
  virtual ~NetSource() = default;
};

// This machine's, by clock_gettime(2), rtnetlink(7) and stat(2).  Never waits.  What the kernel
// does not let it see counts as unchanging.
std::unique_ptr<NetSource> system_net_source();

class NetWatch {
 public:
  // Shorter sleeps leave connections as they are; so do small steps of the clock.
  static constexpr std::chrono::seconds kLongSleep{5};
  static constexpr std::chrono::seconds kSpacing{1};

  explicit NetWatch(std::unique_ptr<NetSource> source) : source_(std::move(source)) {}

  // What changed since the last change, in a word: "resume", "address", "dns" or "clock".
  // Null: nothing, or it was asked less than a second ago.
  const char* changed(TimePoint now) noexcept;

 private:
  std::unique_ptr<NetSource> source_;
  NetSight known_;
  bool looked_ = false;
  TimePoint last_look_{};
};

}  // namespace skimfs::fetch
