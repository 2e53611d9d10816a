// SPDX-License-Identifier: MIT
//
// Who reads a file how, and what is worth fetching.
//
// Pure: no I/O, no lock, no clock.  One per open inode; the caller serialises its calls.  What it
// names may be in memory already: the caller fetches only what the cache lacks.
#pragma once

#include <cstdint>
#include <vector>

#include "cache/names.h"
#include "fetch/clock.h"
#include "fetch/pace.h"
#include "fs/steps.h"

namespace skimfs::fs {

struct PlannerLimits {
  std::uint64_t window_max = 0;   // bytes one stream may be ahead of its reader
  std::uint64_t segment_max = 0;  // bytes of one speculative request
};

class ReadPlanner {
 public:
  // A file up to here comes whole with its first read: a reader of 1 MiB, and the kernel's
  // read-ahead of 128 KiB behind it, in one request.
  static constexpr std::uint64_t kFirstSegment = (1024 + 128) * 1024;
  // Of a larger one from a near host, with a first read of at most 64 KiB, this much: a program
  // that looks at the beginning only leaves no more than what a connection is kept for anyway.
  static constexpr std::uint64_t kFirstGlance = 256 * 1024;

  // Where the bytes of a read were when it came.
  enum class Found {
    ready,   // all in memory
    coming,  // being fetched already: the reader waits
    absent   // some have to be fetched for it: the reader waits longer
  };

  struct Plan {
    cache::Extent demand;  // covers the read; begins on a grain, ends on one or at the end of file
    std::vector<cache::Extent>
        ahead;              // in the order of their use, one request each, apart from demand
    bool in_order = false;  // a stream's read: its bytes will likely not be asked for again
  };

  // The grains of `bytes`, cut at `size`: what a read needs at the very least.
  static cache::Extent grains(cache::Extent bytes, std::uint64_t size) noexcept;

  // A read came.  `bytes`: not empty, inside `size`.  `pace`: of the file's host.
  Plan on_read(cache::Extent bytes, Found found, std::uint64_t size, fetch::TimePoint now,
               const PlannerLimits& limits, const fetch::HostPace& pace);

  // A segment of Plan::ahead found no room: it may be planned again, and less of it.
  void refused(cache::Extent segment) noexcept;

 private:
  // How far a host of some pace is read ahead, and in what pieces.
  struct Reach {
    std::uint64_t window_max = 0;   // bytes ahead of the reader
    std::uint64_t window_free = 0;  // up to here a waiting reader is reason enough to grow
    std::uint64_t window_kept = 0;  // beyond, a window that brought nothing shrinks again
    bool near = false;              // a round trip costs little
    fetch::Duration round_trip{};   // zero: near, or not known
    std::uint64_t start = 0;        // unearned bytes for who reads a file in order from its begin
    std::uint64_t segment_max = 0;  // bytes of one request
    double share = 0;               // of a small window in one request
    double share_beyond = 0;        // of a large one
  };
  static Reach reach(const PlannerLimits& limits, const fetch::HostPace& pace) noexcept;

  // A run of bytes read in order.  The first read makes one, the second makes it a reader to plan
  // for: a run of one read is as likely a random access, or the kernel's reordering.
  struct Stream {
    std::uint64_t begin = 0;      // of the run
    std::uint64_t next = 0;       // its end: where the reader is
    std::uint64_t ahead_end = 0;  // planned so far, not before `next`
    std::uint64_t earned = 0;     // bytes read in order, those of absorbed runs included
    std::uint64_t window = 0;     // how far ahead_end may be from next
    std::uint64_t start = 0;      // Reach::start, as far as the window has had it
    std::uint64_t grown_at = 0;   // `next`, and the time, when the window was last judged
    fetch::TimePoint grown_time{};
    double best_rate = 0;         // bytes a second, of all windows tried
    bool on_trial = false;        // the window has doubled and not been judged since
    fetch::TimePoint no_trial{};  // until then: the last one brought nothing
    fetch::TimePoint used{};
    unsigned reads = 0;
  };

  Stream* continued_by(cache::Extent bytes) noexcept;
  Stream* reread_by(cache::Extent bytes) noexcept;
  Stream& begin(cache::Extent bytes, fetch::TimePoint now);
  Stream& absorb_runs_behind(Stream& stream) noexcept;
  static bool reads_on(const Stream& stream) noexcept;  // from the file's begin, past its first MiB
  static std::uint64_t allowed(const Stream& stream, const Reach& reach) noexcept;
  static void advance(Stream& stream, cache::Extent bytes, Found found, fetch::TimePoint now,
                      const Reach& reach) noexcept;
  static std::vector<cache::Extent> look_ahead(Stream& stream, std::uint64_t size,
                                               const Reach& reach);

  std::uint64_t length_of_run_at(std::uint64_t begin) const noexcept;

  std::vector<Stream> streams_;  // few
  Steps steps_;
};

}  // namespace skimfs::fs
