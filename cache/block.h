// SPDX-License-Identifier: MIT
//
// A run of grains that is filled front to back, seen through a rising watermark.
//
// One thread fills (through its FillTicket), any thread reads below the watermark and waits above
// it.  What is below the watermark never changes again, so readers take no lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <system_error>

#include "cache/names.h"

namespace skimfs::cache {

// Told, once per registration, that the wait is over.
struct Waiter {
  // Called with no lock held, on the thread that made it so.  `why`: empty when the bytes (or the
  // room) are there, else why they never will be.
  virtual void wake(std::error_code why) noexcept = 0;

 protected:
  ~Waiter() = default;
};

enum class Wait { ready, failed, waiting };

class BlockCache;
struct Entry;

class Block {
 public:
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  Extent extent() const noexcept { return extent_; }  // of the version, in bytes
  // The first so many bytes never change again.
  std::uint32_t readable() const noexcept {
    return readable_.load(std::memory_order_acquire);  // pairs with show(): the bytes came before
  }
  // `at`, `length`: inside readable().
  std::span<const std::byte> view(std::uint32_t at, std::uint32_t length) const noexcept;
  // `waiting`: kept until exactly one of wake() and forget() takes it out.  `need`: bytes from the
  // block's start that must be readable.  `failed`: `why` says why they never will be.
  Wait await(std::uint32_t need, std::shared_ptr<Waiter> waiter, std::error_code& why) const;
  bool forget(const Waiter& waiter) const noexcept;          // true: it will not be woken
  bool awaited() const noexcept;                             // does anybody wait?
  std::uint64_t filler() const noexcept { return filler_; }  // of the claim that made the block
  // True for the first caller only: promote the filler.  Never true where demand made the block.
  bool hurry() const noexcept;

 protected:
  struct Waiting {
    std::uint32_t need = 0;
    std::shared_ptr<Waiter> waiter;
  };
  using Waitings = std::list<Waiting>;

  Block(Extent extent, std::byte* memory, std::uint64_t filler, bool hurried) noexcept;
  ~Block();

  // The filler's side.  The result: whose wait is over; to be woken once no lock is held.
  Waitings show(std::uint32_t readable) noexcept;
  Waitings fail(std::error_code why) noexcept;
  static void wake(const Waitings& over, std::error_code why) noexcept;

  // Null until place(), which comes before the first byte; then the same for good.
  std::byte* memory() const noexcept { return memory_; }
  void place(std::byte* memory) noexcept { memory_ = memory; }

 private:
  friend class FillTicket;

  const Extent extent_;
  std::byte* memory_;  // written by the filler, before readable_ first rises
  const std::uint64_t filler_;
  std::atomic<std::uint32_t> readable_{0};  // written by the filler alone
  mutable std::atomic<bool> hurried_;

  mutable std::mutex mutex_;   // a leaf
  mutable Waitings waitings_;  // guarded by mutex_; oldest first
  std::error_code failed_;     // guarded by mutex_
};

// A move-only reference.  While one lives the block's memory stays and is not evicted.
class Pin {
 public:
  Pin() noexcept = default;
  Pin(Pin&& other) noexcept;
  Pin& operator=(Pin&& other) noexcept;
  ~Pin();
  explicit operator bool() const noexcept { return block_ != nullptr; }
  const Block& operator*() const noexcept { return *block_; }
  const Block* operator->() const noexcept { return block_; }

 private:
  friend class BlockCache;
  Block* block_ = nullptr;  // counted
};

}  // namespace skimfs::cache
