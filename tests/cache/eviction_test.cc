// SPDX-License-Identifier: MIT
#include "cache/eviction.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/cache/helpers.h"

namespace skimfs::cache {
namespace {

using namespace std::chrono_literals;
using For = Eviction::For;

class EvictionTest : public testing::Test {
 protected:
  ~EvictionTest() override {
    while (Entry* entry = eviction_.next(For::demand)) eviction_.remove(*entry);
  }

  Entry& add(bool consumed, bool unread) {
    entries_.push_back(std::make_unique<Entry>(cache_, group_, 1, Extent{0, kGrain},
                                               Arena::Run{nullptr, 1}, 0, unread));
    Entry& entry = *entries_.back();
    entry.filling = false;
    entry.consumed = consumed;
    now_ += 1ms;
    eviction_.add(entry, now_);
    return entry;
  }

  std::vector<Entry*> order(For whom) {
    std::vector<Entry*> gone;
    while (Entry* entry = eviction_.next(whom)) {
      eviction_.remove(*entry);
      gone.push_back(entry);
    }
    return gone;
  }

  Shares::Group group_{0};
  BlockCache cache_{kMiB};
  std::vector<std::unique_ptr<Entry>> entries_;
  Eviction eviction_;
  Eviction::TimePoint now_{};
};

TEST_F(EvictionTest, WhatWasDeliveredLeavesFirst) {
  Entry& touched = add(false, false);
  Entry& delivered = add(true, false);
  EXPECT_EQ(order(For::demand), (std::vector<Entry*>{&delivered, &touched}));
}

TEST_F(EvictionTest, TheOneUntouchedForLongestLeavesNext) {
  Entry& one = add(false, false);
  Entry& two = add(false, false);
  eviction_.remove(one);
  eviction_.add(one, now_ + 1ms);
  EXPECT_EQ(order(For::demand), (std::vector<Entry*>{&two, &one}));
}

TEST_F(EvictionTest, DemandTakesReadAheadInItsTurn) {
  Entry& old_unread = add(false, true);
  Entry& touched = add(false, false);
  Entry& new_unread = add(false, true);
  EXPECT_EQ(order(For::demand), (std::vector<Entry*>{&old_unread, &touched, &new_unread}));
}

TEST_F(EvictionTest, ReadAheadDoesNotPushOutReadAhead) {
  add(false, true);
  Entry& touched = add(false, false);
  EXPECT_EQ(eviction_.bytes(For::ahead), touched.cost());
  EXPECT_EQ(order(For::ahead), std::vector<Entry*>{&touched});
}

TEST_F(EvictionTest, ReadAheadNobodyCameForLosesItsProtection) {
  Entry& unread = add(false, true);
  eviction_.age(now_ + Eviction::kUnreadGrace - 1ms);
  EXPECT_EQ(eviction_.next(For::ahead), nullptr);
  eviction_.age(now_ + Eviction::kUnreadGrace);
  EXPECT_EQ(eviction_.next(For::ahead), &unread);
}

TEST_F(EvictionTest, CountsBytesThatMayLeave) {
  Entry& consumed = add(true, false);
  add(false, true);
  EXPECT_EQ(eviction_.bytes(For::demand), 2 * consumed.cost());
  order(For::demand);
  EXPECT_EQ(eviction_.bytes(For::demand), 0u);
}

}  // namespace
}  // namespace skimfs::cache
