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

// What is fetched ahead once its digests have come.
class Reader::LaterWork final : public DigestsWanted {
 public:
  explicit LaterWork(std::function<void(const Digests&)> then) : then_(std::move(then)) {}

  bool wants_digests() const noexcept override { return true; }
  void digests_behind(std::weak_ptr<fs::Operation>) noexcept override {}
  void digests_came(Digests digests) override { then_(digests); }
  void digests_failed(std::error_code) noexcept override {}  // speculation is left out

 private:
  const std::function<void(const Digests&)> then_;
};

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
  const auto plan = this->plan(*file, bytes, ReadPlanner::Found::ready);
  if (plan.in_order) consumed(*file, bytes);
  if (plan.ahead.empty()) return view;
  if (!file->units()) {
    look_ahead(file, plan, {}, fill_.fetching.new_id(), nullptr);
    return view;
  }
  with_digests(file, to_verify(*file, file->cover(plan.ahead.front()), plan.ahead),
               [this, file, plan](const Digests& digests) {
                 look_ahead(file, plan, {}, fill_.fetching.new_id(), digests);
               });
  return view;
}

void Reader::read(std::shared_ptr<RemoteFile> file, Extent bytes, std::shared_ptr<Answer> to) {
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
                          std::function<void(const Digests&)> then) {
  if (const Digests digests = digests_at_hand(*file, bytes, cache_)) return then(digests);
  read_list(file, bytes, std::make_shared<LaterWork>(std::move(then)));
}

// Asks for the demanded blocks, and with them, in the same request where they touch, for those
// worth having.
void Reader::look_ahead(const std::shared_ptr<RemoteFile>& file, const ReadPlanner::Plan& plan,
                        std::vector<cache::FillTicket> demand, fetch::OrderId id,
                        const Digests& digests) {
  const bool ahead_wanted = !file->ranges_ignored() && !file->pin().ended();
  std::vector<std::pair<std::vector<cache::FillTicket>, fetch::OrderId>> segments;
  Extent done = file->cover(plan.demand);
  for (const Extent& planned : plan.ahead) {
    Extent segment = file->cover(planned);
    if (segment.offset >= done.offset && segment.offset < done.end()) {
      if (segment.end() <= done.end()) continue;  // units of what is before it
      segment = {done.end(), segment.end() - done.end()};
    }
    done = segment;
    const bool joins = !demand.empty() && &planned == &plan.ahead.front() &&
                       demand.back().extent().end() == segment.offset &&
                       segment.end() - demand.front().extent().offset <= limits_.segment_max;
    const fetch::OrderId segment_id = joins ? id : fill_.fetching.new_id();
    const bool verifiable = !file->units() || digests->has(file->cover(segment));
    auto claim = ahead_wanted && verifiable
                     ? cache_.claim(file->version(), segment, BlockCache::Why::ahead,
                                    {.filler = segment_id, .group = file->group_at(segment.offset)})
                     : std::nullopt;
    if (!claim) {
      file->refused(planned);
      break;  // what is farther must not take the room
    }
    if (joins)
      std::move(claim->missing.begin(), claim->missing.end(), std::back_inserter(demand));
    else
      segments.emplace_back(std::move(claim->missing), segment_id);
  }
  fetch_runs(file, std::move(demand), {.id = id, .digests = digests});
  for (auto& [tickets, segment_id] : segments)
    fetch_runs(file, std::move(tickets),
               {.id = segment_id, .priority = Priority::next, .digests = digests});
}

void Reader::fetch_early(const std::shared_ptr<RemoteFile>& file, Extent bytes,
                         const std::weak_ptr<const void>& walk) {
  if (file->ranges_ignored() || file->pin().ended() || file->refusal()) return;
  if (file->units()) bytes = file->units().within(bytes);
  if (bytes.empty()) return;
  const auto fetch = [this, file, bytes, walk](const Digests& digests) {
    const fetch::OrderId id = fill_.fetching.new_id();
    auto claim = cache_.claim(file->version(), bytes, BlockCache::Why::ahead,
                              {.filler = id, .group = file->group_at(bytes.offset)});
    if (!claim) return;
    claim->pins.clear();  // nobody waits
    fetch_runs(file, std::move(claim->missing),
               {.id = id, .priority = Priority::sibling, .walk = walk, .digests = digests});
  };
  if (file->units())
    with_digests(file, bytes, fetch);
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
