// SPDX-License-Identifier: MIT
//
// Watermark and waiters of one block.
#include "cache/block.h"

#include <algorithm>
#include <cassert>

namespace skimfs::cache {

Block::Block(Extent extent, std::byte* memory, std::uint64_t filler, bool hurried) noexcept
    : extent_(extent), memory_(memory), filler_(filler), hurried_(hurried) {}

Block::~Block() { assert(waitings_.empty()); }

std::span<const std::byte> Block::view(std::uint32_t at, std::uint32_t length) const noexcept {
  assert(std::uint64_t{at} + length <= readable());
  return {memory_ + at, length};
}

Wait Block::await(std::uint32_t need, std::shared_ptr<Waiter> waiter, std::error_code& why) const {
  assert(need <= extent_.length);
  const std::lock_guard lock(mutex_);
  if (readable() >= need) return Wait::ready;
  if (failed_) {
    why = failed_;
    return Wait::failed;
  }
  waitings_.push_back({need, std::move(waiter)});
  return Wait::waiting;
}

bool Block::forget(const Waiter& waiter) const noexcept {
  Waitings out;  // dies after the lock
  const std::lock_guard lock(mutex_);
  const auto at = std::find_if(waitings_.begin(), waitings_.end(),
                               [&](const Waiting& w) { return w.waiter.get() == &waiter; });
  if (at == waitings_.end()) return false;
  out.splice(out.end(), waitings_, at);
  return true;
}

bool Block::awaited() const noexcept {
  const std::lock_guard lock(mutex_);
  return !waitings_.empty();
}

bool Block::hurry() const noexcept { return !hurried_.exchange(true, std::memory_order_relaxed); }

Block::Waitings Block::show(std::uint32_t readable) noexcept {
  assert(readable >= readable_.load(std::memory_order_relaxed) && readable <= extent_.length);
  // Before the lock: who registers after it sees the bytes, who registered before is found below.
  readable_.store(readable, std::memory_order_release);
  Waitings over;
  const std::lock_guard lock(mutex_);
  for (auto at = waitings_.begin(); at != waitings_.end();) {
    const auto next = std::next(at);
    if (at->need <= readable) over.splice(over.end(), waitings_, at);
    at = next;
  }
  return over;
}

Block::Waitings Block::fail(std::error_code why) noexcept {
  assert(why);
  const std::lock_guard lock(mutex_);
  failed_ = why;
  return std::move(waitings_);
}

void Block::wake(const Waitings& over, std::error_code why) noexcept {
  for (const Waiting& each : over) each.waiter->wake(why);
}

}  // namespace skimfs::cache
