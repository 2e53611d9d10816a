// SPDX-License-Identifier: MIT
//
// See in_order_check.h.
#include "fs/in_order_check.h"

#include <algorithm>
#include <new>
#include <utility>

namespace skimfs::fs {

using cache::Extent;

namespace {

// Of what passed before its turn, so much is pinned at a time.
constexpr std::uint64_t kRecalled = 256 * 1024;

}  // namespace

InOrderCheck::InOrderCheck(Digest wanted, std::uint64_t size)
    : wanted_(std::move(wanted)), size_(size), hasher_(wanted_.algorithm) {}

InOrderCheck::Verdict InOrderCheck::passing(const ReadView& view, const Recall& recall) {
  if (!note(view.bytes)) return Verdict::open;
  try {
    return add_all(view, recall);
  } catch (const std::bad_alloc&) {
    stop_adding();  // what has passed waits for the next
    throw;
  }
}

InOrderCheck::Verdict InOrderCheck::add_all(const ReadView& view, const Recall& recall) {
  Verdict verdict = Verdict::open;
  while (const auto bytes = next(view.bytes)) {
    const bool at_hand = bytes->offset >= view.bytes.offset && bytes->end() <= view.bytes.end();
    const auto recalled = at_hand ? std::nullopt : recall(*bytes);
    if (!at_hand && !recalled) {
      lost(*bytes);
      continue;
    }
    add(at_hand ? view : *recalled, *bytes);
    if (const Verdict now = added(*bytes); now != Verdict::open) verdict = now;
  }
  return verdict;
}

bool InOrderCheck::note(Extent bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes.offset == 0) {
    ++beginning_;
    next_ = 0;
    passed_.clear();
    for (const Extent& each : latest_) passed_.add(each);
  }
  passed_.add(bytes);
  latest_[std::exchange(oldest_, (oldest_ + 1) % latest_.size())] = bytes;
  return !std::exchange(adding_, true);
}

void InOrderCheck::stop_adding() noexcept {
  const std::lock_guard lock(mutex_);
  adding_ = false;
}

std::optional<Extent> InOrderCheck::next(Extent at_hand) {
  const std::lock_guard lock(mutex_);
  Extent run = passed_.from(next_);
  if (run.empty()) {
    adding_ = false;
    return std::nullopt;
  }
  if (std::exchange(hashing_, beginning_) != beginning_) hasher_.restart();
  const bool inside = run.offset >= at_hand.offset && run.offset < at_hand.end();
  const std::uint64_t most = inside ? at_hand.end() - run.offset : kRecalled;
  run.length = std::min(run.length, most);
  // What is at hand begins where what is recalled ends.
  if (!inside && run.offset < at_hand.offset)
    run.length = std::min(run.length, at_hand.offset - run.offset);
  return run;
}

void InOrderCheck::add(const ReadView& view, Extent bytes) noexcept {
  for (const cache::Pin& pin : *view.pins) {
    const Extent block = pin->extent();
    const std::uint64_t from = std::max(block.offset, bytes.offset);
    const std::uint64_t to = std::min(block.end(), bytes.end());
    if (from >= to) continue;
    hasher_.add(pin->view(static_cast<std::uint32_t>(from - block.offset),
                          static_cast<std::uint32_t>(to - from)));
  }
}

InOrderCheck::Verdict InOrderCheck::added(Extent bytes) noexcept {
  const std::lock_guard lock(mutex_);
  if (beginning_ != hashing_) return Verdict::open;  // begun anew meanwhile
  next_ = bytes.end();
  if (next_ < size_) return Verdict::open;
  return std::ranges::equal(hasher_.finish(), wanted_.value) ? Verdict::right : Verdict::wrong;
}

void InOrderCheck::lost(Extent bytes) {
  const std::lock_guard lock(mutex_);
  passed_.remove(bytes);
}

}  // namespace skimfs::fs
