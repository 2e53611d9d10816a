// SPDX-License-Identifier: MIT
//
// What must not throw, without memory.  Replaces operator new in its whole process.
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>

#include "fs/shell/reloader.h"
#include "tests/fetch/failing_memory.h"

namespace skimfs::test {
namespace {

using fs::shell::Reloader;

// Seen as a mount that was gone.
TEST(ReloaderWithoutMemory, AFailureWhoseWordsFindNoRoomIsToldAllTheSame) {
  const std::runtime_error failure("m:1:2: more words than a string holds without memory");
  Reloader reloader(
      [&](const std::stop_token&) -> std::string {
        Memory::left = 0;
        Memory::armed = true;
        throw failure;
      },
      [](const std::stop_token&) {});
  reloader.start();
  const auto ticket = reloader.ask();
  std::optional<Reloader::Outcome> outcome;
  while (!(outcome = reloader.outcome(ticket))) std::this_thread::yield();
  EXPECT_FALSE(outcome->done);
  EXPECT_EQ(outcome->text, "out of memory");
}

}  // namespace
}  // namespace skimfs::test
