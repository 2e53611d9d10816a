// SPDX-License-Identifier: MIT
//
// See reader.h.
#include "fs/reader.h"

#include <algorithm>
#include <iterator>
#include <mutex>
#include <utility>

#include "fetch/error.h"

namespace skimfs::fs {

using cache::BlockCache;
using cache::Extent;
using cache::Wait;
using fetch::Priority;

// One read that had to wait.
//
// One thread drives it at a time: its starter until it is registered with a block or the queue for
// room, then whoever takes it out of there, by waking it or by forgetting it.  After registering it
// looks again whether anybody still waits for its answer; who abandons it closes the answer first
// and forgets then.  So no order of the two leaves it registered for nobody.
class Reader::Operation final : public fs::Operation,
                                public cache::Waiter,
                                public DigestsWanted,
                                public std::enable_shared_from_this<Operation> {
 public:
  Operation(Reader& reader, std::shared_ptr<RemoteFile> file, Extent bytes,
            std::shared_ptr<Answer> answer)
      : reader_(reader), file_(std::move(file)), bytes_(bytes), answer_(std::move(answer)) {}

  void start() {
    const Extent grains = ReadPlanner::grains(bytes_, file_->size());
    const auto found = reader_.cache_.absent(file_->version(), grains).empty()
                           ? ReadPlanner::Found::coming
                           : ReadPlanner::Found::absent;
    plan_ = reader_.plan(*file_, bytes_, found);
    plan_.demand = file_->cover(plan_.demand);
    drive();
  }

  bool wants_digests() const noexcept override { return answer_->open(); }
  void digests_behind(std::weak_ptr<fs::Operation> reading) noexcept override {
    const std::lock_guard lock(mutex_);
    awaited_list_ = std::move(reading);
  }
  void digests_came(Digests digests) override {
    digests_ = std::move(digests);
    drive();
  }
  void digests_failed(std::error_code why) noexcept override { fail(why); }

  void wake(std::error_code why) noexcept override {
    stop_waiting();
    try {
      if (why)
        again_or_fail(why);
      else
        drive();
    } catch (const std::bad_alloc&) {
      fail(std::make_error_code(std::errc::not_enough_memory));
    }
  }

  void overdue() noexcept override {
    reader_.counters_.errors++;
    reader_.fill_.judge.overdue(*file_, bytes_);
  }

  void abandon() noexcept override {
    Pins pins;
    std::size_t block = 0;
    bool room = false;
    std::shared_ptr<fs::Operation> list;
    {
      const std::lock_guard lock(mutex_);
      list = awaited_list_.lock();
      pins = awaited_pins_;
      block = awaited_block_;
      room = awaits_room_;
    }
    if (pins && (*pins)[block]->forget(*this)) let_go();
    if (room && reader_.cache_.forget_room(*this)) let_go();
    if (list) list->abandon();
  }

 private:
  void drive() {
    while (answer_->open()) {
      if (!pins_ && !claim()) return;
      std::error_code why;
      switch (await_blocks(why)) {
        case Wait::ready:
          return succeed();
        case Wait::waiting:
          return;
        case Wait::failed:
          if (!may_try_again(why)) return fail(why);
          pins_.reset();
      }
    }
    let_go();
  }

  void again_or_fail(std::error_code why) {
    if (!may_try_again(why)) return fail(why);
    pins_.reset();
    drive();
  }

  // A fill that was given up for want of readers, or that showed how the server must be asked.
  bool may_try_again(std::error_code why) noexcept {
    constexpr int kTries = 4;
    bool passing =
        why == std::errc::operation_canceled || (why == fetch::Errc::ranges_ignored && may_spool());
    if (why == fetch::Errc::digest_mismatch && file_->units()) {
      // Another unit in the same transfer was wrong: only ours from now on.
      plan_.demand = file_->cover(ReadPlanner::grains(bytes_, file_->size()));
      passing = !file_->ranges_ignored() && !file_->integrity()->is_wrong(plan_.demand);
    }
    return passing && ++tries_ < kTries;
  }

  // true: pins_ cover bytes_.  false: waiting for digests or room, or answered.
  bool claim() {
    if (const auto why = file_->refusal()) return fail(why), false;
    const bool whole = file_->ranges_ignored() && may_spool();
    const Extent wanted = whole ? Extent{0, file_->size()} : plan_.demand;
    if (file_->pin().ended() && !reader_.cache_.absent(file_->version(), wanted).empty())
      return fail(make_error_code(fetch::Errc::changed)), false;
    if (file_->units() && !have_digests(wanted)) return false;

    const fetch::OrderId id = reader_.fill_.fetching.new_id();
    std::optional<BlockCache::Claim> claim;
    const BlockCache::Claimant who{
        .filler = id, .group = file_->group_at(wanted.offset), .waiter = this};
    while (!(claim = reader_.cache_.claim(file_->version(), wanted, BlockCache::Why::demand, who)))
      if (!await_room(wanted.length, who.group)) return false;
    keep(std::move(claim->pins));
    if (whole)
      Fill::start(reader_.fill_, file_, std::move(claim->missing),
                  {.id = id, .whole = true, .digests = digests_});
    else
      reader_.look_ahead(file_, plan_, std::move(claim->missing), id, digests_);
    plan_.ahead.clear();
    promote(id);
    return true;
  }

  // false: they are being read, and the operation goes on when they have come.
  bool have_digests(Extent wanted) {
    if (digests_ && digests_->has(wanted)) return true;
    const Extent units = reader_.to_verify(*file_, wanted, plan_.ahead);
    digests_ = digests_at_hand(*file_, units, reader_.cache_);
    if (digests_) return true;
    reader_.read_list(file_, units, shared_from_this());
    return false;  // and the operation may be driven elsewhere already
  }

  bool may_spool() const noexcept {
    return file_->size() <= reader_.spool_max_ && file_->parts().size() == 1 &&
           file_->parts().front().whole;
  }

  // Keeps the pins that bytes_ need; the rest go.
  void keep(std::vector<cache::Pin> pins) {
    std::erase_if(pins, [this](const cache::Pin& pin) {
      const Extent block = pin->extent();
      return block.end() <= bytes_.offset || block.offset >= bytes_.end();
    });
    pins_ = std::make_shared<const std::vector<cache::Pin>>(std::move(pins));
  }

  // Whoever fetches for us on speculation learns that somebody waits.
  void promote(fetch::OrderId mine) {
    for (const cache::Pin& pin : *pins_)
      if (pin->filler() != mine && pin->readable() < needed(*pin) && pin->hurry())
        reader_.fill_.fetching.promote(pin->filler());
  }

  std::uint32_t needed(const cache::Block& block) const noexcept {
    const Extent extent = block.extent();
    return static_cast<std::uint32_t>(std::min(extent.end(), bytes_.end()) - extent.offset);
  }

  // Blocks arrive side by side; the first that lacks bytes is waited for.
  Wait await_blocks(std::error_code& why) {
    for (std::size_t i = 0; i < pins_->size(); ++i) {
      const cache::Block& block = *(*pins_)[i];
      if (block.readable() >= needed(block)) continue;
      start_waiting(pins_, i, false);
      const Wait wait = block.await(needed(block), shared_from_this(), why);
      // From here on, if registered, the operation may be driven elsewhere: locals only.
      if (wait == Wait::waiting) return leave_if_abandoned(), Wait::waiting;
      stop_waiting();
      if (wait == Wait::failed) return Wait::failed;
    }
    return Wait::ready;
  }

  // true: there may be room now; false: waiting, or answered.
  bool await_room(std::uint64_t length, cache::GroupId group) {
    start_waiting(nullptr, 0, true);
    switch (reader_.cache_.await_room(length, group, shared_from_this())) {
      case Wait::ready:
        stop_waiting();
        return true;
      case Wait::failed:
        stop_waiting();
        fail(std::make_error_code(std::errc::not_enough_memory));
        return false;
      case Wait::waiting:
        leave_if_abandoned();
        return false;
    }
    return false;
  }

  void leave_if_abandoned() noexcept {
    if (!answer_->open()) abandon();
  }

  void start_waiting(Pins pins, std::size_t block, bool room) {
    const std::lock_guard lock(mutex_);
    awaited_pins_ = std::move(pins);
    awaited_block_ = block;
    awaits_room_ = room;
  }

  void stop_waiting() noexcept {
    Pins dropped;  // a pin's end may wake others: not under our lock
    const std::lock_guard lock(mutex_);
    dropped.swap(awaited_pins_);
    awaits_room_ = false;
  }

  void succeed() {
    const ReadView view{std::move(pins_), bytes_};
    if (!reader_.passing(*file_, view)) return fail(fetch::Errc::digest_mismatch);
    if (!file_->is_list()) {
      reader_.counters_.reads++;
      reader_.counters_.bytes += bytes_.length;
    }
    if (plan_.in_order && !file_->is_list()) reader_.consumed(*file_, bytes_);
    answer_->read(view);
  }

  void fail(std::error_code why) noexcept {
    // Given up again and again for others' sake: no error of this reader's, and no interrupt.
    if (why == std::errc::operation_canceled) why = std::make_error_code(std::errc::io_error);
    pins_.reset();
    if (answer_->open() && !file_->is_list()) reader_.counters_.errors++;
    answer_->fail(why);
  }

  void let_go() noexcept {
    stop_waiting();
    pins_.reset();
  }

  Reader& reader_;
  const std::shared_ptr<RemoteFile> file_;
  const Extent bytes_;
  const std::shared_ptr<Answer> answer_;

  // The driver's.
  ReadPlanner::Plan plan_;
  Pins pins_;
  Digests digests_;  // of the units of plan_, for a file that has units
  int tries_ = 0;

  std::mutex mutex_;  // what follows: where an abandoner finds us registered
  Pins awaited_pins_;
  std::size_t awaited_block_ = 0;
  bool awaits_room_ = false;
  std::weak_ptr<fs::Operation> awaited_list_;
};

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
  const auto object = file.object(0);
  if (!file.has_pace() && object && file.size() > ReadPlanner::kFirstSegment)
    file.set_pace(fill_.fetching.pace(*object));
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
      continue;
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
