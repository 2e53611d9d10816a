// SPDX-License-Identifier: MIT
//
// Whom a promotion wakes, and that no order misses one.
#include "fetch/order_lanes.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

namespace skimfs::fetch {
namespace {

class OrderLanesTest : public testing::Test {
 protected:
  const std::unique_ptr<OrderLanes> lanes_ = std::make_unique<OrderLanes>();
};

TEST_F(OrderLanesTest, APromotionWakesTheLanesThatHaveOrders) {
  EXPECT_FALSE(lanes_->note(7, 2));
  EXPECT_FALSE(lanes_->note(8, 0));
  EXPECT_EQ(lanes_->promote(7), 1u << 2);
  EXPECT_FALSE(lanes_->note(8, 7));
  EXPECT_EQ(lanes_->promote(8), 1u << 0 | 1u << 7);
}

TEST_F(OrderLanesTest, AnOrderThatComesLaterHearsThatItsIdWasPromoted) {
  EXPECT_FALSE(lanes_->note(7, 2));
  lanes_->promote(7);
  EXPECT_TRUE(lanes_->note(7, 3));
  EXPECT_EQ(lanes_->promote(7), 1u << 2 | 1u << 3);
}

TEST_F(OrderLanesTest, OfAnUnknownIdAnyLaneMayHaveOrders) {
  EXPECT_EQ(lanes_->promote(7), 0xff);
  EXPECT_FALSE(lanes_->note(7, 1)) << "whom that told keeps it";
  EXPECT_FALSE(lanes_->note(7 + OrderLanes::kRemembered, 2));
  EXPECT_EQ(lanes_->promote(7), 0xff) << "forgotten";
  EXPECT_EQ(lanes_->promote(7 + OrderLanes::kRemembered), 1u << 2);
}

TEST_F(OrderLanesTest, EachOrderIsReachedOrHearsOfItWhoeverIsFirst) {
  for (OrderId id = 1; id <= 200; ++id) {
    lanes_->note(id, 0);
    std::atomic<int> ready{0};
    const auto meet = [&ready] {
      for (++ready; ready < 2;) std::this_thread::yield();
    };
    bool heard = false;
    std::thread other([&] {
      meet();
      heard = lanes_->note(id, 1);
    });
    meet();
    const unsigned told = lanes_->promote(id);
    other.join();
    ASSERT_TRUE(heard != bool(told & 1u << 1)) << id;
    ASSERT_TRUE(told & 1u);
  }
}

}  // namespace
}  // namespace skimfs::fetch
