// SPDX-License-Identifier: MIT
//
// The cache against a model: random claims, fills, failures, rewinds, pins, drops; bytes compared.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "cache/entry.h"
#include "tests/cache/helpers.h"

namespace skimfs::cache {
namespace {

using Why = BlockCache::Why;

constexpr std::uint64_t kSize = 3 * kMiB + 777;  // of every version

class Model {
 public:
  Model(std::uint64_t limit, unsigned seed) : cache_(limit), limit_(limit), random_(seed) {}

  void step() {
    switch (random_() % 8) {
      case 0:
      case 1:
        claim();
        break;
      case 2:
      case 3:
        pour();
        break;
      case 4:
        find();
        break;
      case 5:
        finish();
        break;
      case 6:
        unpin();
        break;
      default:
        rare();
        break;
    }
    check();
  }

  void settle() {
    tickets_.clear();
    pins_.clear();
    check();
    for (VersionId version : versions_) cache_.drop(version);
    EXPECT_EQ(cache_.status().used, 0u);
    EXPECT_EQ(cache_.status().filling, 0u);
  }

  std::uint64_t claims = 0, refused = 0, hits = 0;

 private:
  struct Held {
    VersionId version;
    Pin pin;
    std::uint32_t seen;  // its watermark never falls
  };
  struct Filling {
    VersionId version;
    FillTicket ticket;
    const Block* block;
  };

  static GroupId group_of(VersionId version) { return version % 3; }

  // Bytes of the group that cannot leave: pinned, or being filled.
  std::uint64_t held_by(GroupId group) const {
    std::map<const Block*, std::uint64_t> cost;
    const auto add = [&](VersionId version, const Block& block) {
      if (group_of(version) == group) cost[&block] = cost_of(block.extent());
    };
    for (const Held& each : pins_) add(each.version, *each.pin);
    for (const Filling& each : tickets_) add(each.version, *each.block);
    std::uint64_t sum = 0;
    for (const auto& [block, bytes] : cost) sum += bytes;
    return sum;
  }

  static std::uint64_t cost_of(Extent extent) {
    return (extent.length + kGrain - 1) / kGrain * kGrain + kBookkeeping;
  }

  VersionId version() { return 1 + random_() % 4; }

  Extent extent() {
    const std::uint64_t first = random_() % (kSize / kGrain) * kGrain;
    const std::uint64_t grains = random_() % 3 == 0 ? 1 : 1 + random_() % 150;
    return {first, std::min(first + grains * kGrain, kSize) - first};
  }

  void claim() {
    const VersionId of = version();
    versions_.insert(of);
    const Extent bytes = extent();
    const CacheStatus before = cache_.status();
    auto claim = cache_.claim(of, bytes, random_() % 3 == 0 ? Why::ahead : Why::demand,
                              {.group = group_of(of)});
    ++claims;
    if (!claim) {
      ++refused;
      EXPECT_EQ(cache_.status().evictions, before.evictions);
      EXPECT_EQ(cache_.status().used, before.used);
      return;
    }
    EXPECT_TRUE(cover(claim->pins, bytes));
    for (FillTicket& ticket : claim->missing) {
      // One filler per byte, except for blocks that have left the index.
      for (const Filling& other : tickets_) {
        const bool apart = other.version != of ||
                           other.ticket.extent().end() <= ticket.extent().offset ||
                           ticket.extent().end() <= other.ticket.extent().offset;
        EXPECT_TRUE(apart);
      }
    }
    const bool more = !claim->missing.empty();
    for (FillTicket& ticket : claim->missing) {
      const auto pin = std::find_if(claim->pins.begin(), claim->pins.end(), [&](const Pin& each) {
        return each->extent() == ticket.extent();
      });
      tickets_.push_back({of, std::move(ticket), &**pin});
    }
    for (Pin& pin : claim->pins) pins_.push_back({of, std::move(pin), 0});
    if (!more || before.pinned == 0) return;
    EXPECT_LE(held_by(group_of(of)), limit_ - cache_.status().pinned)
        << "more than is left to all others";
  }

  void pour() {
    if (tickets_.empty()) return;
    Filling& filling = tickets_[random_() % tickets_.size()];
    const std::size_t room = filling.ticket.space().size();
    write(filling.ticket, filling.version, random_() % 2 == 0 ? room : random_() % (room + 1));
    if (random_() % 8 == 0) filling.ticket.rewind();
    filling.ticket.publish();
    sweep();
  }

  void finish() {
    if (tickets_.empty()) return;
    std::swap(tickets_[random_() % tickets_.size()], tickets_.back());
    if (random_() % 4 == 0) {
      tickets_.back().ticket.fail(io_error());
    } else {
      fill(tickets_.back().ticket, tickets_.back().version);
    }
    tickets_.pop_back();
  }

  // Asking for space() would place every block that no byte has come for.
  void sweep() {
    std::erase_if(tickets_, [](Filling& each) {
      return each.ticket.filled() == each.ticket.extent().length;
    });
  }

  void find() {
    const VersionId of = version();
    Extent bytes = extent();
    bytes.length = std::max<std::uint64_t>(1, random_() % (bytes.length + 1));
    auto pins = cache_.find(of, bytes);
    if (!pins) return;
    ++hits;
    EXPECT_TRUE(cover(*pins, bytes));
    EXPECT_GE(pins->back()->extent().offset + pins->back()->readable(), bytes.end());
    for (Pin& pin : *pins) pins_.push_back({of, std::move(pin), 0});
  }

  void unpin() {
    for (std::size_t count = random_() % 8; count > 0 && !pins_.empty(); --count) {
      std::swap(pins_[random_() % pins_.size()], pins_.back());
      EXPECT_TRUE(right_bytes(*pins_.back().pin, pins_.back().version));
      pins_.pop_back();
    }
  }

  void rare() {
    const VersionId of = version();
    const Extent bytes = extent();
    switch (random_() % 8) {
      case 0:
        cache_.drop(of);
        // Its blocks being filled can no longer be found; another filler may come.
        std::erase_if(tickets_, [&](const Filling& each) { return each.version == of; });
        break;
      case 1:
        pins_.clear();
        break;
      case 2:
      case 3:
        cache_.consumed(of, bytes, random_() % 2 == 0);
        break;
      default:
        for (const Extent& gap : cache_.absent(of, bytes)) {
          EXPECT_GE(gap.offset, bytes.offset);
          EXPECT_LE(gap.end(), bytes.end());
          EXPECT_FALSE(cache_.find(of, gap));
        }
    }
  }

  void check() {
    const CacheStatus status = cache_.status();
    EXPECT_LE(status.used, limit_);
    EXPECT_LE(status.peak, limit_);
    std::uint64_t filling = 0;
    for (const Filling& each : tickets_) filling += cost_of(each.ticket.extent());
    EXPECT_EQ(status.filling, filling);
    std::map<const Block*, std::uint64_t> pinned;
    for (Held& held : pins_) {
      EXPECT_GE(held.pin->readable(), held.seen);
      held.seen = held.pin->readable();
      pinned[&*held.pin] = cost_of(held.pin->extent());
    }
    std::uint64_t bytes = 0;
    for (const auto& [block, cost] : pinned) bytes += cost;
    EXPECT_GE(status.pinned, bytes);
    EXPECT_LE(status.pinned, bytes + filling);
  }

  BlockCache cache_;
  std::uint64_t limit_;
  std::mt19937 random_;
  std::set<VersionId> versions_;
  std::vector<Filling> tickets_;
  std::vector<Held> pins_;
};

class ModelTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(ModelTest, EveryByteIsRightAndEveryBoundHoldsWhateverHappens) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Model model(GetParam(), seed);
  for (int i = 0; i < 12'000 && !HasFailure(); ++i) model.step();
  model.settle();
  EXPECT_GT(model.hits, 10u);
  EXPECT_GT(model.claims - model.refused, 500u);
}

INSTANTIATE_TEST_SUITE_P(Limits, ModelTest, testing::Values(kMiB, 3 * kMiB, 8 * kMiB, 32 * kMiB));

}  // namespace
}  // namespace skimfs::cache
