// SPDX-License-Identifier: MIT
//
// What several lanes say, as one.
#include "fetch/merged_status.h"

#include <gtest/gtest.h>

#include <array>

namespace skimfs::fetch {
namespace {

using namespace std::chrono_literals;

TEST(MergedStatus, OfOneLaneIsItsOwn) {
  FetchStatus one;
  one.requests = 3;
  one.hosts.push_back({.host = "b:80"});
  one.hosts.push_back({.host = "a:80"});
  const FetchStatus all = merged({one});
  EXPECT_EQ(all.requests, 3u);
  EXPECT_EQ(all.hosts.at(0).host, "b:80");
}

TEST(MergedStatus, AddsUpWhatIsCounted) {
  FetchStatus one, two;
  one.lanes = two.lanes = 1;
  one.connections_limit = two.connections_limit = 32;
  one.connections_open = 1, two.connections_open = 2;
  one.connections_idle = 1, two.connections_idle = 1;
  one.connections_peak = 4, two.connections_peak = 3;
  one.orders_running = 5, two.orders_queued = 6;
  one.connections_opened = 7, two.connections_reused = 8;
  one.requests = 10, two.requests = 20;
  one.retries = 1, two.errors = 2, one.redirects = 3, two.mirror_switches = 4;
  one.hedges = 3, two.hedges = 2, two.hedges_won = 1;
  one.bytes_received = 100, two.bytes_received = 11;
  const FetchStatus all = merged({one, two});
  EXPECT_EQ(all.lanes, 2u);
  EXPECT_EQ(all.connections_limit, 64u);
  EXPECT_EQ(all.connections_open, 3u);
  EXPECT_EQ(all.connections_idle, 2u);
  EXPECT_EQ(all.connections_peak, 7u);
  EXPECT_EQ(all.orders_running, 5u);
  EXPECT_EQ(all.orders_queued, 6u);
  EXPECT_EQ(all.connections_opened, 7u);
  EXPECT_EQ(all.connections_reused, 8u);
  EXPECT_EQ(all.requests, 30u);
  EXPECT_EQ(all.retries, 1u);
  EXPECT_EQ(all.errors, 2u);
  EXPECT_EQ(all.redirects, 3u);
  EXPECT_EQ(all.mirror_switches, 4u);
  EXPECT_EQ(all.hedges, 5u);
  EXPECT_EQ(all.hedges_won, 1u);
  EXPECT_EQ(all.bytes_received, 111u);
}

TEST(MergedStatus, ANetworkChangeThatAllLanesSawIsOne) {
  FetchStatus one, two, asleep;
  one.network_changes = two.network_changes = 2;
  EXPECT_EQ(merged({one, two, asleep}).network_changes, 2u);
}

TEST(MergedStatus, AHostOfSeveralLanesIsOneInTheOrderOfNames) {
  FetchStatus one, two;
  one.hosts.push_back({.host = "b:80", .open = 3, .limit = 12, .requests = 5});
  two.hosts.push_back({.host = "a:80"});
  two.hosts.push_back({.host = "b:80", .open = 1, .idle = 1, .limit = 4, .requests = 2});
  for (FetchStatus* const each : {&one, &two}) {
    HostStatus& host = each->hosts.back();
    host.opened = 1, host.reused = 2, host.closed = 3, host.retries = 4, host.errors = 5;
    host.breaker_opened = 6, host.retry_budget = 7, host.pauses = 8;
  }
  const FetchStatus all = merged({one, two});
  ASSERT_EQ(all.hosts.size(), 2u);
  EXPECT_EQ(all.hosts[0].host, "a:80");
  EXPECT_EQ(all.hosts[1].open, 4u);
  EXPECT_EQ(all.hosts[1].idle, 1u);
  EXPECT_EQ(all.hosts[1].limit, 16u);
  EXPECT_EQ(all.hosts[1].requests, 7u);
  EXPECT_EQ(all.hosts[1].opened, 2u);
  EXPECT_EQ(all.hosts[1].reused, 4u);
  EXPECT_EQ(all.hosts[1].closed, 6u);
  EXPECT_EQ(all.hosts[1].retries, 8u);
  EXPECT_EQ(all.hosts[1].errors, 10u);
  EXPECT_EQ(all.hosts[1].breaker_opened, 12u);
  EXPECT_EQ(all.hosts[1].retry_budget, 14u);
  EXPECT_EQ(all.hosts[1].pauses, 16u);
}

TEST(MergedStatus, OfBreakersAndPausesTheWorstCounts) {
  for (const auto& [a, b, worst] :
       {std::array{"closed", "doubtful", "doubtful"}, std::array{"open", "doubtful", "open"},
        std::array{"closed", "open", "open"}}) {
    FetchStatus one, two;
    one.hosts.push_back({.host = "h:80", .breaker = a, .paused = 3ms});
    two.hosts.push_back({.host = "h:80", .breaker = b, .paused = 2ms});
    EXPECT_STREQ(merged({one, two}).hosts.at(0).breaker, worst);
    EXPECT_STREQ(merged({two, one}).hosts.at(0).breaker, worst);
    EXPECT_EQ(merged({one, two}).hosts.at(0).paused, 3ms);
  }
}

}  // namespace
}  // namespace skimfs::fetch
