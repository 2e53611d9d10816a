// SPDX-License-Identifier: MIT
//
// What a host that swallows every packet does to its own readers, and does not do to others'.
#include <gtest/gtest.h>

#include <deque>
#include <thread>

#include "fetch/error.h"
#include "tests/fetch/live_fetcher.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class Isolation : public testing::Test {
 protected:
  Isolation() {
    dead.add("/f", 1 << 20);
    well.add("/f", 100 << 20);
  }
  // 300 ranges of 64 KiB of the host that is well, eight at a time.
  Clock::duration read_well(LiveFetcher& fetcher) {
    const auto begin = Clock::now();
    std::deque<std::shared_ptr<WaitingSink>> running;
    for (std::uint64_t i = 0; i < 300; ++i) {
      if (running.size() == 8) {
        EXPECT_EQ(running.front()->wait(), std::error_code());
        running.pop_front();
      }
      running.push_back(fetcher.fetch(well.url("/f"), {i << 16, (i << 16) + 65535}));
    }
    for (const auto& sink : running) EXPECT_EQ(sink->wait(), std::error_code());
    return Clock::now() - begin;
  }
  static fetch::FetchLimits limits(unsigned connections, unsigned per_host) {
    fetch::FetchLimits limits;
    limits.connections = connections;
    limits.connections_per_host = per_host;
    return limits;
  }

  HostileOrigin dead, well;
};

// S-NET-4.  The best of three each, in turns: a machine has better things to do than this.
TEST_F(Isolation, ADeadHostWithSixtyFourReadersCostsAnotherNothing) {
  auto alone = Clock::duration::max(), beside = Clock::duration::max();
  dead.drop_packets(true);
  for (int round = 0; round < 3; ++round) {
    {
      LiveFetcher fetcher;
      alone = std::min(alone, read_well(fetcher));
    }
    LiveFetcher fetcher;
    std::vector<std::shared_ptr<WaitingSink>> stuck;
    for (std::uint64_t i = 0; i < 64; ++i) stuck.push_back(fetcher.fetch(dead.url("/f"), {i, i}));
    beside = std::min(beside, read_well(fetcher));
  }
  const double share = std::chrono::duration<double>(alone) / std::chrono::duration<double>(beside);
  RecordProperty("throughput_beside_a_dead_host", std::to_string(share));
  std::printf("throughput beside a dead host: %.3f of that alone\n", share);
  EXPECT_GT(share, 0.4) << "0.95 is the goal on a quiet machine; sockets taken away give 0.05";
}

// Where one host may have all sockets, and had them when it went silent.
TEST_F(Isolation, AHostThatGoesSilentWithAllSocketsGivesThemBack) {
  fetch::FetchLimits patient = limits(8, 8);
  patient.first_byte_timeout = 45s;
  LiveFetcher fetcher(patient);
  fetcher.time(dead.url("/f"));
  dead.accept_in_silence(true);
  std::vector<std::shared_ptr<WaitingSink>> stuck;
  for (std::uint64_t i = 0; i < 64; ++i) stuck.push_back(fetcher.fetch(dead.url("/f"), {i, i}));
  ASSERT_TRUE(dead.await([&] { return dead.count() == 9; }));
  EXPECT_LT(read_well(fetcher), 40s) << "not before the silent ones time out";
  EXPECT_LE(fetcher.status().connections_peak, 8u);
  dead.accept_in_silence(false);
  dead.release();
  for (const auto& sink : stuck) EXPECT_EQ(sink->wait(), std::error_code());
}

// S-NET-5
TEST_F(Isolation, AnIdleConnectionThatIsDeadWithoutAWordCostsSecondsNotATimeout) {
  LiveFetcher fetcher;
  fetcher.time(dead.url("/f"));
  dead.drop_packets(true);  // that connection, for ever
  dead.stop_listening();
  dead.listen_again();
  const auto time = fetcher.time(dead.url("/f"));
  EXPECT_GT(time, 3s) << "the dead connection was not used: this tests nothing";
  EXPECT_LT(time, 13s);
  EXPECT_STREQ(fetcher.status().hosts.at(0).breaker, "closed");
}

// S-NET-6
TEST_F(Isolation, AfterANetworkChangeNoOldConnectionIsUsed) {
  LiveFetcher fetcher;
  fetcher.time(dead.url("/f"));
  dead.drop_packets(true);
  dead.stop_listening();
  dead.listen_again();
  fetcher.change_network();
  std::this_thread::sleep_for(1100ms);  // it looks once a second
  EXPECT_LT(fetcher.time(dead.url("/f")), 4s);
  EXPECT_EQ(dead.connections().total, 2u);
}

// S-NET-6
TEST_F(Isolation, AReaderThatIsStuckOnTheOldNetworkGoesOnOnTheNewOne) {
  LiveFetcher fetcher;
  dead.behave("/f", {.stop_after = 100'000, .ending = Ending::stall}, 1);
  const auto sink = fetcher.fetch(dead.url("/f"), {0, 999'999});
  ASSERT_TRUE(dead.await([&] {
    const auto requests = dead.requests();
    return !requests.empty() && requests[0].body_sent == 100'000;
  }));
  const auto begin = Clock::now();
  fetcher.change_network();
  EXPECT_EQ(sink->wait(), std::error_code());
  EXPECT_LT(Clock::now() - begin, 10s) << "not by the stall's timeout of 15 s";
  EXPECT_EQ(sink->kept(), 1'000'000u);
  EXPECT_EQ(fetcher.status().network_changes, 1u);
}

}  // namespace
}  // namespace skimfs::test
