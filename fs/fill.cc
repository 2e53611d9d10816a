// SPDX-License-Identifier: MIT
//
// See fill.h.
#include "fs/fill.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "fetch/error.h"

namespace skimfs::fs {

void Fill::start(const FillContext& context, std::shared_ptr<RemoteFile> file,
                 std::vector<cache::FillTicket> tickets, const FillReason& reason) {
  if (tickets.empty()) return;
  std::make_shared<Fill>(context, std::move(file), std::move(tickets), reason)->order_next();
}

Fill::Fill(const FillContext& context, std::shared_ptr<RemoteFile> file,
           std::vector<cache::FillTicket> tickets, const FillReason& reason)
    : context_(context),
      file_(std::move(file)),
      reason_(reason),
      tickets_(std::make_move_iterator(tickets.begin()), std::make_move_iterator(tickets.end())),
      position_(reason.whole ? 0 : file_->cover(tickets_.front().extent()).offset),
      shown_(position_),
      end_(reason.whole ? file_->size() : file_->cover(tickets_.back().extent()).end()) {
  assert(bool(file_->units()) == bool(reason_.digests));
  if (reason_.digests) check_.emplace(reason_.digests);
}

void Fill::order_next() {
  while (position_ < end_) {
    part_ = file_->part_at(position_);
    const RemoteFile::Part& part = file_->parts()[part_];
    const std::uint64_t skip = position_ - part.bytes.offset;
    const std::uint64_t length = std::min(end_, part.bytes.end()) - position_;
    if (part.remote) {
      part_from_ = position_;
      const std::uint64_t first = part.offset + skip;
      // The last that happens here: the order may be another lane's, which may have begun.
      context_.fetching.fetch({.id = reason_.id,
                               .object = file_->object(part_),
                               .range = {first, first + length - 1},
                               .whole = reason_.whole,
                               .priority = wanted() ? fetch::Priority::demand : reason_.priority,
                               .sink = shared_from_this(),
                               .fresh = tried_again_});
      return;
    }
    const auto bytes = std::as_bytes(std::span(part.literal)).subspan(skip, length);
    if (!check_) {
      pour(bytes);
      show();
    } else if (!pour_checked(bytes) && std::exchange(tried_again_, true)) {
      return give_up(fetch::Errc::digest_mismatch);
    }
  }
}

fetch::Version Fill::expect(std::size_t source) const { return file_->pin().expect(part_, source); }

fetch::Standing Fill::standing(std::size_t source) const {
  return file_->pin().standing(part_, source, context_.clock.now());
}

void Fill::refuse(std::size_t source) noexcept {
  file_->pin().refuse(part_, source, context_.clock.now());
}

bool Fill::decides(std::size_t source) const { return file_->pin().decides(part_, source); }

// A digest proves more than a declared length: bytes of a unit that a broken transfer brought are
// kept, and the rest of it joins them.
bool Fill::begin(std::size_t source, const fetch::Version& seen, bool counted) {
  if (!check_ || reason_.whole) rewind();
  counted_ = counted;
  if (!reason_.whole) file_->note_ranges_ignored(false);
  return file_->pin().learn(part_, source, seen, context_.clock.now());
}

std::span<std::byte> Fill::space() noexcept {
  if (at_ >= tickets_.size()) return {};
  cache::FillTicket& ticket = tickets_[at_];
  const bool next = position_ == ticket.extent().offset + ticket.filled();
  return next ? ticket.space() : std::span<std::byte>();
}

fetch::RangeSink::Took Fill::take(std::span<const std::byte> bytes) noexcept {
  if (!useful()) return Took::enough;
  if (check_) {
    if (pour_checked(bytes)) return Took::more;
    if (reason_.whole || shown_ >= part_from_) return Took::corrupt;
    again_ = true;  // some of the unit is of an earlier order
    return Took::enough;
  }
  pour(bytes);
  if (counted_) show();
  return Took::more;
}

std::uint64_t Fill::kept() const noexcept {
  return reason_.whole ? 0 : (check_ ? position_ : shown_) - part_from_;
}

bool Fill::wanted() const noexcept {
  return std::any_of(tickets_.begin(), tickets_.end(),
                     [](const cache::FillTicket& ticket) { return ticket.pinned(); });
}

// A body without ranges that is given up would have to be asked for again from its first byte.
bool Fill::useful() const noexcept {
  return reason_.whole || file_->in_use() || !reason_.walk.expired() || wanted();
}

void Fill::finish(std::error_code outcome) noexcept {
  if (std::exchange(again_, false)) {
    outcome = {};
    if (std::exchange(tried_again_, true)) outcome = fetch::Errc::digest_mismatch;
  }
  if (!outcome && !check_) show();
  if (outcome == fetch::Errc::ranges_ignored && !reason_.whole) file_->note_ranges_ignored(true);
  try {
    if (!outcome) return order_next();
    if (outcome == fetch::Errc::changed) outcome = context_.judge.differs(*file_, part_);
  } catch (const std::bad_alloc&) {
    outcome = std::make_error_code(std::errc::not_enough_memory);
  }
  give_up(outcome);
}

void Fill::give_up(std::error_code outcome) noexcept {
  if (outcome != std::errc::operation_canceled) context_.judge.failed(*file_, outcome);
  // All are out of reach before the first waiter wakes, so that who tries again claims all afresh.
  for (cache::FillTicket& ticket : tickets_) ticket.withdraw();
  for (cache::FillTicket& ticket : tickets_) ticket.fail(outcome);
  tickets_.clear();
}

void Fill::pour(std::span<const std::byte> bytes) noexcept {
  while (!bytes.empty() && at_ < tickets_.size()) {
    cache::FillTicket& ticket = tickets_[at_];
    const std::uint64_t wants = ticket.extent().offset + ticket.filled();
    if (position_ < wants) {  // somebody else has these, or we had them before
      const auto skip = std::min<std::uint64_t>(bytes.size(), wants - position_);
      position_ += skip;
      bytes = bytes.subspan(skip);
      continue;
    }
    const std::span<std::byte> space = ticket.space();
    const std::size_t count = std::min(space.size(), bytes.size());
    if (bytes.data() != space.data()) std::memcpy(space.data(), bytes.data(), count);
    ticket.wrote(static_cast<std::uint32_t>(count));
    position_ += count;
    bytes = bytes.subspan(count);
    if (count == space.size()) ++at_;
  }
  position_ += bytes.size();
}

bool Fill::pour_checked(std::span<const std::byte> bytes) noexcept {
  while (!bytes.empty()) {
    const cache::Extent unit = file_->units().at(position_);
    const auto some = bytes.first(std::min<std::uint64_t>(bytes.size(), unit.end() - position_));
    bytes = bytes.subspan(some.size());
    const bool checks = position_ >= shown_ && needs(unit);
    if (checks) check_->add(some);
    pour(some);
    if (position_ < unit.end()) continue;
    if (checks) {
      const bool right = check_->right(unit);
      context_.judge.checked(*file_, unit, right);
      if (!right) {
        rewind();
        return false;
      }
      tried_again_ = false;
    }
    if (position_ > shown_) show();
  }
  return true;
}

// Of a body without ranges there may be units whose bytes are all held.
bool Fill::needs(const cache::Extent& unit) const noexcept {
  return !tickets_.empty() && tickets_.front().extent().offset < unit.end();
}

void Fill::show() noexcept {
  for (std::size_t i = 0; i <= at_ && i < tickets_.size(); ++i) tickets_[i].publish();
  for (; at_ > 0; --at_) tickets_.pop_front();
  shown_ = position_;
}

void Fill::rewind() noexcept {
  for (std::size_t i = 0; i <= at_ && i < tickets_.size(); ++i) tickets_[i].rewind();
  at_ = 0;
  position_ = reason_.whole ? 0 : shown_;
  if (check_) check_->restart();
}

}  // namespace skimfs::fs
