// SPDX-License-Identifier: MIT
//
// Every byte the mount holds in memory: one hard bound, one filler per block, readers share.
//
// Any thread.  A claim leases memory before a request exists, so a transfer never waits for
// memory and is never paused; who waits for room holds no pin, so running work can always finish
// and free some.  What waits for one server never holds all of the memory (Shares).  The lock is a
// leaf and covers pointers and numbers only.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <system_error>
#include <vector>

#include "cache/arena.h"
#include "cache/block.h"
#include "cache/names.h"
#include "cache/shares.h"

namespace skimfs::cache {

class Eviction;
class Shelves;

// Move-only: the right, and the duty, to fill one block.  One thread at a time.
class FillTicket {
 public:
  FillTicket() noexcept = default;  // for no block
  FillTicket(FillTicket&& other) noexcept;
  FillTicket& operator=(FillTicket&& other) noexcept;
  ~FillTicket();  // unfinished: as fail(operation_canceled)

  Extent extent() const noexcept { return extent_; }         // of the version, in bytes
  std::uint32_t filled() const noexcept { return filled_; }  // bytes written, seen or not
  std::span<std::byte> space() noexcept;      // where the next bytes go; empty when full
  void wrote(std::uint32_t length) noexcept;  // in place, still unseen
  void publish() noexcept;                    // all that was written may be read; wakes waiters
  void rewind() noexcept;                     // forgets what was written and not published
  void fail(std::error_code why) noexcept;    // the unpublished rest never comes; wakes waiters
  // Nobody who claims from now on finds the block; who holds it still hears of its end.
  void withdraw() noexcept;
  bool pinned() const noexcept;  // does a reader hold the block, waiting for it or for one before?

 private:
  friend class BlockCache;

  Entry* entry_ = nullptr;  // null once the block is whole or has failed
  Extent extent_;
  std::uint32_t filled_ = 0;
};

struct CacheStatus {
  std::uint64_t limit = 0;  // bytes, the hard bound
  std::uint64_t used = 0;   // bytes charged now: blocks, their bookkeeping
  std::uint64_t peak = 0;
  std::uint64_t pinned = 0;   // of used: may not be evicted now
  std::uint64_t filling = 0;  // of used: being filled
  std::uint64_t blocks = 0;
  std::uint64_t hits = 0, misses = 0, evictions = 0;  // in blocks
  std::uint64_t room_waits = 0;                       // claims that had to wait
};

class BlockCache {
 public:
  enum class Why { demand, ahead };

  // Who claims, and on what condition.
  struct Claimant {
    std::uint64_t filler = 0;        // names who fills, see Block::filler()
    GroupId group = 0;               // of the filler
    const Waiter* waiter = nullptr;  // what it gave, or will give, to await_room()
  };

  struct Claim {
    std::vector<Pin> pins;            // cover the bytes asked for, in order, without gaps
    std::vector<FillTicket> missing;  // the parts nobody had, in order: the caller sees them filled
  };

  using TimePoint = std::chrono::steady_clock::time_point;

  // `limit`: bytes, at least 1 MiB.  Reserves that much address space; pages come with use.
  // Throws std::system_error.
  explicit BlockCache(std::uint64_t limit,
                      TimePoint (*now)() noexcept = &std::chrono::steady_clock::now);
  // All pins, tickets and waiters are gone.
  ~BlockCache();

  // Pins for `bytes`, if every one of them can be read now.  Counts hits.  Never waits.
  std::optional<std::vector<Pin>> find(VersionId version, Extent bytes);

  // Pins for all of `bytes` and tickets for what nobody has or fetches.  `bytes` begins on a grain
  // and ends on one, or at the end of the version.  All or nothing: an empty result has reserved
  // and pinned nothing.  `ahead` may be refused to keep room for demand.  New memory is refused to
  // a newcomer while others of its group wait for room.
  std::optional<Claim> claim(VersionId version, Extent bytes, Why why, const Claimant& who);

  // Calls wake() when a claim of `bytes` may succeed: in each group first come, first served.  It
  // is the waiter's turn until wake() returns: the claim belongs in there.  `failed`: bytes exceed
  // what the cache could ever give.
  Wait await_room(std::uint64_t bytes, GroupId group, std::shared_ptr<Waiter> waiter);
  bool forget_room(const Waiter& waiter) noexcept;  // true: it will not be woken

  // These bytes have been delivered in order and will likely not be asked for again.  `passing`:
  // the version is too large to be found here when it is read once more, so its blocks are used
  // again while they are still in the processor's caches, and resident memory stays small.
  void consumed(VersionId version, Extent bytes, bool passing) noexcept;

  // Which of `bytes` would have to be fetched: grains neither held nor coming.
  std::vector<Extent> absent(VersionId version, Extent bytes) const;

  // Bytes of `version` that can be read now.
  std::uint64_t held(VersionId version) const;

  // Drops all unpinned blocks of a version that can no longer be asked for.
  void drop(VersionId version) noexcept;

  CacheStatus status() const;

 private:
  friend class Pin;
  friend class FillTicket;

  // What a claim's new blocks may cost, and what of its own blocks cannot make room for them.
  struct Need {
    std::uint64_t cost = 0, kept_from_demand = 0, kept_from_ahead = 0;
  };

  // With mutex_ held:
  Need measure(VersionId version, Extent bytes) const;
  bool affordable(const Need& need, Why why, const Claimant& who) const noexcept;
  void make(VersionId version, Extent gap, Why why, const Claimant& who, Claim& claim);
  Entry& list(VersionId version, Extent bytes, Arena::Run run, Why why, const Claimant& who);
  void pin(Entry& entry, std::vector<Pin>& pins);
  void rest(Entry& entry) noexcept;  // if neither pinned nor filled: evictable, or gone
  void evict(Why why) noexcept;
  void recycle() noexcept;             // what has passed through, but for a tail
  void unlist(Entry& entry) noexcept;  // out of the index
  void destroy(Entry& entry) noexcept;
  void give_back(Arena::Run run) noexcept;  // or the promise of one
  bool room_is_due() const noexcept;
  void check_invariants() const noexcept;

  // Without:
  void unpin(Entry& entry) noexcept;
  bool is_pinned(const Entry& entry) const noexcept;
  void place(Entry& entry) noexcept;    // its first byte comes
  void abolish(Entry& entry) noexcept;  // its ticket fails: no claim finds it any more
  void settle(Entry& entry) noexcept;   // its ticket is done
  void serve() noexcept;                // wakes those whose turn for room has come

  const std::uint64_t limit_;
  TimePoint (*const now_)() noexcept;

  mutable std::mutex mutex_;  // a leaf; guards what follows
  Arena arena_;
  std::unique_ptr<Shelves> shelves_;
  std::unique_ptr<Eviction> eviction_;
  Shares shares_;
  bool serving_ = false;  // a thread is in serve()
  CacheStatus status_;
};

}  // namespace skimfs::cache
