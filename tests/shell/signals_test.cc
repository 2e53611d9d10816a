// SPDX-License-Identifier: MIT
#include "fs/shell/signals.h"

#include <gtest/gtest.h>

#include <csignal>

namespace skimfs::fs::shell {
namespace {

TEST(Signals, AreHeardOneAfterTheOther) {
  Signals signals;
  raise(SIGTERM);
  EXPECT_EQ(signals.next(), SIGTERM);
  EXPECT_EQ(signals.next(), std::nullopt);
}

// Else this process ended here: who stops is told to stop again, and says so with 143.
TEST(Signals, ThatComeDuringTheStopAreNoneAfterIt) {
  const Signals signals;
  raise(SIGTERM);
  raise(SIGINT);
}

}  // namespace
}  // namespace skimfs::fs::shell
