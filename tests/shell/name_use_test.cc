// SPDX-License-Identifier: MIT
//
// Whether listed names are of use.
#include "fs/shell/name_use.h"

#include <gtest/gtest.h>

#include "tests/support/manual_clock.h"

namespace skimfs::fs::shell {
namespace {

using std::chrono::seconds;

TEST(NameUse, NobodyHasAskedYet) {
  const test::ManualClock clock;
  EXPECT_FALSE(NameUse(clock).lately());
}

TEST(NameUse, LastsForAMinuteAfterTheLastLookup) {
  test::ManualClock clock;
  NameUse use(clock);
  use.looked_up();
  clock.advance(seconds(50));
  EXPECT_TRUE(use.lately());
  use.looked_up();
  clock.advance(seconds(59));
  EXPECT_TRUE(use.lately());
  clock.advance(seconds(1));
  EXPECT_FALSE(use.lately());
}

}  // namespace
}  // namespace skimfs::fs::shell
