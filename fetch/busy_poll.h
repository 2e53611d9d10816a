// SPDX-License-Identifier: MIT
//
// How long a lane looks for what it waits for before it sleeps (busy polling, as KVM's
// halt_poll_ns and the kernel's SO_BUSY_POLL).
//
// To sleep and be woken takes tens of microseconds, as long as a near server needs for a short
// answer.  So it pays where short answers follow each other closely, and nowhere else: the server
// of a stream wants the processor that is looked from.  Pure; one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fetch/clock.h"

namespace skimfs::fetch {

class BusyPoll {
 public:
  // `spare`: there is a processor that others can run on meanwhile, as far as affinity tells; a
  // quota of a cgroup does not show.
  explicit BusyPoll(bool spare) noexcept : spare_(spare) {}

  // An exchange began, or is over, that `wants` so many bytes.
  void started(std::uint64_t wants) noexcept;
  void ended(std::uint64_t wants) noexcept;

  // A wait begins.  Until when to look before sleeping; `now`: not at all.
  TimePoint look_until(TimePoint now) noexcept;
  // It is over: something came, or it was time to go on.
  void waited(TimePoint now) noexcept;

  // Not longer than this, whatever is waited for.
  static constexpr Duration kLook = std::chrono::microseconds(100);
  // All that runs wants more than this: a stream.
  static constexpr std::uint64_t kBrief = 64 * 1024;

 private:
  // Waits for an order, and for an answer: a reader may come back at once to a server that is far.
  enum Kind : std::size_t { for_order, for_answer, kinds };

  void judge() noexcept { brief_ = wanted_ <= kBrief; }

  const bool spare_;
  std::size_t running_ = 0;
  std::uint64_t wanted_ = 0;  // by all that run, each counted up to kBrief + 1
  bool brief_ = true;         // what runs, or ran last
  Kind kind_ = for_order;     // of the present wait, as are the next two
  TimePoint began_{};
  bool looking_ = false;
  std::array<unsigned, kinds> trust_{};  // that a wait will be short: a saturating counter
};

}  // namespace skimfs::fetch
