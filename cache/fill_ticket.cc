// SPDX-License-Identifier: MIT
//
// The filler's side of a block.
//
// While a ticket lives its block stays, so the block's lock and the cache's are taken one after
// the other and never together.
#include <cassert>
#include <utility>

#include "cache/block_cache.h"
#include "cache/entry.h"

namespace skimfs::cache {

FillTicket::FillTicket(FillTicket&& other) noexcept
    : entry_(std::exchange(other.entry_, nullptr)),
      extent_(other.extent_),
      filled_(other.filled_) {}

FillTicket& FillTicket::operator=(FillTicket&& other) noexcept {
  if (this == &other) return *this;
  fail(std::make_error_code(std::errc::operation_canceled));
  entry_ = std::exchange(other.entry_, nullptr);
  extent_ = other.extent_;
  filled_ = other.filled_;
  return *this;
}

FillTicket::~FillTicket() { fail(std::make_error_code(std::errc::operation_canceled)); }

std::span<std::byte> FillTicket::space() noexcept {
  if (entry_ == nullptr) return {};
  if (entry_->memory() == nullptr) entry_->cache.place(*entry_);
  return {entry_->memory() + filled_, extent_.length - filled_};
}

void FillTicket::wrote(std::uint32_t length) noexcept {
  assert(entry_ != nullptr && length <= extent_.length - filled_);
  filled_ += length;
}

void FillTicket::publish() noexcept {
  if (entry_ == nullptr || filled_ == entry_->readable()) return;
  const Entry::Waitings over = entry_->show(filled_);
  if (filled_ == extent_.length) {
    Entry& whole = *std::exchange(entry_, nullptr);
    whole.cache.settle(whole);
  }
  Entry::wake(over, {});
}

void FillTicket::rewind() noexcept {
  if (entry_ != nullptr) filled_ = entry_->readable();
}

void FillTicket::fail(std::error_code why) noexcept {
  if (entry_ == nullptr) return;
  Entry& entry = *std::exchange(entry_, nullptr);
  entry.cache.abolish(entry);                    // out of the index first,
  const Entry::Waitings over = entry.fail(why);  // so that who is woken claims a fresh one
  entry.cache.settle(entry);
  Entry::wake(over, why);
}

void FillTicket::withdraw() noexcept {
  if (entry_ != nullptr) entry_->cache.abolish(*entry_);
}

bool FillTicket::pinned() const noexcept {
  return entry_ != nullptr && entry_->cache.is_pinned(*entry_);
}

}  // namespace skimfs::cache
