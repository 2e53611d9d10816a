// SPDX-License-Identifier: MIT
#include "fs/shell/rounds.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <new>
#include <stdexcept>
#include <thread>

namespace skimfs::fs {
namespace {

using namespace std::chrono_literals;

// Seen as a mount that was gone after one failed allocation.
TEST(Rounds, OneWithoutMemoryIsFollowedByAnother) {
  int rounds = 0;
  shell::go_rounds({}, 1ms, [&] {
    if (++rounds < 3) throw std::bad_alloc();
    return false;
  });
  EXPECT_EQ(rounds, 3);
}

TEST(Rounds, OtherFailuresEndThem) {
  EXPECT_THROW(shell::go_rounds({}, 1ms, []() -> bool { throw std::runtime_error("broken"); }),
               std::runtime_error);
}

TEST(Rounds, BeginAtOnceWhenADescriptorIsReadable) {
  const int event = eventfd(1, EFD_CLOEXEC);
  const auto begin = std::chrono::steady_clock::now();
  shell::go_rounds(std::array{event}, 1h, [] { return false; });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1min);
  close(event);
}

TEST(Rounds, OfAThreadGoOnWithoutMemoryUntilItIsStopped) {
  std::atomic<int> count = 0;
  shell::Rounds rounds([&] {
    ++count;
    throw std::bad_alloc();
  });
  rounds.start();
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (count < 2 && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(5ms);
  EXPECT_GE(count, 2);
  rounds.stop();
  const int stopped = count;
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(count, stopped);
}

}  // namespace
}  // namespace skimfs::fs
