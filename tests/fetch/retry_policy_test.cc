// SPDX-License-Identifier: MIT
//
// What is tried again, how often, after how long.
#include "fetch/retry_policy.h"

#include <gtest/gtest.h>

namespace skimfs::fetch {
namespace {

using namespace std::chrono_literals;
using Kind = Trouble::Kind;

constexpr double kLongest = 0.999999;

TEST(RetryPolicy, KnowsWhatMayPass) {
  for (const Fault fault : {Fault::dns, Fault::connect, Fault::connect_timeout, Fault::tls,
                            Fault::reset, Fault::short_body, Fault::local})
    EXPECT_EQ(trouble_of(fault).kind, Kind::transient);
  for (const int status : {408, 425, 429, 500, 502, 503, 504})
    EXPECT_EQ(trouble_of(status, Errc::server_failed, "x").kind, Kind::transient) << status;
}

TEST(RetryPolicy, KnowsWhatLasts) {
  for (const Fault fault : {Fault::certificate, Fault::not_tls, Fault::proxy_denied,
                            Fault::bad_length, Fault::header_limit})
    EXPECT_EQ(trouble_of(fault).kind, Kind::lasting);
  for (const int status : {400, 401, 403, 404, 405, 407, 410, 416, 501, 505})
    EXPECT_EQ(trouble_of(status, Errc::bad_response, "x").kind, Kind::lasting) << status;
  EXPECT_EQ(trouble_of(200, Errc::ranges_ignored, "x").kind, Kind::lasting);
}

TEST(RetryPolicy, KnowsBrokenRules) {
  EXPECT_EQ(trouble_of(Fault::protocol).kind, Kind::violation);
  EXPECT_EQ(trouble_of(206, Errc::bad_response, "x").kind, Kind::violation);
  EXPECT_TRUE(trouble_of(206, Errc::bad_response, "x").connection_lost);
}

TEST(RetryPolicy, TimeoutsEndAsTimeoutsAndTheRestAsUnreachable) {
  EXPECT_EQ(trouble_of(Fault::connect_timeout).error, Errc::timed_out);
  EXPECT_EQ(trouble_of(Fault::connect).error, Errc::unreachable);
  EXPECT_EQ(trouble_of(Fault::dns).error, Errc::unreachable);
  EXPECT_EQ(trouble_of(Fault::local).error, std::errc::io_error);
}

TEST(RetryPolicy, WaitsUpToAQuarterSecondThenFourTimesAsLongUpToEight) {
  Tries tries;
  const Trouble trouble = trouble_of(Fault::reset);
  for (const auto longest : {250ms, 1000ms, 4000ms, 8000ms}) {
    const Retry retry = decide(trouble, tries, kLongest);
    EXPECT_TRUE(retry.again);
    EXPECT_LE(retry.wait, longest);
    EXPECT_GE(retry.wait, longest - 1ms);
  }
  EXPECT_FALSE(decide(trouble, tries, kLongest).again) << "the fifth attempt was the last";
}

TEST(RetryPolicy, JitterReachesDownToZero) {
  Tries tries;
  EXPECT_EQ(decide(trouble_of(Fault::reset), tries, 0).wait, Duration::zero());
}

TEST(RetryPolicy, AReusedConnectionBreaksAtNobodysCost) {
  Tries tries;
  Trouble trouble = trouble_of(Fault::reset);
  trouble.reused = true;
  const Retry retry = decide(trouble, tries, kLongest);
  EXPECT_TRUE(retry.again);
  EXPECT_EQ(retry.wait, Duration::zero());
  EXPECT_EQ(tries.counted, 0u);
}

TEST(RetryPolicy, AServersAnswerOverAReusedConnectionCounts) {
  Tries tries;
  Trouble trouble = trouble_of(503, Errc::too_busy, "throttled");
  trouble.reused = true;
  decide(trouble, tries, 0);
  EXPECT_EQ(tries.counted, 1u);
}

TEST(RetryPolicy, ObeysRetryAfterUpToThirtySeconds) {
  Tries tries;
  Trouble trouble = trouble_of(503, Errc::too_busy, "throttled");
  trouble.retry_after = 7s;
  EXPECT_EQ(decide(trouble, tries, 0).wait, 7s);
  trouble.retry_after = 31s;
  EXPECT_EQ(decide(trouble, tries, 0).wait, 30s);
}

TEST(RetryPolicy, ABrokenRuleIsForgivenOnce) {
  Tries tries;
  const Trouble trouble = trouble_of(Fault::protocol);
  const Retry first = decide(trouble, tries, kLongest);
  EXPECT_TRUE(first.again);
  EXPECT_EQ(first.wait, Duration::zero());
  EXPECT_FALSE(decide(trouble, tries, kLongest).again);
}

}  // namespace
}  // namespace skimfs::fetch
