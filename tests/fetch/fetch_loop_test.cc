// SPDX-License-Identifier: MIT
//
// The life of orders, played on a scripted transport with time moved by hand.
#include <algorithm>
#include <memory>
#include <vector>

#include "tests/fetch/loop_fixture.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using fetch::Errc;
using fetch::Fault;
using fetch::Priority;

// ------------------------------------------------------------------------------- what is sent

TEST_F(FetchLoopTest, AsksForExactlyTheRangeUncodedAndUnderTheStrongTag) {
  want(10, 19);
  const auto& sent = transport.sent.at(0);
  EXPECT_EQ(sent.header("Range"), "bytes=10-19");
  EXPECT_EQ(sent.header("Accept-Encoding"), "identity");
  EXPECT_EQ(sent.header("If-Match"), kTag);
  EXPECT_EQ(sent.header("If-Range"), "");
  EXPECT_EQ(sent.header("If-Unmodified-Since"), "");
}

TEST_F(FetchLoopTest, ADateIsTheConditionWhereNoStrongTagIsPinned) {
  auto sink = std::make_shared<RecordingSink>();
  sink->expected.etag = "W/\"weak\"";
  sink->expected.last_modified = 784111777;
  add(sink, 0, 9);
  EXPECT_EQ(transport.sent.at(0).header("If-Match"), "");
  EXPECT_EQ(transport.sent.at(0).header("If-Unmodified-Since"), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST_F(FetchLoopTest, AWholeObjectIsAskedForWithoutARange) {
  want(0, kTotal - 1, Priority::demand, "http://one/file", true);
  EXPECT_EQ(transport.sent.at(0).header("Range"), "");
}

TEST_F(FetchLoopTest, TheTransportIsToldHowManyBytesAreStillToCome) {
  want(10, 29);
  EXPECT_EQ(transport.sent.at(0).request.wants, 20u);
  transport.connect(0);
  transport.head(0, 206, part(10, 29));
  transport.body(0, text(10, 14));
  transport.end(0, Fault::reset);
  await_request(2, 1s);
  EXPECT_EQ(transport.sent.at(1).request.wants, 15u);
}

TEST_F(FetchLoopTest, AUrlThatIsNoneFinishesTheOrderAtOnce) {
  const auto sink = want(0, 9, Priority::demand, "ftp://one/file");
  EXPECT_EQ(sink->outcome(), Errc::bad_response);
  EXPECT_EQ(transport.count(), 0u);
}

// ----------------------------------------------------------------------------------- delivery

TEST_F(FetchLoopTest, AnHonestAnswerIsDeliveredAndFinishedOnce) {
  const auto sink = want(10, 19);
  answer(0);
  EXPECT_EQ(sink->bytes, text(10, 19));
  EXPECT_EQ(sink->outcomes, std::vector{std::error_code()});
  EXPECT_EQ(transport.running(), 0u);
}

TEST_F(FetchLoopTest, ACountedAnswerIsFinishedWithItsLastByteNotItsEnd) {
  const auto sink = want(10, 19);
  transport.connect(0);
  transport.head(0, 206, part(10, 19));
  transport.body(0, text(10, 19));
  EXPECT_EQ(sink->outcome(), std::error_code());
  EXPECT_EQ(transport.running(), 1u);
}

TEST_F(FetchLoopTest, AnUncountedAnswerIsFinishedOnlyWhenItEndsExactly) {
  const auto sink = want(10, 19);
  transport.connect(0);
  transport.head(0, 206, {{"Content-Range", "bytes 10-19/1000"}, {"ETag", "\"v1\""}});
  EXPECT_FALSE(sink->counted);
  transport.body(0, text(10, 19));
  EXPECT_FALSE(sink->finished());
  transport.end(0);
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(FetchLoopTest, OneByteTooManyVoidsTheAnswerAndTheConnection) {
  const auto sink = want(10, 19);
  transport.connect(0);
  transport.head(0, 206, {{"Content-Range", "bytes 10-19/1000"}, {"ETag", "\"v1\""}});
  transport.body(0, text(10, 19));
  EXPECT_FALSE(transport.body(0, "x"));
  loop.advance();
  ASSERT_EQ(transport.count(), 2u);
  EXPECT_TRUE(transport.sent[1].request.fresh);
  EXPECT_EQ(transport.sent[1].header("Range"), "bytes=10-19");
  answer(1);
  EXPECT_EQ(sink->bytes, text(10, 19));
}

TEST_F(FetchLoopTest, AWiderAnswerIsCutToTheRange) {
  const auto sink = want(10, 19);
  transport.respond(0, 206, part(5, 30), text(5, 30));
  EXPECT_EQ(sink->bytes, text(10, 19));
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(FetchLoopTest, AShorterAnswerIsTakenAndTheRestAskedFor) {
  const auto sink = want(10, 19);
  transport.respond(0, 206, part(10, 13), text(10, 13));
  loop.advance();
  EXPECT_FALSE(sink->finished());
  EXPECT_EQ(transport.sent.at(1).header("Range"), "bytes=14-19");
  answer(1);
  EXPECT_EQ(sink->bytes, text(10, 19));
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(FetchLoopTest, ATwoHundredIsRangesIgnoredAndNotOneByteIsUsed) {
  const auto sink = want(0, 9);
  transport.respond(0, 200, {{"ETag", "\"v1\""}}, text(0, kTotal - 1));
  EXPECT_EQ(sink->outcome(), Errc::ranges_ignored);
  EXPECT_EQ(sink->bytes, "");
}

TEST_F(FetchLoopTest, ATwoHundredOfTheWholeObjectAnswersAWholeOrder) {
  const auto sink = want(0, kTotal - 1, Priority::demand, "http://one/file", true);
  transport.respond(0, 200, {{"ETag", "\"v1\""}}, text(0, kTotal - 1));
  EXPECT_EQ(sink->bytes, text(0, kTotal - 1));
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(FetchLoopTest, AWholeOrderThatBreaksSkipsWhatItKept) {
  const auto sink = want(0, kTotal - 1, Priority::demand, "http://one/file", true);
  transport.connect(0);
  transport.head(0, 200, {{"ETag", "\"v1\""}, {"Content-Length", "1000"}});
  transport.body(0, text(0, 99));
  transport.end(0, Fault::reset);
  await_request(2);
  transport.respond(1, 200, {{"ETag", "\"v1\""}}, text(0, kTotal - 1));
  EXPECT_EQ(sink->bytes, text(0, kTotal - 1));
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(FetchLoopTest, ASinkThatHasEnoughEndsTheTransfer) {
  const auto sink = want(0, 9);
  sink->took = fetch::RangeSink::Took::enough;
  transport.connect(0);
  transport.head(0, 206, part(0, 9));
  EXPECT_TRUE(transport.body(0, text(0, 4))) << "a few bytes are drained, to keep the connection";
  EXPECT_EQ(sink->outcome(), kCanceled);
  EXPECT_TRUE(transport.body(0, text(5, 9)));
  EXPECT_EQ(sink->bytes, text(0, 4));
  transport.end(0);
}

TEST_F(FetchLoopTest, AMegabyteNobodyWantsCostsTheConnectionInstead) {
  constexpr std::uint64_t kLarge = 1 << 20;
  auto sink = std::make_shared<RecordingSink>();
  sink->took = fetch::RangeSink::Took::enough;
  add(sink, 0, kLarge - 1);
  transport.connect(0);
  transport.head(0, 206, part(0, kLarge - 1, kTag, kLarge));
  EXPECT_FALSE(transport.body(0, text(0, 9)));
  EXPECT_EQ(sink->outcome(), kCanceled);
}

TEST_F(FetchLoopTest, FromADistantHostItIsReceivedBecauseAConnectionCostsMore) {
  constexpr std::uint64_t kLarge = 1 << 20;
  const auto pace = hosts.at("one:80").pace;
  pace->note_first_byte(50ms, clock.now());
  pace->note_body(10'000'000, 1s, true, clock.now());  // 2 MB in four round trips
  auto sink = std::make_shared<RecordingSink>();
  sink->took = fetch::RangeSink::Took::enough;
  add(sink, 0, kLarge - 1);
  transport.connect(0);
  pass(50ms);
  transport.head(0, 206, part(0, kLarge - 1, kTag, kLarge));
  EXPECT_TRUE(transport.body(0, text(0, 9)));
  EXPECT_EQ(sink->outcome(), kCanceled);
  EXPECT_TRUE(transport.body(0, text(10, kLarge - 1)));
  transport.end(0);
}

TEST_F(FetchLoopTest, WhatIsLearnedOfAHostIsToldToThoseWhoAsk) {
  want(10, 19);
  transport.connect(0);
  pass(30ms);
  transport.head(0, 206, part(10, 19));
  EXPECT_EQ(hosts.paces().at("one:80")->get().first_byte, 30ms);
}

TEST_F(FetchLoopTest, ADrainThatStallsIsCutAfterTwoSeconds) {
  const auto sink = want(0, 9);
  sink->took = fetch::RangeSink::Took::enough;
  transport.connect(0);
  transport.head(0, 206, part(0, 9));
  transport.body(0, text(0, 4));
  pass(1900ms);
  EXPECT_EQ(transport.running(), 1u);
  pass(200ms);
  EXPECT_TRUE(transport.sent[0].aborted);
}

TEST_F(FetchLoopTest, BytesThatFailTheirDigestAreFetchedOnceMoreThenGivenUp) {
  const auto sink = want(0, 9);
  sink->took = fetch::RangeSink::Took::corrupt;
  transport.connect(0);
  transport.head(0, 206, part(0, 9));
  EXPECT_FALSE(transport.body(0, text(0, 9)));
  sink->shown = 0;
  loop.advance();
  ASSERT_EQ(transport.count(), 2u);
  EXPECT_TRUE(transport.sent[1].request.fresh);
  transport.connect(1);
  transport.head(1, 206, part(0, 9));
  transport.body(1, text(0, 9));
  EXPECT_EQ(sink->outcome(), Errc::digest_mismatch);
}

// The first byte of each attempt is a right piece, the next one a wrong one.
TEST_F(FetchLoopTest, EachPieceThatFailsItsDigestIsFetchedOnceMore) {
  const auto sink = want(0, 9);
  std::size_t attempt = 0;
  for (; attempt < 4; ++attempt) {
    transport.connect(attempt);
    transport.head(attempt, 206, part(attempt, 9));
    sink->took = fetch::RangeSink::Took::more;
    transport.body(attempt, text(attempt, attempt));
    sink->took = fetch::RangeSink::Took::corrupt;
    EXPECT_FALSE(transport.body(attempt, text(attempt + 1, 9)));
    loop.advance();
    ASSERT_EQ(transport.count(), attempt + 2) << "another piece than before";
  }
  transport.connect(attempt);
  transport.head(attempt, 206, part(attempt, 9));
  transport.body(attempt, text(attempt, 9));
  EXPECT_EQ(sink->outcome(), Errc::digest_mismatch);
}

TEST_F(FetchLoopTest, AnOrderMayRefuseUsedConnections) {
  auto sink = std::make_shared<RecordingSink>();
  loop.add(fetch::RangeOrder{
      .object = object_at("http://one/file"), .range = {0, 9}, .sink = sink, .fresh = true});
  loop.advance();
  EXPECT_TRUE(transport.sent[0].request.fresh);
}

// -------------------------------------------------------------------------- another connection

class FewConnections : public FetchLoopTest {
 protected:
  FewConnections() : FetchLoopTest(limits_of(16, 16)) {
    hosts.at("one:80").pace->note_first_byte(50ms, clock.now());
    for (unsigned i = 0; i < 4; ++i) want(i * 10, i * 10 + 9, Priority::next);
    EXPECT_EQ(transport.count(), 4u);
  }
  std::shared_ptr<RecordingSink> want_fifth(Priority priority = Priority::next) {
    return want(100, 109, priority, "http://one/file", false, 77);
  }
};

TEST_F(FewConnections, SpeculationWaitsForOneOfThemToBeFree) {
  want_fifth();
  EXPECT_EQ(transport.count(), 4u);
  answer(2);
  ASSERT_EQ(transport.count(), 5u);
  EXPECT_EQ(transport.sent[4].header("Range"), "bytes=100-109");
}

TEST_F(FewConnections, ForEightRoundTripsAtMost) {
  want_fifth();
  pass(399ms);
  EXPECT_EQ(transport.count(), 4u);
  pass(2ms);
  EXPECT_EQ(transport.count(), 5u);
}

TEST_F(FewConnections, AReaderDoesNotWaitForThem) {
  want_fifth(Priority::demand);
  EXPECT_EQ(transport.count(), 5u);
}

TEST_F(FewConnections, ASpeculationAReaderComesForWaitsNoLonger) {
  want_fifth();
  loop.promote(77);
  loop.advance();
  EXPECT_EQ(transport.count(), 5u);
}

TEST_F(FewConnections, WhereEachIsSlowAnotherIsOpenedAtOnce) {
  hosts.at("one:80").pace->note_body(1'000'000, 1s, true, clock.now());
  want_fifth();
  EXPECT_EQ(transport.count(), 5u);
}

TEST_F(FewConnections, WhoWaitsIsFinishedAtTheEnd) {
  const auto sink = want_fifth();
  loop.stop();
  EXPECT_EQ(sink->outcomes, std::vector{kCanceled});
}

// ------------------------------------------------------------------------------------ retries

// S-HTTP-5
TEST_F(FetchLoopTest, ResumesAtTheFirstByteNotKept) {
  const auto sink = want(10, 29);
  transport.connect(0);
  transport.head(0, 206, part(10, 29));
  transport.body(0, text(10, 14));
  transport.end(0, Fault::reset);
  await_request(2, 1s);
  EXPECT_EQ(transport.sent[1].header("Range"), "bytes=15-29");
  answer(1);
  EXPECT_EQ(sink->bytes, text(10, 29));
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(FetchLoopTest, ACutBodyOfUndeclaredLengthIsFetchedAgainFromItsStart) {
  const auto sink = want(10, 19);
  transport.connect(0);
  transport.head(0, 206, {{"Content-Range", "bytes 10-19/1000"}, {"ETag", "\"v1\""}});
  transport.body(0, text(10, 14));
  transport.end(0);  // "well"
  EXPECT_FALSE(sink->finished());
  await_request(2, 1s);
  EXPECT_EQ(transport.sent[1].header("Range"), "bytes=10-19");
  answer(1);
  EXPECT_EQ(sink->bytes, text(10, 19));
}

TEST_F(FetchLoopTest, AReusedConnectionThatBreaksIsReplacedAtOnce) {
  const auto sink = want(0, 9);
  fault(0, Fault::reset, true);
  ASSERT_EQ(transport.count(), 2u) << "without moving the clock";
  EXPECT_TRUE(transport.sent[1].request.fresh);
}

TEST_F(FetchLoopTest, AServerThatFailsIsTriedFiveTimesInAll) {
  const auto sink = want(0, 9);
  for (std::size_t i = 0; i < 5; ++i) {
    await_request(i + 1);
    transport.respond(i, 500);
  }
  EXPECT_EQ(sink->outcome(), Errc::server_failed);
  pass(60s);
  EXPECT_EQ(transport.count(), 5u);
}

TEST_F(FetchLoopTest, ProgressGrantsNewAttempts) {
  const auto sink = want(0, 9);
  for (std::size_t i = 0; i < 9; ++i) {
    await_request(i + 1);
    transport.connect(i);
    transport.head(i, 206, part(i, 9));
    transport.body(i, text(i, i));
    transport.end(i, Fault::reset);
  }
  EXPECT_FALSE(sink->finished());
  await_request(10);
  answer(9);
  EXPECT_EQ(sink->bytes, text(0, 9));
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(FetchLoopTest, ARetryNobodyWaitsForIsGivenUpSoThatALaterReaderStartsAfresh) {
  const auto sink = want(0, 9, Priority::window);
  sink->is_wanted = false;
  fault(0, Fault::reset);
  EXPECT_EQ(sink->outcome(), kCanceled);
}

TEST_F(FetchLoopTest, AnOrderThatBecameUselessInTheQueueIsNeverSent) {
  for (int i = 0; i < 4; ++i) want(0, 9);
  const auto sink = want(10, 19);
  sink->is_useful = false;
  answer(0);
  EXPECT_EQ(sink->outcome(), kCanceled);
  EXPECT_EQ(transport.count(), 4u);
}

TEST_F(FetchLoopTest, LastingRefusalsAreNotRepeated) {
  const std::pair<int, Errc> refusals[] = {{401, Errc::denied},        {404, Errc::missing},
                                           {410, Errc::missing},       {405, Errc::bad_response},
                                           {416, Errc::range_refused}, {501, Errc::server_failed},
                                           {204, Errc::bad_response}};
  std::size_t sent = 0;
  for (const auto& [status, code] : refusals) {
    const auto sink = want(0, 9);
    transport.respond(sent++, status);
    EXPECT_EQ(sink->outcome(), code) << status;
    pass(10s);
    EXPECT_EQ(transport.count(), sent) << status;
  }
}

TEST_F(FetchLoopTest, PassingServerFailuresAreRepeated) {
  for (const int status : {408, 425, 500, 502, 504}) {
    const auto sink = want(0, 9);
    const std::size_t first = transport.count() - 1;
    transport.respond(first, status);
    await_request(first + 2, 1s);
    answer(first + 1);
    EXPECT_EQ(sink->bytes, text(0, 9)) << status;
  }
}

TEST_F(FetchLoopTest, AWrongAnswerIsAskedForOnceMoreOnAFreshConnection) {
  const auto sink = want(0, 9);
  transport.respond(0, 206, part(1, 10), text(1, 10));
  loop.advance();
  ASSERT_EQ(transport.count(), 2u);
  EXPECT_TRUE(transport.sent[0].stopped) << "its connection cannot be trusted";
  EXPECT_TRUE(transport.sent[1].request.fresh);
  transport.respond(1, 206, part(1, 10), text(1, 10));
  EXPECT_EQ(sink->outcome(), Errc::bad_response);
  EXPECT_EQ(sink->bytes, "");
}

TEST_F(FetchLoopTest, ABadCertificateIsNotRepeated) {
  const auto sink = want(0, 9);
  fault(0, Fault::certificate);
  EXPECT_EQ(sink->outcome(), Errc::bad_certificate);
}

// S-TLS-1
TEST_F(FetchLoopTest, APeerThatSpeaksNoTlsIsNotAskedAgain) {
  const auto sink = want(0, 9);
  fault(0, Fault::not_tls);
  EXPECT_EQ(sink->outcome(), Errc::not_tls);
  EXPECT_EQ(transport.count(), 1u);
  EXPECT_TRUE(observer.saw("not_tls"));
  EXPECT_STREQ(loop.status().hosts.at(0).breaker, "closed") << "somebody is there";
}

// ------------------------------------------------------------------------ a host that pushes back

// S-HTTP-5
TEST_F(FetchLoopTest, RetryAfterBindsTheWholeHost) {
  want(0, 9);
  transport.respond(0, 503, {{"Retry-After", "7"}});
  const auto other = want(10, 19);
  pass(6900ms);
  EXPECT_EQ(transport.count(), 1u);
  pass(200ms);
  EXPECT_EQ(transport.count(), 3u);
}

TEST_F(FetchLoopTest, RetryAfterDoesNotBindOtherHosts) {
  want(0, 9);
  transport.respond(0, 503, {{"Retry-After", "7"}});
  want(0, 9, Priority::demand, "http://two/file");
  EXPECT_EQ(transport.count(), 2u);
}

TEST_F(FetchLoopTest, RetryAfterAsADateCountsFromTheServersOwnClock) {
  want(0, 9);
  transport.respond(0, 429,
                    {{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                     {"Retry-After", "Sun, 06 Nov 1994 08:49:42 GMT"}});
  pass(4900ms);
  EXPECT_EQ(transport.count(), 1u);
  pass(200ms);
  EXPECT_EQ(transport.count(), 2u);
}

TEST_F(FetchLoopTest, NoServerMaySendUsAwayForLongerThanHalfAMinute) {
  want(0, 9);
  transport.respond(0, 503, {{"Retry-After", "86400"}});
  pass(29s);
  EXPECT_EQ(transport.count(), 1u);
  pass(1100ms);
  EXPECT_EQ(transport.count(), 2u);
}

TEST_F(FetchLoopTest, AThrottlingHostGetsHalfTheConnections) {
  for (int i = 0; i < 4; ++i) want(0, 9);
  EXPECT_EQ(transport.running(), 4u);
  for (std::size_t i = 0; i < 4; ++i) transport.respond(i, 503);
  for (int i = 0; i < 4; ++i) want(10, 19);
  loop.advance();
  EXPECT_EQ(transport.running(), 2u) << "the four answers belong to one cut";
}

// ---------------------------------------------------------------------------- queue and caps

TEST_F(FetchLoopTest, NeverMoreExchangesThanSocketsToAHost) {
  for (int i = 0; i < 10; ++i) want(0, 9);
  EXPECT_EQ(transport.running(), 4u);
  answer(0);
  EXPECT_EQ(transport.running(), 4u);
  EXPECT_EQ(transport.count(), 5u);
}

TEST_F(FetchLoopTest, NeverMoreExchangesThanSocketsInAll) {
  for (int host = 0; host < 5; ++host)
    for (int i = 0; i < 3; ++i)
      want(0, 9, Priority::demand, "http://host" + std::to_string(host) + "/file");
  EXPECT_EQ(transport.running(), 8u);
  for (std::size_t i = 0; i < 15; ++i) answer(i);
  EXPECT_EQ(transport.peak, 8u);
}

TEST_F(FetchLoopTest, DemandOvertakesSpeculation) {
  for (int i = 0; i < 4; ++i) want(0, 9);
  want(100, 109, Priority::sibling);
  want(200, 209, Priority::window);
  want(300, 309, Priority::next);
  want(400, 409, Priority::demand);
  std::vector<std::string> order;
  for (std::size_t i = 0; i < 8; ++i) {
    answer(i);
    if (i >= 4) order.push_back(transport.sent[i].header("Range"));
  }
  EXPECT_EQ(order, (std::vector<std::string>{"bytes=400-409", "bytes=300-309", "bytes=200-209",
                                             "bytes=100-109"}));
}

TEST_F(FetchLoopTest, PromotionMakesAWaitingOrderDemand) {
  for (int i = 0; i < 4; ++i) want(0, 9);
  want(100, 109, Priority::window);
  want(200, 209, Priority::sibling, "http://one/file", false, 77);
  loop.promote(77);
  answer(0);
  EXPECT_EQ(transport.sent.at(4).header("Range"), "bytes=200-209");
}

TEST_F(FetchLoopTest, APromotionThatOvertakesItsOrderIsRemembered) {
  for (int i = 0; i < 4; ++i) want(0, 9);
  loop.promote(77);
  want(100, 109, Priority::window);
  want(200, 209, Priority::sibling, "http://one/file", false, 77);
  answer(0);
  EXPECT_EQ(transport.sent.at(4).header("Range"), "bytes=200-209");
}

TEST_F(FetchLoopTest, AFullHostDoesNotHoldUpAnother) {
  for (int i = 0; i < 6; ++i) want(0, 9);
  want(0, 9, Priority::sibling, "http://two/file");
  EXPECT_EQ(transport.running("two:80"), 1u);
}

// -------------------------------------------------------------------------------- redirects

TEST_F(FetchLoopTest, ARedirectIsFollowedAndRememberedForTheNextOrder) {
  const auto sink = want(0, 9);
  transport.respond(0, 302, {{"Location", "http://cdn/x?sig=1"}});
  loop.advance();
  EXPECT_EQ(transport.sent.at(1).request.url, "http://cdn/x?sig=1");
  EXPECT_EQ(transport.sent.at(1).header("Range"), "bytes=0-9");
  answer(1);
  EXPECT_EQ(sink->outcome(), std::error_code());
  want(10, 19);
  EXPECT_EQ(transport.sent.at(2).request.url, "http://cdn/x?sig=1");
}

TEST_F(FetchLoopTest, AHostThatLeadsElsewhereIsWarmWhileWhatItLeadsToIsRead) {
  const auto origin = hosts.paces().at("one:80");
  const auto target = hosts.paces().at("cdn:80");
  want(0, 9);
  EXPECT_TRUE(origin->warm(clock.now()));
  EXPECT_FALSE(target->warm(clock.now()));
  transport.respond(0, 302, {{"Location", "http://cdn/x?sig=1"}});
  loop.advance();
  EXPECT_TRUE(target->warm(clock.now()));
  answer(1);
  clock.advance(1h);
  EXPECT_FALSE(origin->warm(clock.now()));
  want(10, 19);
  EXPECT_TRUE(origin->warm(clock.now())) << "though nothing was sent there";
}

TEST_F(FetchLoopTest, ARememberedTargetThatRefusesIsAskedForAgainOnce) {
  want(0, 9);
  transport.respond(0, 302, {{"Location", "http://cdn/x?sig=1"}});
  loop.advance();
  answer(1);
  const auto sink = want(10, 19);
  transport.respond(2, 403);
  loop.advance();
  EXPECT_EQ(transport.sent.at(3).request.url, "http://one/file");
  transport.respond(3, 302, {{"Location", "http://cdn/x?sig=2"}});
  loop.advance();
  EXPECT_EQ(transport.sent.at(4).request.url, "http://cdn/x?sig=2");
  answer(4);
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(FetchLoopTest, AFreshTargetThatRefusesIsBelieved) {
  const auto sink = want(0, 9);
  transport.respond(0, 302, {{"Location", "http://cdn/x"}});
  loop.advance();
  transport.respond(1, 404);
  EXPECT_EQ(sink->outcome(), Errc::missing);
}

TEST_F(FetchLoopTest, ATargetThatIsGoneIsAskedForAgain) {
  const auto sink = want(0, 9);
  transport.respond(0, 302, {{"Location", "http://cdn/x"}});
  loop.advance();
  transport.end(1, Fault::connect);
  await_request(3, 1s);
  EXPECT_EQ(transport.sent[2].request.url, "http://one/file");
  transport.respond(2, 302, {{"Location", "http://cdn2/x"}});
  loop.advance();
  answer(3);
  EXPECT_EQ(sink->outcome(), std::error_code());
}

// S-HTTP-4
TEST_F(FetchLoopTest, TheSixthRedirectIsRefused) {
  const auto sink = want(0, 9);
  for (std::size_t i = 0; i < 6; ++i) {
    transport.respond(i, 307, {{"Location", "/again"}});
    loop.advance();
  }
  EXPECT_EQ(sink->outcome(), Errc::redirect_refused);
  EXPECT_EQ(transport.count(), 6u);
}

// S-HTTP-4
TEST_F(FetchLoopTest, ARedirectFromHttpsToHttpIsRefused) {
  const auto sink = want(0, 9, Priority::demand, "https://one/file");
  transport.respond(0, 301, {{"Location", "http://one/file"}});
  EXPECT_EQ(sink->outcome(), Errc::redirect_refused);
}

// --------------------------------------------------------------------------------- versions

// S-VER-2
TEST_F(FetchLoopTest, TwoAnswersThatAgreeOnANewVersionMeanChanged) {
  const auto sink = want(0, 9);
  transport.respond(0, 206, part(0, 9, "\"v2\""), text(0, 9));
  loop.advance();
  ASSERT_EQ(transport.count(), 2u);
  EXPECT_TRUE(transport.sent[1].request.fresh);
  EXPECT_FALSE(sink->finished());
  transport.respond(1, 206, part(0, 9, "\"v2\""), text(0, 9));
  EXPECT_EQ(sink->outcome(), Errc::changed);
  EXPECT_EQ(sink->bytes, "");
}

TEST_F(FetchLoopTest, TwoFailedPreconditionsMeanChanged) {
  const auto sink = want(0, 9);
  transport.respond(0, 412);
  loop.advance();
  EXPECT_FALSE(sink->finished());
  transport.respond(1, 412);
  EXPECT_EQ(sink->outcome(), Errc::changed);
}

TEST_F(FetchLoopTest, AStaleReplicaIsForgivenWhenTheNextAnswerIsAsPinned) {
  const auto sink = want(0, 9);
  transport.respond(0, 206, part(0, 9, "\"v0\""), text(0, 9));
  loop.advance();
  answer(1);
  EXPECT_EQ(sink->bytes, text(0, 9));
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(FetchLoopTest, ASinkThatDisagreesAtBeginMakesAMismatch) {
  const auto sink = want(0, 9);
  sink->agrees = false;
  transport.respond(0, 206, part(0, 9), text(0, 9));
  loop.advance();
  transport.respond(1, 206, part(0, 9), text(0, 9));
  EXPECT_EQ(sink->outcome(), Errc::changed);
  EXPECT_EQ(sink->bytes, "");
}

// S-VER-2
TEST_F(FetchLoopTest, AnObjectWithANewVersionEachTimeIsChangedInTheEnd) {
  const auto sink = want(0, 9);
  for (std::size_t i = 0; i < 3; ++i) {
    transport.respond(i, 206, part(0, 9, "\"n" + std::to_string(i) + '"'), text(0, 9));
    loop.advance();
  }
  EXPECT_EQ(sink->outcome(), Errc::changed);
}

TEST_F(FetchLoopTest, AnotherTotalInA416MeansChanged) {
  const auto sink = want(0, 9);
  for (std::size_t i = 0; i < 2; ++i) {
    transport.respond(i, 416, {{"Content-Range", "bytes */5"}});
    loop.advance();
  }
  EXPECT_EQ(sink->outcome(), Errc::changed);
}

TEST_F(FetchLoopTest, AHostThatCannotBearConditionsIsSpareOfThem) {
  const auto sink = want(0, 9);
  transport.respond(0, 400);
  loop.advance();
  EXPECT_EQ(transport.sent.at(1).header("If-Match"), "");
  answer(1);
  EXPECT_EQ(sink->outcome(), std::error_code());
  want(10, 19);
  EXPECT_EQ(transport.sent.at(2).header("If-Match"), "");
}

TEST_F(FetchLoopTest, AForbiddenObjectIsForbiddenWithoutConditionsToo) {
  const auto sink = want(0, 9);
  transport.respond(0, 403);
  loop.advance();
  transport.respond(1, 403);
  EXPECT_EQ(sink->outcome(), Errc::denied);
  EXPECT_TRUE(hosts.at("one:80").conditional());
}

// -------------------------------------------------------------------------------------- time

TEST_F(FetchLoopTest, SilenceAfterTheRequestEndsTheAttemptAfterFifteenSeconds) {
  want(0, 9);
  transport.connect(0);
  pass(14900ms);
  EXPECT_EQ(transport.running(), 1u);
  pass(200ms);
  EXPECT_TRUE(transport.sent[0].aborted);
  await_request(2, 1s);
  EXPECT_TRUE(transport.sent[1].request.fresh);
}

TEST_F(FetchLoopTest, AStalledBodyGoesOnElsewhereWithItsRest) {
  constexpr std::uint64_t kLarge = 1 << 20;
  auto sink = std::make_shared<RecordingSink>();
  add(sink, 0, kLarge - 1);
  transport.connect(0);
  transport.head(0, 206, part(0, kLarge - 1, kTag, kLarge));
  pass(10s);
  transport.body(0, text(0, 19999));
  pass(14900ms);
  EXPECT_EQ(transport.running(), 1u);
  pass(200ms);
  EXPECT_TRUE(transport.sent[0].aborted);
  EXPECT_TRUE(observer.saw("stall"));
  await_request(2, 1s);
  EXPECT_EQ(transport.sent[1].header("Range"), "bytes=20000-1048575");
}

TEST_F(FetchLoopTest, ADripBelowAKilobyteASecondGoesOnElsewhere) {
  constexpr std::uint64_t kLarge = 1 << 20;
  auto sink = std::make_shared<RecordingSink>();
  add(sink, 0, kLarge - 1);
  transport.connect(0);
  transport.head(0, 206, part(0, kLarge - 1, kTag, kLarge));
  for (std::uint64_t second = 0; transport.sent[0].live() && second < 20; ++second) {
    transport.body(0, text(second, second));
    pass(1s);
  }
  EXPECT_TRUE(transport.sent[0].aborted);
  EXPECT_TRUE(observer.saw("slow"));
  await_request(2, 1s);
  EXPECT_EQ(transport.sent[1].header("Range"), "bytes=15-1048575");
}

TEST_F(FetchLoopTest, AnOrderEndsAtItsDeadlineWhereverItIs) {
  const auto running = want(0, 9);
  std::vector<std::shared_ptr<RecordingSink>> others;
  for (int i = 0; i < 6; ++i) others.push_back(want(10, 19));
  pass(59900ms);
  EXPECT_FALSE(running->finished());
  pass(200ms);
  EXPECT_EQ(running->outcome(), Errc::timed_out);
  for (const auto& sink : others) EXPECT_EQ(sink->outcome(), Errc::timed_out);
  EXPECT_EQ(transport.running(), 0u);
}

TEST_F(FetchLoopTest, AnOrderThatWaitsForABusyHostEndsAsTooBusy) {
  want(0, 9);
  transport.respond(0, 503, {{"Retry-After", "30"}});
  pass(29s);
  const auto sink = want(10, 19);
  for (std::size_t i = 1; i < 8; ++i) {
    pass(1s);
    for (std::size_t r = 1; r < transport.count(); ++r)
      if (transport.sent[r].live()) transport.respond(r, 503, {{"Retry-After", "30"}});
  }
  pass(60s);
  EXPECT_EQ(sink->outcome(), Errc::too_busy);
}

TEST_F(FetchLoopTest, TheLoopSaysWhenItMustBeCalledNext) {
  EXPECT_EQ(loop.wake_at(), fetch::TimePoint::max());
  want(0, 9);
  EXPECT_EQ(loop.wake_at(), clock.now() + 60s);
  transport.connect(0);
  EXPECT_EQ(loop.wake_at(), clock.now() + 15s);
  answer(0);
  EXPECT_EQ(loop.wake_at(), fetch::TimePoint::max());
}

// Stands still for a while at one of its readings, as a machine that sleeps or a process that was
// stopped does.
class HaltingClock final : public fetch::Clock {
 public:
  fetch::TimePoint now() const noexcept override {
    if (left_ > 0 && --left_ == 0) now_ += 20s;
    return now_;
  }
  void halt_at(unsigned reading) noexcept { left_ = reading; }

 private:
  mutable unsigned left_ = 0;
  mutable fetch::TimePoint now_{1h};
};

// The transport says when that is broken.
TEST(AProcessThatStandsStill, EndsNoExchangeFromInsideACallOfIts) {
  for (unsigned reading = 1; reading <= 20; ++reading) {
    SCOPED_TRACE(reading);
    HaltingClock clock;
    RecordingObserver observer;
    fetch::HostTable hosts(4);
    FakeTransport transport;
    fetch::FetchLoop loop({}, clock, observer, hosts, transport, 1);
    loop.add({.object = object_at("http://one/file"),
              .range = {0, 9},
              .sink = std::make_shared<RecordingSink>()});
    loop.advance();
    clock.halt_at(reading);
    transport.connect(0, true);
    transport.lose(0);
    transport.connect(0);
    transport.head(0, 206, part(0, 9));
    EXPECT_TRUE(transport.sent[0].live());
    loop.advance();
  }
}

// ------------------------------------------------------------------------------------- probes

TEST_F(FetchLoopTest, AProbeAsksForOneByteAndReadsTheHead) {
  const auto sink = probe();
  EXPECT_EQ(transport.sent.at(0).header("Range"), "bytes=0-0");
  transport.respond(0, 206, part(0, 0), "a");
  EXPECT_EQ(sink->outcome(), std::error_code());
  EXPECT_EQ(sink->seen.total, kTotal);
  EXPECT_EQ(sink->seen.etag, kTag);
  EXPECT_FALSE(transport.sent[0].stopped) << "one byte is drained, the connection stays";
}

TEST_F(FetchLoopTest, TheBodyOfAProbesTwoHundredIsNotFetched) {
  const auto sink = probe();
  transport.connect(0);
  EXPECT_FALSE(transport.head(0, 200, {{"Content-Length", "1000000"}}));
  EXPECT_EQ(sink->seen.total, 1000000u);
}

TEST_F(FetchLoopTest, AProbeWhoseRangeIsRefusedAsksForTheHeadAlone) {
  const auto sink = probe();
  transport.respond(0, 400);
  loop.advance();
  ASSERT_EQ(transport.count(), 2u);
  EXPECT_TRUE(transport.sent[1].request.head_only);
  EXPECT_EQ(transport.sent[1].header("Range"), "");
  transport.connect(1);
  EXPECT_TRUE(transport.head(1, 200, {{"Content-Length", "1000000"}})) << "a HEAD has no body";
  transport.end(1);
  EXPECT_EQ(sink->seen.total, 1000000u);
}

TEST_F(FetchLoopTest, AProbeIsRetriedLikeAnyOrder) {
  const auto sink = probe();
  transport.respond(0, 500);
  await_request(2, 1s);
  transport.respond(1, 206, part(0, 0), "a");
  EXPECT_EQ(sink->seen.total, kTotal);
}

TEST_F(FetchLoopTest, AProbeOfAnObjectWithoutLengthSaysSo) {
  const auto sink = probe();
  transport.connect(0);
  transport.head(0, 200, {{"Transfer-Encoding", "chunked"}});
  EXPECT_EQ(sink->outcome(), Errc::no_length);
}

TEST_F(FetchLoopTest, AProbeOfNoMoreUseIsNotSent) {
  for (int i = 0; i < 4; ++i) want(0, 9);
  const auto sink = early_probe();
  sink->is_useful = sink->is_wanted = false;
  answer(0);
  answer(1);
  EXPECT_EQ(sink->outcome(), kCanceled);
  EXPECT_EQ(transport.count(), 4u);
}

TEST_F(FetchLoopTest, AProbeThatNobodyWaitsForLeavesAQuarterOfTheSlots) {
  for (int i = 0; i < 3; ++i) want(0, 9);
  const auto sink = early_probe();
  EXPECT_EQ(transport.count(), 3u);
  loop.promote(kEarly);
  loop.advance();
  EXPECT_EQ(transport.count(), 4u) << "somebody waits for it now";
  transport.respond(3, 206, part(0, 0), "a");
  EXPECT_EQ(sink->seen.total, kTotal);
}

TEST_F(FetchLoopTest, AProbeThatNobodyWaitsForIsNotRepeated) {
  const auto sink = early_probe();
  sink->is_wanted = false;
  transport.respond(0, 500);
  loop.advance();
  EXPECT_EQ(sink->outcome(), kCanceled);
}

// ----------------------------------------------------------- probes that ask for more than a byte

class WideProbe : public FetchLoopTest {
 protected:
  static constexpr fetch::OrderId kId = 7;

  explicit WideProbe(std::uint64_t bytes = 100) {
    sink->takes = taken;
    loop.add(fetch::ProbeOrder{
        .id = kId, .object = object_at("http://one/file"), .sink = sink, .bytes = bytes});
    loop.advance();
    transport.connect(0);
  }

  const std::shared_ptr<RecordingProbe> sink = std::make_shared<RecordingProbe>();
  const std::shared_ptr<RecordingSink> taken = std::make_shared<RecordingSink>();
};

TEST_F(WideProbe, TellsTheSizeWithTheHeadAndBringsTheFirstBytes) {
  EXPECT_EQ(transport.sent.at(0).header("Range"), "bytes=0-99");
  EXPECT_TRUE(transport.head(0, 206, part(0, 99)));
  EXPECT_EQ(sink->outcome(), std::error_code());
  EXPECT_EQ(sink->seen.total, kTotal);
  EXPECT_EQ(sink->offered, 100u);
  transport.body(0, text(0, 99));
  EXPECT_EQ(taken->bytes, text(0, 99));
  EXPECT_EQ(taken->outcomes, std::vector{std::error_code()});
  EXPECT_FALSE(transport.sent[0].stopped);
  EXPECT_EQ(transport.count(), 1u);
}

// S-WAIT-3
TEST_F(WideProbe, BodiesThatNobodyWaitsForLeaveSlotsToWhoDoes) {
  const unsigned limit = hosts.at("one:80").limit();
  std::vector<std::shared_ptr<RecordingProbe>> probes{sink};
  taken->is_wanted = false;
  for (unsigned i = 1; i < limit; ++i) {
    probes.push_back(std::make_shared<RecordingProbe>());
    probes[i]->takes = std::make_shared<RecordingSink>();
    probes[i]->takes->is_wanted = false;
    loop.add(fetch::ProbeOrder{.id = kId + i,
                               .object = object_at("http://one/" + std::to_string(i)),
                               .sink = probes[i],
                               .bytes = 100});
    loop.advance();
    transport.connect(i);
  }
  for (unsigned i = 0; i < limit; ++i) transport.head(i, 206, part(0, 99));
  EXPECT_EQ(std::ranges::count_if(probes, [](const auto& each) { return each->offered > 0; }),
            limit - limit / 4);
  want(0, 9);
  pass(2s);  // as long as bodies without a taker are drained
  EXPECT_EQ(transport.count(), limit + 1);
}

// Whoever it then cannot be connected to is to blame as for any other connection.
TEST_F(FetchLoopTest, AUsedConnectionThatWasLostIsNoUsedOne) {
  const auto lost = want(0, 9);
  transport.connect(0, true);
  EXPECT_EQ(loop.status().connections_reused, 1u);
  transport.lose(0);
  EXPECT_EQ(loop.status().connections_reused, 0u);
  transport.end(0, fetch::Fault::connect);
  EXPECT_EQ(loop.status().errors, 1u);
  loop.advance();
  EXPECT_EQ(transport.count(), 1u) << "not at once, as for a used connection";
  pass(20s);
  EXPECT_EQ(transport.count(), 2u);
}

// The transport times connecting.
TEST_F(FetchLoopTest, WhileAnotherConnectionIsMadeNoAnswerIsLate) {
  const auto sink = want(0, 9);
  transport.connect(0, true);
  pass(14s);
  transport.lose(0);
  pass(14s);
  EXPECT_TRUE(sink->outcomes.empty());
  EXPECT_EQ(transport.count(), 1u);
  transport.connect(0);
  transport.head(0, 206, part(0, 9));
  transport.body(0, text(0, 9));
  EXPECT_EQ(sink->outcome(), std::error_code());
}

// As WideProbe, where the body has begun and nobody waits for it any more.
class UnwantedBeginning : public FetchLoopTest {
 protected:
  void begin(std::uint64_t last, bool reused, const std::vector<std::string>& urls) {
    sink->takes = taken;
    loop.add(fetch::ProbeOrder{.id = 7, .object = object_at(urls), .sink = sink, .bytes = 100});
    loop.advance();
    transport.connect(0, reused);
    transport.head(0, 206, part(0, last));
    transport.body(0, text(0, 9));
    taken->is_wanted = false;
  }
  void begin(std::uint64_t last, bool reused = false) { begin(last, reused, {"http://one/file"}); }
  void expect_given_up() {
    EXPECT_EQ(transport.count(), 1u);
    EXPECT_EQ(taken->outcomes, std::vector{kCanceled});
    EXPECT_EQ(loop.status().retries, 0u);
  }

  const std::shared_ptr<RecordingProbe> sink = std::make_shared<RecordingProbe>();
  const std::shared_ptr<RecordingSink> taken = std::make_shared<RecordingSink>();
};

TEST_F(UnwantedBeginning, ThatStallsOnAUsedConnectionIsNotAskedForAgain) {
  begin(99, true);
  pass(16s);
  expect_given_up();
}

TEST_F(UnwantedBeginning, ThatBreaksOnAUsedConnectionIsNotAskedForAgain) {
  begin(99, true);
  transport.end(0, fetch::Fault::reset);
  loop.advance();
  expect_given_up();
}

TEST_F(UnwantedBeginning, ThatIsCutShortIsNotAskedForAgain) {
  begin(49);
  transport.body(0, text(10, 49));
  loop.advance();
  expect_given_up();
}

TEST_F(UnwantedBeginning, ThatBreaksIsNotAskedOfAMirror) {
  begin(99, false, {"http://one/file", "http://two/file"});
  transport.end(0, fetch::Fault::reset);
  loop.advance();
  expect_given_up();
  EXPECT_EQ(loop.status().mirror_switches, 0u);
}

TEST_F(UnwantedBeginning, ThatSomebodyWaitsForAgainIsAskedForAgain) {
  begin(99, true);
  taken->is_wanted = true;
  transport.end(0, fetch::Fault::reset);
  loop.advance();
  EXPECT_EQ(transport.count(), 2u);
}

TEST_F(WideProbe, OfASmallerObjectAllIsBrought) {
  transport.head(0, 206, part(0, 29, kTag, 30));
  EXPECT_EQ(sink->offered, 30u);
  transport.body(0, text(0, 29));
  EXPECT_EQ(taken->outcomes, std::vector{std::error_code()});
}

TEST_F(WideProbe, WithoutATakerTheBodyIsDrained) {
  sink->takes = nullptr;
  EXPECT_TRUE(transport.head(0, 206, part(0, 99)));
  EXPECT_EQ(sink->outcome(), std::error_code());
  EXPECT_TRUE(transport.body(0, text(0, 99)));
  EXPECT_TRUE(taken->seen.empty());
}

class ProbeThatWaits : public FetchLoopTest {
 protected:
  // All slots are taken, so that it is never sent.
  ProbeThatWaits() {
    for (unsigned i = 0; i < hosts.at("one:80").limit(); ++i) want(i, i);
    early->is_wanted = false;
  }
  const std::shared_ptr<RecordingProbe> early = early_probe();
};

TEST_F(ProbeThatWaits, EndsWithoutAnErrorWhereNobodyMissesIt) {
  for (std::size_t i = 0; i < transport.count(); ++i) transport.connect(i);
  early->is_wanted = false;
  const auto errors = loop.status().errors;
  while (early->outcomes.empty()) pass(1s);
  EXPECT_EQ(early->outcome(), std::errc::operation_canceled);
  EXPECT_LE(loop.status().errors - errors, hosts.at("one:80").limit()) << "those of the others";
}

// S-WAIT-1
TEST_F(ProbeThatWaits, HasAllItsTimeFromWhenSomebodyWaits) {
  pass(59s);
  early->is_wanted = true;
  loop.promote(kEarly);
  pass(2s);
  EXPECT_TRUE(early->outcomes.empty());
  for (int i = 0; i < 60 && early->outcomes.empty(); ++i) pass(1s);
  EXPECT_FALSE(early->outcomes.empty());
}

// As a portal's page comes: once in between, and then its bytes would have been the file's.
TEST_F(WideProbe, OfAnAnswerWithoutARangeTheSizeAloneIsBelieved) {
  EXPECT_TRUE(transport.head(0, 200, {{"Content-Length", "30"}, {"ETag", "\"v1\""}}));
  EXPECT_EQ(sink->seen.total, 30u);
  EXPECT_EQ(sink->offered, 0u);
  EXPECT_TRUE(transport.body(0, text(0, 29)));
  EXPECT_TRUE(taken->seen.empty());
}

TEST_F(WideProbe, OfALongOneTheConnectionIsNotKept) {
  EXPECT_FALSE(transport.head(0, 200, {{"Content-Length", "1000000"}}));
  EXPECT_EQ(sink->offered, 0u);
  EXPECT_EQ(sink->seen.total, 1000000u);
}

TEST_F(WideProbe, AnEmptyObjectHasNoBytes) {
  transport.head(0, 416, {{"Content-Range", "bytes */0"}, {"Content-Length", "0"}});
  EXPECT_EQ(sink->seen.total, 0u);
  EXPECT_EQ(sink->offered, 0u);
}

TEST_F(WideProbe, WhereTheRangeIsRefusedTheHeadTellsTheSizeAndBringsNothing) {
  transport.respond(0, 416, {{"Content-Range", "bytes */1000"}});
  loop.advance();
  ASSERT_EQ(transport.count(), 2u);
  EXPECT_TRUE(transport.sent[1].request.head_only);
  transport.connect(1);
  transport.head(1, 200, {{"Content-Length", "50"}});
  EXPECT_EQ(sink->seen.total, 50u);
  EXPECT_EQ(sink->offered, 0u);
}

// The door is the same: what the taker expects, and its own word.
TEST_F(WideProbe, AnAnswerOfAnotherVersionThanTheTakersIsNotUsed) {
  taken->expected.etag = "\"v2\"";
  EXPECT_TRUE(transport.head(0, 206, part(0, 99)));
  transport.body(0, text(0, 99));
  EXPECT_EQ(sink->outcome(), std::error_code());
  EXPECT_EQ(taken->outcomes, std::vector{kCanceled});
  EXPECT_EQ(taken->bytes, "");
}

TEST_F(WideProbe, NorOneThatTheTakerDisagreesWith) {
  taken->agrees = false;
  EXPECT_TRUE(transport.head(0, 206, part(0, 99)));
  transport.body(0, text(0, 99));
  EXPECT_EQ(sink->outcome(), std::error_code());
  EXPECT_EQ(taken->outcomes, std::vector{kCanceled});
  EXPECT_EQ(taken->bytes, "");
}

TEST_F(WideProbe, ALengthThatIsNotTheRangesBringsTheSizeAlone) {
  auto lies = part(0, 99);
  lies.back().second = "50";
  transport.head(0, 206, lies);
  EXPECT_EQ(sink->outcome(), std::error_code());
  EXPECT_EQ(taken->outcomes, std::vector{kCanceled});
}

TEST_F(WideProbe, ABodyThatBreaksOffIsAskedForAgainOnlyIfSomebodyWaits) {
  transport.head(0, 206, part(0, 99));
  transport.body(0, text(0, 9));
  taken->is_wanted = false;
  transport.end(0, fetch::Fault::reset);
  loop.advance();
  EXPECT_EQ(taken->outcomes, std::vector{kCanceled});
  EXPECT_EQ(sink->outcomes.size(), 1u);
}

TEST_F(WideProbe, AReadersRestGoesOnAtTheFirstByteMissing) {
  transport.head(0, 206, part(0, 99));
  transport.body(0, text(0, 9));
  loop.promote(kId);
  transport.end(0, fetch::Fault::reset);
  await_request(2);
  EXPECT_EQ(transport.sent[1].range(), (fetch::ByteRange{10, 99}));
  answer(1);
  EXPECT_EQ(taken->bytes, text(0, 99));
  EXPECT_EQ(taken->outcomes, std::vector{std::error_code()});
  EXPECT_EQ(sink->outcomes.size(), 1u);
}

TEST_F(WideProbe, StopEndsThemBothOnce) {
  transport.head(0, 206, part(0, 99));
  loop.stop();
  EXPECT_EQ(taken->outcomes, std::vector{kCanceled});
  EXPECT_EQ(sink->outcomes, std::vector{std::error_code()});
}

// Whoever waits for a body that is not wanted waits longer than for a connection.
class FlightWideProbe : public WideProbe {
 protected:
  FlightWideProbe() : WideProbe(64 * 1024) {}
};

TEST_F(FlightWideProbe, ABodyAsLongAsAskedForIsDrained) {
  sink->takes = nullptr;
  EXPECT_TRUE(transport.head(0, 206, part(0, 65535, kTag, 1000000)));
}

TEST_F(FlightWideProbe, ARangeWiderThanAskedForIsCut) {
  taken->expected.total = 1000000;
  EXPECT_TRUE(transport.head(0, 206, part(0, 999'999, kTag, 1000000)));
  EXPECT_EQ(sink->offered, 65536u);
  transport.body(0, text(0, 69'999));
  EXPECT_EQ(taken->bytes, text(0, 65535));
  EXPECT_EQ(taken->outcomes, std::vector{std::error_code()});
}

// ------------------------------------------------------------------------------- the end, logs

TEST_F(FetchLoopTest, StopFinishesEverythingAndWhateverComesLater) {
  const auto running = want(0, 9);
  std::vector<std::shared_ptr<RecordingSink>> queued;
  for (int i = 0; i < 6; ++i) queued.push_back(want(10, 19));
  loop.stop();
  EXPECT_EQ(running->outcomes, std::vector{kCanceled});
  for (const auto& sink : queued) EXPECT_EQ(sink->outcomes, std::vector{kCanceled});
  EXPECT_EQ(want(0, 9)->outcomes, std::vector{kCanceled});
  EXPECT_EQ(transport.running(), 0u);
}

TEST_F(FetchLoopTest, NoEventShowsAQuery) {
  want(0, 9, Priority::demand, "http://one/file?token=secret");
  transport.respond(0, 404);
  ASSERT_FALSE(observer.events.empty());
  for (const auto& event : observer.events) EXPECT_EQ(event.url, "http://one/file");
}

TEST_F(FetchLoopTest, TheStatusCountsWhatHappened) {
  want(0, 9);
  transport.respond(0, 302, {{"Location", "/there"}});
  loop.advance();
  transport.respond(1, 500);
  await_request(3, 1s);
  answer(2);
  const fetch::FetchStatus status = loop.status();
  EXPECT_EQ(status.requests, 3u);
  EXPECT_EQ(status.redirects, 1u);
  EXPECT_EQ(status.retries, 1u);
  EXPECT_EQ(status.errors, 1u);
  EXPECT_EQ(status.bytes_received, 10u);
  EXPECT_EQ(status.orders_running + status.orders_queued, 0u);
  ASSERT_EQ(status.hosts.size(), 1u);
  EXPECT_EQ(status.hosts[0].requests, 3u);
}

}  // namespace
}  // namespace skimfs::test
