// SPDX-License-Identifier: MIT
//
// What several lanes have of the hosts and the sockets.
#include "fetch/sharding.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace skimfs::fetch {
namespace {

constexpr unsigned kMostLanes = 8;
constexpr unsigned kMostSockets = 4096;

TEST(Sharding, OneLaneHasAll) {
  EXPECT_EQ(home_lane("h:80", 1), 0u);
  EXPECT_EQ(connections_of(0, 1, 64), 64u);
  const HostCaps caps(0, 1, 64, 16);
  EXPECT_EQ(caps.of("h:80"), 16u);
  EXPECT_EQ(caps.largest(), 16u);
}

TEST(Sharding, TheSocketsOfTheLanesAreAllOfThemAndNoLaneIsWithout) {
  for (unsigned lanes = 1; lanes <= kMostLanes; ++lanes) {
    for (unsigned connections = lanes; connections <= kMostSockets; ++connections) {
      unsigned sum = 0;
      for (unsigned lane = 0; lane < lanes; ++lane) {
        const unsigned own = connections_of(lane, lanes, connections);
        ASSERT_GE(own, 1u) << lanes << ' ' << connections;
        ASSERT_LE(own, (connections + lanes - 1) / lanes);
        sum += own;
      }
      ASSERT_EQ(sum, connections) << lanes;
    }
  }
}

TEST(Sharding, TheSharesOfAHostAddUpToItsCapAndNoLaneIsWithout) {
  for (unsigned lanes = 1; lanes <= kMostLanes; ++lanes) {
    for (unsigned cap = lanes; cap <= kMostSockets; ++cap) {
      const unsigned home = share_of_host(cap, lanes, true);
      const unsigned abroad = lanes > 1 ? share_of_host(cap, lanes, false) : 0;
      ASSERT_EQ(home + (lanes - 1) * abroad, cap) << lanes;
      ASSERT_TRUE(lanes == 1 || abroad >= 1) << lanes << ' ' << cap;
      ASSERT_GE(home, abroad) << lanes << ' ' << cap;
      ASSERT_TRUE(cap < 4 * lanes || 4 * home >= 3 * cap) << lanes << ' ' << cap;
    }
  }
}

TEST(Sharding, NoCapsOfTheLanesTogetherExceedAnything) {
  for (const unsigned connections : {8u, 9u, 16u, 64u, 100u}) {
    for (unsigned lanes = 1; lanes <= kMostLanes; ++lanes) {
      for (unsigned per_host = lanes; per_host <= 128; ++per_host) {
        unsigned sum = 0;
        for (unsigned lane = 0; lane < lanes; ++lane) {
          const HostCaps caps(lane, lanes, connections, per_host);
          ASSERT_GE(caps.of("h:80"), 1u);
          ASSERT_LE(caps.of("h:80"), caps.largest());
          ASSERT_LE(caps.largest(), connections_of(lane, lanes, connections));
          sum += caps.of("h:80");
        }
        ASSERT_LE(sum, per_host) << connections << ' ' << lanes;
      }
    }
  }
}

TEST(Sharding, AHostIsAtHomeInTheSameLaneAlwaysAndLanesHaveAboutAsMany) {
  EXPECT_EQ(home_lane("", kMostLanes), home_lane({}, kMostLanes));
  for (unsigned lanes = 2; lanes <= kMostLanes; ++lanes) {
    std::vector<unsigned> hosts(lanes);
    for (unsigned i = 0; i < 1000; ++i)
      ++hosts.at(home_lane("data" + std::to_string(i) + ".example.org:443", lanes));
    for (const unsigned count : hosts) EXPECT_NEAR(count, 1000.0 / lanes, 60) << lanes;
  }
}

}  // namespace
}  // namespace skimfs::fetch
