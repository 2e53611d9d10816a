// SPDX-License-Identifier: MIT
#include "fs/shell/reloader.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>

namespace skimfs::fs {
namespace {

using shell::Reloader;

void no_upkeep(const std::stop_token&) {}

Reloader::Outcome await(const Reloader& reloader, Reloader::Ticket ticket) {
  for (;;) {
    if (const auto outcome = reloader.outcome(ticket)) return *outcome;
    std::this_thread::yield();
  }
}

TEST(Reloader, WhoAsksLearnsWhatCameOfIt) {
  Reloader reloader([](const std::stop_token&) { return std::string("+1"); }, no_upkeep);
  reloader.start();
  const Reloader::Outcome outcome = await(reloader, reloader.ask());
  EXPECT_TRUE(outcome.done);
  EXPECT_EQ(outcome.text, "+1");
}

TEST(Reloader, AFailureIsToldAndTheNextOneMayGoWell) {
  int calls = 0;
  Reloader reloader(
      [&](const std::stop_token&) -> std::string {
        if (++calls == 1) throw std::runtime_error("m:1:2: bad");
        return "fine";
      },
      no_upkeep);
  reloader.start();
  const Reloader::Outcome outcome = await(reloader, reloader.ask());
  EXPECT_FALSE(outcome.done);
  EXPECT_EQ(outcome.text, "m:1:2: bad");
  EXPECT_TRUE(await(reloader, reloader.ask()).done);
  EXPECT_EQ(reloader.counts().done, 1u);
  EXPECT_EQ(reloader.counts().failed, 1u);
}

// What was written before somebody asked is read after it.
TEST(Reloader, WhoAsksDuringAReloadGetsAnotherOneAndAllTheSame) {
  std::promise<void> begun, go;
  int calls = 0;
  Reloader reloader(
      [&](const std::stop_token&) {
        if (++calls == 1) {
          begun.set_value();
          go.get_future().wait();
        }
        return std::to_string(calls);
      },
      no_upkeep);
  reloader.start();
  const auto before = reloader.ask();
  begun.get_future().wait();
  const auto one = reloader.ask(), other = reloader.ask();
  EXPECT_GT(one, before);
  EXPECT_EQ(one, other);
  EXPECT_FALSE(reloader.outcome(before));
  go.set_value();
  EXPECT_EQ(await(reloader, other).text, "2");
  reloader.stop();
  EXPECT_EQ(calls, 2);
}

// Ten times at once, not a second apart.
TEST(Reloader, UpkeepComesSoonForWhoAsksAndReloadsNothing) {
  std::atomic<int> reloads = 0, upkeeps = 0;
  Reloader reloader(
      [&](const std::stop_token&) {
        ++reloads;
        return std::string();
      },
      [&](const std::stop_token&) { ++upkeeps; });
  reloader.start();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 10; ++i) {
    const int before = upkeeps;
    reloader.upkeep_soon();
    while (upkeeps == before) std::this_thread::yield();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_EQ(reloads, 0);
}

TEST(Reloader, ATicketThatNobodyGotIsRefused) {
  Reloader reloader([](const std::stop_token&) { return std::string(); }, no_upkeep);
  const auto outcome = reloader.outcome(7);
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(outcome->done);
}

TEST(Reloader, StopEndsTheWork) {
  std::promise<void> begun;
  Reloader reloader(
      [&](const std::stop_token& stop) -> std::string {
        begun.set_value();
        while (!stop.stop_requested()) std::this_thread::yield();
        throw std::runtime_error("stopped");
      },
      no_upkeep);
  reloader.start();
  reloader.ask();
  begun.get_future().wait();
  reloader.stop();
  EXPECT_EQ(reloader.counts().failed, 1u);
}

}  // namespace
}  // namespace skimfs::fs
