// SPDX-License-Identifier: MIT
//
// Who may start an exchange now.
//
// Each running exchange has one socket, or waits for that of another; idle ones, and the second
// ones of those that connect, give way (socket_book), so a cap on exchanges is a cap on sockets.
// Pure; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "fetch/clock.h"
#include "fetch/fetcher.h"
#include "fetch/host_state.h"

namespace skimfs::fetch {

// Orders wait here by priority, then by age.  An order of a host that is full, paused or behind its
// breaker does not hold up those behind it.  A quarter of all slots, and of each host's, is kept
// for demand.  Hosts share: one with less than its part of the slots goes before one with more, and
// one that has not answered yet, or no longer, starts no more than fill half of them.
class Admission {
 public:
  using Age = std::uint64_t;  // names a waiting order; smaller is older

  explicit Admission(unsigned slots) : slots_(slots) {}

  // Throws std::bad_alloc, and nothing has changed then; so does promote().
  void enqueue(Age age, Host& host, Priority priority);
  // No effect where `age` does not wait for `host` with that priority.
  void remove(Age age, Host& host, Priority priority) noexcept;
  // `age` waits for `host` with priority `from`.
  void promote(Age age, Host& host, Priority from);

  // The order to start now; its slots are taken until ended().  Empty when none may.
  std::optional<Age> next(TimePoint now) noexcept;
  // Takes slots for another exchange of an order that runs; false: none are free.  Whoever waits
  // goes first: call it when next() has nobody.
  bool take(Host& host, TimePoint now) noexcept;
  bool could_take(const Host& host, TimePoint now) const noexcept;
  void ended(Host& host) noexcept;  // each of those
  // Of those that run nobody waits for so many, at `host` and in all: may there be one more?
  bool bears_speculation(const Host& host, unsigned here, unsigned in_all) const noexcept;

  // When the first pause ends, or the first trial is due, that a waiting order waits for; empty
  // when none does.
  std::optional<TimePoint> wake_at(TimePoint now) const;

  // Of those that wait for `host`, the oldest that is younger than `after`.
  std::optional<Age> waiting_for(Host& host, Age after) const noexcept;
  // A demanded order waits though its host could take it and has less than its part of the slots.
  bool starved(TimePoint now) const;
  // Slots for each host with something to do, if all took the same.
  unsigned part() const noexcept;

 private:
  using Lines = std::map<Host*, std::set<Age>>;  // never an empty set

  bool may_start(const Host& host, bool demand, TimePoint now) const noexcept;
  void started(Host& host, TimePoint now) noexcept;

  unsigned slots_;
  unsigned running_ = 0;
  unsigned hosts_running_ = 0;  // hosts with something running
  std::array<Lines, 4> lines_;  // by Priority
};

}  // namespace skimfs::fetch
