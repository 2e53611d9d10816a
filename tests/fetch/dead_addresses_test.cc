// SPDX-License-Identifier: MIT
//
// Addresses that are not tried for a while.
#include "fetch/dead_addresses.h"

#include <gtest/gtest.h>

namespace skimfs::fetch {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{1h};

TEST(DeadAddresses, AreRememberedForFiveMinutes) {
  DeadAddresses dead;
  dead.add("192.0.2.1", kNow);
  EXPECT_TRUE(dead.contains("192.0.2.1", kNow));
  EXPECT_TRUE(dead.contains("192.0.2.1", kNow + 5min - 1s));
  EXPECT_FALSE(dead.contains("192.0.2.1", kNow + 5min));
  EXPECT_FALSE(dead.contains("192.0.2.2", kNow));
}

TEST(DeadAddresses, AnAddressThatAnswersIsAliveAgain) {
  DeadAddresses dead;
  dead.add("192.0.2.1", kNow);
  dead.add("192.0.2.2", kNow);
  dead.remove("192.0.2.1");
  EXPECT_FALSE(dead.contains("192.0.2.1", kNow));
  EXPECT_TRUE(dead.contains("192.0.2.2", kNow));
  dead.clear();
  EXPECT_FALSE(dead.contains("192.0.2.2", kNow));
}

TEST(DeadAddresses, AreBoundedAndTheOldestGoesFirst) {
  DeadAddresses dead;
  const auto name = [](std::size_t i) { return "2001:db8::" + std::to_string(i); };
  for (std::size_t i = 0; i <= DeadAddresses::kMost; ++i) dead.add(name(i), kNow + i * 1ms);
  EXPECT_FALSE(dead.contains(name(0), kNow + 1s));
  EXPECT_TRUE(dead.contains(name(1), kNow + 1s));
  EXPECT_TRUE(dead.contains(name(DeadAddresses::kMost), kNow + 1s));
}

}  // namespace
}  // namespace skimfs::fetch
