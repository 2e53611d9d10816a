// SPDX-License-Identifier: MIT
//
// See read_operation.h.
#include "fs/read_operation.h"

#include <algorithm>
#include <new>

#include "fetch/error.h"

namespace skimfs::fs {

using cache::BlockCache;
using cache::Extent;
using cache::Wait;

void Reader::Operation::start() {
  const Extent grains = ReadPlanner::grains(bytes_, file_->size());
  const auto found = reader_.cache_.absent(file_->version(), grains).empty()
                         ? ReadPlanner::Found::coming
                         : ReadPlanner::Found::absent;
  plan_ = reader_.plan(*file_, bytes_, found);
  plan_.demand = file_->cover(plan_.demand);
  drive();
}

void Reader::Operation::digests_behind(std::weak_ptr<fs::Operation> reading) noexcept {
  const std::lock_guard lock(mutex_);
  awaited_list_ = std::move(reading);
}

void Reader::Operation::digests_came(Digests digests) {
  digests_ = std::move(digests);
  drive();
}

void Reader::Operation::wake(std::error_code why) noexcept {
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

void Reader::Operation::overdue() noexcept {
  count_error();
  reader_.fill_.judge.overdue(*file_, bytes_);
}

void Reader::Operation::abandon() noexcept {
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

void Reader::Operation::drive() {
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

void Reader::Operation::again_or_fail(std::error_code why) {
  if (!may_try_again(why)) return fail(why);
  pins_.reset();
  drive();
}

bool Reader::Operation::may_try_again(std::error_code why) noexcept {
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

bool Reader::Operation::claim() {
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

bool Reader::Operation::have_digests(Extent wanted) {
  if (digests_ && digests_->has(wanted)) return true;
  const Extent units = reader_.to_verify(*file_, wanted, plan_.ahead);
  digests_ = digests_at_hand(*file_, units, reader_.cache_);
  if (digests_) return true;
  reader_.read_list(file_, units, shared_from_this());
  return false;  // and the operation may be driven elsewhere already
}

bool Reader::Operation::may_spool() const noexcept {
  return file_->size() <= reader_.spool_max_ && file_->parts().size() == 1 &&
         file_->parts().front().whole;
}

void Reader::Operation::keep(std::vector<cache::Pin> pins) {
  std::erase_if(pins, [this](const cache::Pin& pin) {
    const Extent block = pin->extent();
    return block.end() <= bytes_.offset || block.offset >= bytes_.end();
  });
  pins_ = std::make_shared<const std::vector<cache::Pin>>(std::move(pins));
}

void Reader::Operation::promote(fetch::OrderId mine) {
  for (const cache::Pin& pin : *pins_)
    if (pin->filler() != mine && pin->readable() < needed(*pin) && pin->hurry())
      reader_.fill_.fetching.promote(pin->filler());
}

std::uint32_t Reader::Operation::needed(const cache::Block& block) const noexcept {
  const Extent extent = block.extent();
  return static_cast<std::uint32_t>(std::min(extent.end(), bytes_.end()) - extent.offset);
}

Wait Reader::Operation::await_blocks(std::error_code& why) {
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

bool Reader::Operation::await_room(std::uint64_t length, cache::GroupId group) {
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

void Reader::Operation::leave_if_abandoned() noexcept {
  if (!answer_->open()) abandon();
}

void Reader::Operation::start_waiting(Pins pins, std::size_t block, bool room) {
  const std::lock_guard lock(mutex_);
  awaited_pins_ = std::move(pins);
  awaited_block_ = block;
  awaits_room_ = room;
}

void Reader::Operation::stop_waiting() noexcept {
  Pins dropped;  // a pin's end may wake others: not under our lock
  const std::lock_guard lock(mutex_);
  dropped.swap(awaited_pins_);
  awaits_room_ = false;
}

void Reader::Operation::succeed() {
  const ReadView view{std::move(pins_), bytes_};
  if (!reader_.passing(*file_, view)) return fail(fetch::Errc::digest_mismatch);
  if (!file_->is_list()) {
    reader_.counters_.reads++;
    reader_.counters_.bytes += bytes_.length;
  }
  if (plan_.in_order && !file_->is_list()) reader_.consumed(*file_, bytes_);
  answer_->read(view);
}

void Reader::Operation::fail(std::error_code why) noexcept {
  // Given up again and again for others' sake: no error of this reader's, and no interrupt.
  if (why == std::errc::operation_canceled) why = std::make_error_code(std::errc::io_error);
  pins_.reset();
  if (answer_->open() && !file_->is_list()) count_error();
  answer_->fail(why);
}

void Reader::Operation::count_error() noexcept {
  if (!counted_.exchange(true)) reader_.counters_.errors++;
}

void Reader::Operation::let_go() noexcept {
  stop_waiting();
  pins_.reset();
}

}  // namespace skimfs::fs
