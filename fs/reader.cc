// SPDX-License-Identifier: MIT
//
// See reader.h.
#include "fs/reader.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "fetch/error.h"
#include "fs/read_operation.h"

namespace skimfs::fs {

using cache::BlockCache;
using cache::Extent;
using fetch::Priority;

// What is fetched ahead once its digests have come, which are fetched ahead themselves.  Holds
// nothing while it waits: a pin would say that a reader does.  Left out where anything fails.
class Reader::LaterWork final : public cache::Waiter,
                                public std::enable_shared_from_this<LaterWork> {
 public:
  // `bytes`: of `file`.  `reason`: of fetching the list; its id and digests are set here.
  LaterWork(Reader& reader, const std::shared_ptr<RemoteFile>& file, Extent bytes,
            FillReason reason, Then then)
      : reader_(reader),
        file_(file),
        bytes_(bytes),
        reason_(std::move(reason)),
        then_(std::move(then)) {}

  void go_on();
  void wake(std::error_code why) noexcept override;

 private:
  // true: it is woken when more of the list has come, and may be already, or it is over.
  bool await_list(const RemoteFile& file);

  static constexpr int kRounds = 4;  // blocks may come by several fills, and go again

  Reader& reader_;
  const std::weak_ptr<RemoteFile> file_;
  const Extent bytes_;
  const FillReason reason_;
  const Then then_;
  int rounds_ = 0;
};

void Reader::LaterWork::go_on() {
  const auto file = file_.lock();
  if (!file || reason_.walk.expired()) return;
  while (rounds_++ < kRounds) {
    if (const Digests digests = digests_at_hand(*file, bytes_, reader_.cache_))
      return then_(digests);
    if (await_list(*file)) return;
  }
}

void Reader::LaterWork::wake(std::error_code why) noexcept {
  if (why) return;
  try {
    go_on();
  } catch (const std::bad_alloc&) {
    // As any other failure.
  }
}

bool Reader::LaterWork::await_list(const RemoteFile& file) {
  const std::shared_ptr<RemoteFile>& list = file.integrity()->list();
  if (list->ranges_ignored() || list->pin().ended() || list->refusal()) return true;
  const Extent needed = in_list(file, bytes_);
  FillReason reason = reason_;
  reason.id = reader_.fill_.fetching.new_id();
  if (list->units()) reason.digests = list->integrity()->stated();
  Extent wanted = needed;
  if (reason.priority == Priority::next)  // a stream, which will want what follows
    wanted.length = std::min(wanted.length + cache::kBlock, list->size() - wanted.offset);
  wanted = list->cover(ReadPlanner::grains(wanted, list->size()));
  auto claim = reader_.claim_ahead(*list, wanted, reason.id);
  if (!claim) return true;
  // A fill goes from front to back: the last block that lacks bytes is the last to come.
  auto wait = cache::Wait::ready;
  while (!claim->pins.empty() && wait == cache::Wait::ready) {
    const cache::Pin last = std::move(claim->pins.back());
    claim->pins.pop_back();
    const Extent block = last->extent();
    const std::uint64_t end = std::min(block.end(), needed.end());
    if (block.offset >= end || needed.offset >= block.end()) continue;
    std::error_code why;
    wait = last->await(static_cast<std::uint32_t>(end - block.offset), shared_from_this(), why);
    // From here on, if registered, it may go on elsewhere.
  }
  claim->pins.clear();
  reader_.fetch_runs(list, std::move(claim->missing), reason);
  return wait != cache::Wait::ready;
}

Reader::Reader(BlockCache& cache, const FillContext& fill, PlannerLimits limits,
               std::uint64_t spool_max)
    : cache_(cache),
      fill_(fill),
      limits_(limits),
      spool_max_(spool_max),
      passing_from_(cache.status().limit / 4 * 3) {}

std::optional<ReadView> Reader::try_read(const std::shared_ptr<RemoteFile>& file, Extent bytes) {
  if (file->refusal()) return std::nullopt;
  auto pins = cache_.find(file->version(), bytes);
  if (!pins) return std::nullopt;
  const ReadView view{std::make_shared<const std::vector<cache::Pin>>(std::move(*pins)), bytes};
  if (!passing(*file, view)) return std::nullopt;
  counters_.reads++;
  counters_.hits++;
  counters_.bytes += bytes.length;
  try {
    go_on_from(file, bytes);
  } catch (const std::bad_alloc&) {
    // Speculation is left out.
  }
  return view;
}

void Reader::go_on_from(const std::shared_ptr<RemoteFile>& file, Extent bytes) {
  const auto plan = this->plan(*file, bytes, ReadPlanner::Found::ready);
  if (plan.in_order) consumed(*file, bytes);
  if (plan.ahead.empty()) return;
  if (!file->units()) return look_ahead(file, plan, {}, fill_.fetching.new_id(), nullptr);
  // Given up when nobody has the file open any more, so its list must not keep it.
  const std::weak_ptr<RemoteFile> opened = file;
  with_digests(file, to_verify(*file, file->cover(plan.ahead.front()), plan.ahead),
               {.id = 0, .priority = Priority::next, .walk = opened},
               [this, opened, plan](const Digests& digests) {
                 if (const auto still = opened.lock())
                   look_ahead(still, plan, {}, fill_.fetching.new_id(), digests);
               });
}

void Reader::read(std::shared_ptr<RemoteFile> file, Extent bytes, std::shared_ptr<ReadAnswer> to) {
  auto operation = std::make_shared<Operation>(*this, std::move(file), bytes, to);
  to->work(operation);
  operation->start();
}

// A file joined from parts is read ahead as its first one is; a small one is not read ahead.
ReadPlanner::Plan Reader::plan(RemoteFile& file, Extent bytes, ReadPlanner::Found found) {
  if (!file.has_pace() && file.size() > ReadPlanner::kFirstSegment)
    if (const auto object = file.object(0)) file.set_pace(fill_.fetching.pace(*object));
  return file.plan_read(bytes, found, fill_.clock.now(), limits_);
}

void Reader::consumed(const RemoteFile& file, Extent bytes) noexcept {
  cache_.consumed(file.version(), bytes, file.size() > passing_from_);
}

bool Reader::passing(RemoteFile& file, const ReadView& view) {
  Integrity* const integrity = file.integrity();
  if (integrity == nullptr) return true;
  const auto recall = [&](Extent bytes) -> std::optional<ReadView> {
    auto pins = cache_.find(file.version(), bytes);
    if (!pins) return std::nullopt;
    return ReadView{std::make_shared<const std::vector<cache::Pin>>(std::move(*pins)), bytes};
  };
  if (integrity->passing(view, recall)) return true;
  fill_.judge.refuted(file);
  cache_.drop(file.version());
  return false;
}

Extent Reader::to_verify(const RemoteFile& file, Extent units,
                         const std::vector<Extent>& ahead) const noexcept {
  for (const Extent& each : ahead) {
    const Extent more = file.cover(each);
    const std::uint64_t begin = std::min(units.offset, more.offset);
    const std::uint64_t end = std::max(units.end(), more.end());
    if (end - begin > units.length + limits_.window_max) break;
    units = {begin, end - begin};
  }
  return units;
}

void Reader::read_list(const std::shared_ptr<RemoteFile>& file, Extent bytes,
                       std::shared_ptr<DigestsWanted> to) {
  read(file->integrity()->list(), in_list(*file, bytes), list_answer(file, std::move(to)));
}

void Reader::with_digests(const std::shared_ptr<RemoteFile>& file, Extent bytes,
                          const FillReason& reason, Then then) {
  std::make_shared<LaterWork>(*this, file, bytes, reason, std::move(then))->go_on();
}

std::optional<BlockCache::Claim> Reader::claim_ahead(const RemoteFile& file, Extent bytes,
                                                     fetch::OrderId id) noexcept {
  try {
    return cache_.claim(file.version(), bytes, BlockCache::Why::ahead,
                        {.filler = id, .group = file.group_at(bytes.offset)});
  } catch (const std::bad_alloc&) {
    return std::nullopt;
  }
}

// Asks for the demanded blocks, and with them, in the same request where they touch, for those
// worth having.  Throws std::bad_alloc only where the demanded ones lack it.
void Reader::look_ahead(const std::shared_ptr<RemoteFile>& file, const ReadPlanner::Plan& plan,
                        std::vector<cache::FillTicket> demand, fetch::OrderId id,
                        const Digests& digests) {
  std::vector<Segment> segments;
  try {
    claim_segments(*file, plan, id, digests, demand, segments);
  } catch (const std::bad_alloc&) {
    // What has been claimed is fetched.
  }
  fetch_runs(file, std::move(demand), {.id = id, .digests = digests});
  try {
    for (Segment& each : segments)
      fetch_runs(file, std::move(each.tickets),
                 {.id = each.id, .priority = Priority::next, .digests = digests});
  } catch (const std::bad_alloc&) {
    // Speculation is left out.
  }
}

void Reader::claim_segments(RemoteFile& file, const ReadPlanner::Plan& plan, fetch::OrderId id,
                            const Digests& digests, std::vector<cache::FillTicket>& demand,
                            std::vector<Segment>& segments) {
  const bool ahead_wanted = !file.ranges_ignored() && !file.pin().ended();
  Extent done = file.cover(plan.demand);
  for (const Extent& planned : plan.ahead) {
    Extent segment = file.cover(planned);
    if (segment.offset >= done.offset && segment.offset < done.end()) {
      if (segment.end() <= done.end()) continue;  // units of what is before it
      segment = {done.end(), segment.end() - done.end()};
    }
    done = segment;
    const bool joins = !demand.empty() && &planned == &plan.ahead.front() &&
                       demand.back().extent().end() == segment.offset &&
                       segment.end() - demand.front().extent().offset <= limits_.segment_max;
    const fetch::OrderId segment_id = joins ? id : fill_.fetching.new_id();
    const bool verifiable = !file.units() || digests->has(file.cover(segment));
    auto claim = ahead_wanted && verifiable ? claim_ahead(file, segment, segment_id) : std::nullopt;
    if (!claim) {
      file.refused(planned);
      break;  // what is farther must not take the room
    }
    if (joins)
      std::move(claim->missing.begin(), claim->missing.end(), std::back_inserter(demand));
    else
      segments.push_back({std::move(claim->missing), segment_id});
  }
}

void Reader::fetch_early(const std::shared_ptr<RemoteFile>& file, Extent bytes,
                         const std::weak_ptr<const void>& walk) {
  if (file->units()) bytes = file->units().within(bytes);
  if (bytes.empty()) return;
  const auto fetch = [this, file, bytes, walk](const Digests& digests) {
    if (file->ranges_ignored() || file->pin().ended() || file->refusal()) return;
    const fetch::OrderId id = fill_.fetching.new_id();
    auto claim = claim_ahead(*file, bytes, id);
    if (!claim) return;
    claim->pins.clear();  // nobody waits
    fetch_runs(file, std::move(claim->missing),
               {.id = id, .priority = Priority::sibling, .walk = walk, .digests = digests});
  };
  if (file->units() && !file->refusal())
    with_digests(file, bytes, {.id = 0, .priority = Priority::sibling, .walk = walk}, fetch);
  else
    fetch(nullptr);
}

// One request for each run of blocks that touch, or whose units do.
void Reader::fetch_runs(const std::shared_ptr<RemoteFile>& file,
                        std::vector<cache::FillTicket> tickets, const FillReason& reason) {
  auto begin = tickets.begin();
  while (begin != tickets.end()) {
    auto end = std::next(begin);
    while (end != tickets.end() &&
           file->cover(std::prev(end)->extent()).end() >= file->cover(end->extent()).offset)
      ++end;
    Fill::start(fill_, file, {std::make_move_iterator(begin), std::make_move_iterator(end)},
                reason);
    begin = end;
  }
}

}  // namespace skimfs::fs
