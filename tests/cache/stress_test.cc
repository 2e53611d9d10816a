// SPDX-License-Identifier: MIT
//
// Many threads on a small cache: readers that wait for bytes and for room, fillers that fail.
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <thread>

#include "tests/cache/helpers.h"

namespace skimfs::cache {
namespace {

using Why = BlockCache::Why;
using namespace std::chrono_literals;

constexpr std::uint64_t kSize = 2 * kMiB + 100;

// Lets a test thread wait for one wake.
struct Bell final : Waiter {
  void wake(std::error_code reason) noexcept override {
    const std::lock_guard lock(mutex);
    why = reason;
    rung = true;
    bell.notify_one();
  }
  bool wait() {
    std::unique_lock lock(mutex);
    return bell.wait_for(lock, 60s, [&] { return rung; });
  }
  std::mutex mutex;
  std::condition_variable bell;
  bool rung = false;
  std::error_code why;
};

// Fills tickets in pieces on threads of its own; some fail half way.
class Fillers {
 public:
  explicit Fillers(int threads) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this, i] { run(i); });
  }
  ~Fillers() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  void add(VersionId version, std::vector<FillTicket> tickets) {
    if (tickets.empty()) return;
    {
      const std::lock_guard lock(mutex_);
      for (FillTicket& ticket : tickets) queue_.emplace_back(version, std::move(ticket));
    }
    changed_.notify_one();
  }

 private:
  void run(int id) {
    std::mt19937 random(static_cast<unsigned>(id) + 99);
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return closed_ || !queue_.empty(); });
      if (queue_.empty()) return;
      auto [version, ticket] = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      while (!ticket.space().empty()) {
        write(ticket, version, std::min<std::size_t>(ticket.space().size(), 30'000));
        ticket.publish();
        if (random() % 64 == 0) ticket.fail(io_error());
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<VersionId, FillTicket>> queue_;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

struct Tally {
  std::atomic<int> reads{0}, failures{0}, wrong{0}, lost{0};
};

// All of `block`'s first `need` bytes, or an error.
std::error_code await(const Block& block, std::uint32_t need, Tally& tally) {
  const auto bell = std::make_shared<Bell>();
  std::error_code why;
  if (block.await(need, bell, why) != Wait::waiting) return why;
  if (!bell->wait()) ++tally.lost;
  return bell->why;
}

bool verify(const Pin& pin, VersionId version, Extent bytes) {
  const Extent extent = pin->extent();
  const std::uint64_t begin = std::max(extent.offset, bytes.offset);
  const std::uint64_t end = std::min(extent.end(), bytes.end());
  const auto view = pin->view(static_cast<std::uint32_t>(begin - extent.offset),
                              static_cast<std::uint32_t>(end - begin));
  return right_bytes(view, version, begin);
}

// Claims as soon as there may be room, in its turn.
struct Claimer final : Waiter, std::enable_shared_from_this<Claimer> {
  Claimer(BlockCache& of, VersionId v, Extent what) : cache(of), version(v), bytes(what) {}
  void wake(std::error_code) noexcept override { try_again(); }
  void try_again() noexcept {
    const GroupId group = version % 3;
    for (;;) {
      claim = cache.claim(version, bytes, Why::demand, {.group = group, .waiter = this});
      if (claim) return bell.wake({});
      if (cache.await_room(bytes.length, group, shared_from_this()) == Wait::waiting) return;
    }
  }
  BlockCache& cache;
  const VersionId version;
  const Extent bytes;
  std::optional<BlockCache::Claim> claim;
  Bell bell;
};

std::error_code read(BlockCache& cache, Fillers& fillers, VersionId version, Extent bytes,
                     Tally& tally) {
  const auto claimer = std::make_shared<Claimer>(cache, version, bytes);
  claimer->try_again();
  if (!claimer->bell.wait()) return ++tally.lost, io_error();
  BlockCache::Claim& claim = *claimer->claim;
  fillers.add(version, std::move(claim.missing));
  for (const Pin& pin : claim.pins) {
    const Extent extent = pin->extent();
    const auto need =
        static_cast<std::uint32_t>(std::min(bytes.end(), extent.end()) - extent.offset);
    if (const std::error_code why = await(*pin, need, tally)) return why;
    if (!verify(pin, version, bytes)) ++tally.wrong;
  }
  return {};
}

TEST(BlockCacheStress, ReadersFillersAndWaitersForRoomNeverSeeAWrongByteOrStick) {
  Tally tally;
  BlockCache cache(3 * kMiB);
  {
    Fillers fillers(2);
    std::vector<std::thread> readers;
    for (unsigned id = 0; id < 6; ++id) {
      readers.emplace_back([&, id] {
        std::mt19937 random(id);
        for (int i = 0; i < 1000; ++i) {
          const VersionId version = 1 + random() % 5;
          const std::uint64_t first = random() % (kSize / kGrain) * kGrain;
          const std::uint64_t length = (1 + random() % 128) * kGrain;
          const Extent bytes{first, std::min(first + length, kSize) - first};
          if (random() % 4 == 0) {
            if (auto ahead = cache.claim(version, bytes, Why::ahead, {.group = version % 3})) {
              fillers.add(version, std::move(ahead->missing));
            }
          }
          if (auto pins = cache.find(version, bytes)) {
            for (const Pin& pin : *pins) tally.wrong += verify(pin, version, bytes) ? 0 : 1;
          }
          if (read(cache, fillers, version, bytes, tally)) ++tally.failures;
          if (random() % 2 == 0) cache.consumed(version, bytes, random() % 2 == 0);
          if (random() % 64 == 0) cache.drop(version);
          ++tally.reads;
        }
      });
    }
    for (std::thread& reader : readers) reader.join();
  }
  EXPECT_EQ(tally.reads, 6 * 1000);
  EXPECT_EQ(tally.wrong, 0);
  EXPECT_EQ(tally.lost, 0);
  EXPECT_GT(tally.failures, 0);
  EXPECT_LE(cache.status().peak, 3 * kMiB);
  EXPECT_EQ(cache.status().pinned, 0u);
  EXPECT_EQ(cache.status().filling, 0u);
}

TEST(BlockCacheStress, WakeAndForgetTakeAWaiterOutExactlyOnce) {
  BlockCache cache(4 * kMiB);
  for (VersionId version = 1; version <= 2000; ++version) {
    BlockCache::Claim claim = *cache.claim(version, {0, kGrain}, Why::demand, {});
    const auto waiter = std::make_shared<CountingWaiter>();
    std::error_code why;
    ASSERT_EQ(claim.pins.front()->await(kGrain, waiter, why), Wait::waiting);
    std::atomic<int> forgotten{0};
    std::thread forgetter([&] { forgotten += claim.pins.front()->forget(*waiter) ? 1 : 0; });
    fill(claim.missing.front(), version);
    forgetter.join();
    ASSERT_EQ(waiter->woken + forgotten, 1);
  }
}

}  // namespace
}  // namespace skimfs::cache
