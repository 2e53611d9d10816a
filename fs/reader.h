// SPDX-License-Identifier: MIT
//
// The one way to read: from memory at once, or by an operation that waits without a thread.
//
// Any thread.  Memory is leased before anything is asked of the network; demand is served before
// what is fetched ahead, and what is fetched ahead is only asked for where memory is left.  The
// digests of what will be fetched are at hand before memory is leased for it: they may have to be
// fetched first, for what is fetched ahead as that is, and who waits for that holds nothing.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "cache/block_cache.h"
#include "fs/answer.h"
#include "fs/fill.h"
#include "fs/piece_list.h"
#include "fs/read_planner.h"
#include "fs/remote_file.h"

namespace skimfs::fs {

struct ReadCounters {
  std::atomic<std::uint64_t> reads{0}, hits{0}, bytes{0}, errors{0};
};

class Reader {
 public:
  // References live longer than the reader and every operation it starts.
  Reader(cache::BlockCache& cache, const FillContext& fill, PlannerLimits limits,
         std::uint64_t spool_max);

  // `bytes`: not empty, inside the file.  Empty when any of them is not in memory.
  std::optional<ReadView> try_read(const std::shared_ptr<RemoteFile>& file, cache::Extent bytes);
  void read(std::shared_ptr<RemoteFile> file, cache::Extent bytes, std::shared_ptr<ReadAnswer> to);

  // Fetches, where memory is left, bytes of a file that will likely be opened soon; given up when
  // `walk` ends.  `bytes` begins on a grain and ends on one, or at the end of the file.
  void fetch_early(const std::shared_ptr<RemoteFile>& file, cache::Extent bytes,
                   const std::weak_ptr<const void>& walk);

  const ReadCounters& counters() const noexcept { return counters_; }

 private:
  class Operation;
  class LaterWork;
  using Then = std::function<void(const Digests&)>;
  struct Segment {
    std::vector<cache::FillTicket> tickets;
    fetch::OrderId id;
  };

  ReadPlanner::Plan plan(RemoteFile& file, cache::Extent bytes, ReadPlanner::Found found);
  void consumed(const RemoteFile& file, cache::Extent bytes) noexcept;
  // May these bytes be delivered?  The digest of a large file is taken as they pass.
  bool passing(RemoteFile& file, const ReadView& view);
  // After a read that found its bytes: fetches what is worth having next.
  void go_on_from(const std::shared_ptr<RemoteFile>& file, cache::Extent bytes);
  void look_ahead(const std::shared_ptr<RemoteFile>& file, const ReadPlanner::Plan& plan,
                  std::vector<cache::FillTicket> demand, fetch::OrderId id, const Digests& digests);
  // Of what is planned ahead, as far as there is room.  What touches `demand` joins it.
  void claim_segments(RemoteFile& file, const ReadPlanner::Plan& plan, fetch::OrderId id,
                      const Digests& digests, std::vector<cache::FillTicket>& demand,
                      std::vector<Segment>& segments);
  // `units` and, as far as they are near, those of what is planned ahead.
  cache::Extent to_verify(const RemoteFile& file, cache::Extent units,
                          const std::vector<cache::Extent>& ahead) const noexcept;
  // Of a file whose digests are not at hand.
  void read_list(const std::shared_ptr<RemoteFile>& file, cache::Extent bytes,
                 std::shared_ptr<DigestsWanted> to);
  // Calls `then` at once, or once the digests have been fetched for `reason`, which is no reader's;
  // not at all if that is refused, given up or fails.
  void with_digests(const std::shared_ptr<RemoteFile>& file, cache::Extent bytes,
                    const FillReason& reason, Then then);
  std::optional<cache::BlockCache::Claim> claim_ahead(const RemoteFile& file, cache::Extent bytes,
                                                      fetch::OrderId id) noexcept;
  void fetch_runs(const std::shared_ptr<RemoteFile>& file, std::vector<cache::FillTicket> tickets,
                  const FillReason& reason);

  cache::BlockCache& cache_;
  const FillContext& fill_;
  const PlannerLimits limits_;
  const std::uint64_t spool_max_;
  const std::uint64_t passing_from_;  // bytes: a larger file passes through the cache
  ReadCounters counters_;
};

}  // namespace skimfs::fs
