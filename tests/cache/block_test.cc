// SPDX-License-Identifier: MIT
#include "cache/block.h"

#include <gtest/gtest.h>

#include "tests/cache/helpers.h"

namespace skimfs::cache {
namespace {

class BlockTest : public testing::Test {
 protected:
  BlockTest() : claim_(*cache_.claim(1, {0, kBlock}, BlockCache::Why::demand, {.filler = 7})) {}

  const Block& block() const { return *claim_.pins.front(); }
  FillTicket& ticket() { return claim_.missing.front(); }
  Wait await(std::uint32_t need) { return block().await(need, waiter_, why_); }

  BlockCache cache_{4 * kMiB};
  BlockCache::Claim claim_;
  std::shared_ptr<CountingWaiter> waiter_ = std::make_shared<CountingWaiter>();
  std::error_code why_;
};

TEST_F(BlockTest, WhatIsWrittenIsSeenOnlyWhenPublished) {
  write(ticket(), 1, 100);
  EXPECT_EQ(block().readable(), 0u);
  ticket().publish();
  EXPECT_EQ(block().readable(), 100u);
  EXPECT_TRUE(right_bytes(block(), 1));
}

TEST_F(BlockTest, AWaiterIsWokenByTheByteItNeedsAndNoEarlier) {
  ASSERT_EQ(await(200), Wait::waiting);
  write(ticket(), 1, 199);
  ticket().publish();
  EXPECT_EQ(waiter_->woken, 0);
  write(ticket(), 1, 1);
  ticket().publish();
  EXPECT_EQ(waiter_->woken, 1);
  EXPECT_FALSE(waiter_->why);
}

TEST_F(BlockTest, WhoNeedsOnlyReadableBytesDoesNotWait) {
  write(ticket(), 1, 4096);
  ticket().publish();
  EXPECT_EQ(await(4096), Wait::ready);
}

TEST_F(BlockTest, AFailureWakesAllWaitersWithItsReason) {
  ASSERT_EQ(await(1), Wait::waiting);
  ASSERT_EQ(await(kBlock), Wait::waiting);
  ticket().fail(io_error());
  EXPECT_EQ(waiter_->woken, 2);
  EXPECT_EQ(waiter_->why, io_error());
}

TEST_F(BlockTest, WhatWasPublishedBeforeAFailureStaysReadable) {
  write(ticket(), 1, 5000);
  ticket().publish();
  ticket().fail(io_error());
  EXPECT_EQ(await(5000), Wait::ready);
  EXPECT_EQ(await(5001), Wait::failed);
  EXPECT_EQ(why_, io_error());
  EXPECT_TRUE(right_bytes(block(), 1));
}

TEST_F(BlockTest, ADroppedTicketCancelsItsWaiters) {
  ASSERT_EQ(await(1), Wait::waiting);
  claim_.missing.clear();
  EXPECT_EQ(waiter_->why, std::errc::operation_canceled);
}

TEST_F(BlockTest, AForgottenWaiterIsNotWoken) {
  ASSERT_EQ(await(1), Wait::waiting);
  EXPECT_TRUE(block().awaited());
  EXPECT_TRUE(block().forget(*waiter_));
  EXPECT_FALSE(block().awaited());
  fill(ticket(), 1);
  EXPECT_EQ(waiter_->woken, 0);
}

TEST_F(BlockTest, AWokenWaiterCannotBeForgotten) {
  ASSERT_EQ(await(1), Wait::waiting);
  fill(ticket(), 1);
  EXPECT_FALSE(block().forget(*waiter_));
}

TEST_F(BlockTest, RewindForgetsOnlyWhatWasNotPublished) {
  write(ticket(), 1, 100);
  ticket().publish();
  write(ticket(), 2, 50);
  ticket().rewind();
  EXPECT_EQ(ticket().filled(), 100u);
  fill(ticket(), 1);
  EXPECT_TRUE(right_bytes(block(), 1));
}

TEST_F(BlockTest, AWholeTicketHasNoSpaceAndFailsNothing) {
  fill(ticket(), 1);
  EXPECT_TRUE(ticket().space().empty());
  EXPECT_EQ(ticket().filled(), kBlock);
  ticket().fail(io_error());
  EXPECT_EQ(await(kBlock), Wait::ready);
}

TEST_F(BlockTest, AMovedTicketFillsTheSameBlock) {
  write(ticket(), 1, 10);
  FillTicket moved = std::move(ticket());
  fill(moved, 1);
  EXPECT_EQ(block().readable(), kBlock);
  EXPECT_TRUE(right_bytes(block(), 1));
}

TEST_F(BlockTest, AssigningToATicketFailsTheBlockItHad) {
  BlockCache::Claim other = *cache_.claim(2, {0, kBlock}, BlockCache::Why::demand, {.filler = 8});
  ASSERT_EQ(await(1), Wait::waiting);
  ticket() = std::move(other.missing.front());
  EXPECT_EQ(waiter_->why, std::errc::operation_canceled);
}

TEST_F(BlockTest, AFillerKnowsWhetherAReaderHoldsItsBlock) {
  EXPECT_TRUE(ticket().pinned());
  claim_.pins.clear();
  EXPECT_FALSE(ticket().pinned());
}

TEST_F(BlockTest, AWithdrawnBlockIsNotFoundAndStillTellsItsWaiters) {
  ASSERT_EQ(await(1), Wait::waiting);
  ticket().withdraw();
  EXPECT_EQ(cache_.claim(1, {0, kBlock}, BlockCache::Why::demand, {.filler = 8})->missing.size(),
            1u);
  ticket().fail(std::make_error_code(std::errc::io_error));
  EXPECT_EQ(waiter_->why, std::errc::io_error);
}

TEST_F(BlockTest, SpeculationIsHurriedOnceAndDemandNever) {
  const BlockCache::Claim ahead =
      *cache_.claim(2, {0, kBlock}, BlockCache::Why::ahead, {.filler = 9});
  EXPECT_EQ(ahead.pins.front()->filler(), 9u);
  EXPECT_TRUE(ahead.pins.front()->hurry());
  EXPECT_FALSE(ahead.pins.front()->hurry());
  EXPECT_FALSE(block().hurry());
}

}  // namespace
}  // namespace skimfs::cache
