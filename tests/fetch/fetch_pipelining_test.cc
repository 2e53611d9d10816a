// SPDX-License-Identifier: MIT
//
// Who is asked for behind whom, played on a scripted transport, and what follows where that comes
// to nothing.
#include <chrono>
#include <memory>
#include <string>

#include "tests/fetch/loop_fixture.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using fetch::Fault;

class FetchPipelining : public FetchLoopTest {
 protected:
  FetchPipelining() {
    transport.pipelines = true;
    near.note_first_byte(1ms, clock.now());
  }

  std::shared_ptr<RecordingSink> want(std::uint64_t from, std::uint64_t to,
                                      std::shared_ptr<const fetch::Object> of = {}) {
    auto sink = std::make_shared<RecordingSink>();
    sink->expected.total = kTotal;
    sink->expected.etag = kTag;
    loop.add({.object = of ? of : file, .range = {from, to}, .sink = sink});
    loop.advance();
    return sink;
  }
  void begin(std::size_t i) {
    const fetch::ByteRange range = transport.sent.at(i).range();
    transport.connect(i, transport.sent.at(i).behind.has_value());
    transport.head(i, 206, part(range.first, range.last));
  }
  void finish(std::size_t i) {
    const fetch::ByteRange range = transport.sent.at(i).range();
    transport.body(i, text(range.first, range.last));
    if (transport.sent[i].live()) transport.end(i);
    loop.advance();
  }
  // Over a new connection.
  void finish_alone(std::size_t i) {
    const fetch::ByteRange range = transport.sent.at(i).range();
    transport.connect(i);
    transport.head(i, 206, part(range.first, range.last));
    finish(i);
  }
  // Request 0 is answered, and request 1 sent behind it.
  void begin_both() {
    one = want(0, 99);
    begin(0);
    two = want(100, 199);
    ASSERT_EQ(transport.count(), 2u);
    ASSERT_EQ(transport.sent[1].behind, 0u);
  }
  // Request 2 asks for what request 1 was to bring, alone.
  void expect_asked_alone() {
    loop.advance();
    ASSERT_EQ(transport.count(), 3u);
    EXPECT_FALSE(transport.sent[2].behind);
    EXPECT_EQ(transport.sent[2].range().first, 100u);
    EXPECT_TRUE(observer.saw("pipelining"));
    expect_no_blame();
    if (transport.sent[0].live()) finish(0);
    begin(2);
    finish(2);
    EXPECT_EQ(one->bytes, text(0, 99));
    EXPECT_EQ(two->bytes, text(100, 199));
    EXPECT_EQ(two->outcome(), std::error_code());
  }
  // An answer is late after 60 ms.
  void earn_a_hedge() {
    fetch::HedgePolicy& hedging = hosts.at("one:80").hedging;
    for (int i = 0; i < 50; ++i) hedging.answered(20ms);
    for (int i = 0; i < 50; ++i) hedging.sent();
  }
  void expect_no_blame() {
    const fetch::Host& host = hosts.at("one:80");
    EXPECT_EQ(loop.status().errors, 0u);
    EXPECT_EQ(loop.status().retries, 0u);
    EXPECT_FALSE(host.health.ailing());
    EXPECT_EQ(host.breaker().failures(), 0u);
    EXPECT_EQ(host.limit(), 4u);
  }
  bool pipelines() {
    const std::size_t next = transport.count();
    want(200, 299);
    begin(next);
    want(300, 399);
    const bool behind = transport.sent.at(next + 1).behind.has_value();
    finish(next);
    begin(next + 1);
    finish(next + 1);
    return behind;
  }

  const std::shared_ptr<const fetch::Object> file = object_at("http://one/file");
  fetch::Pace& near = *hosts.at("one:80").pace;
  std::shared_ptr<RecordingSink> one, two;
};

// S-CONN-4
TEST_F(FetchPipelining, TheNextStretchOfALoneStreamIsAskedForBehindTheOneBefore) {
  begin_both();
  finish(0);
  begin(1);
  finish(1);
  EXPECT_EQ(one->bytes, text(0, 99));
  EXPECT_EQ(two->bytes, text(100, 199));
  EXPECT_EQ(two->outcome(), std::error_code());
  EXPECT_TRUE(pipelines());
}

TEST_F(FetchPipelining, NothingIsAskedForBehindAnAnswerThatHasNotBegun) {
  want(0, 99);
  want(100, 199);
  EXPECT_FALSE(transport.sent.at(1).behind);
}

TEST_F(FetchPipelining, NorWhatIsNotTheNextStretch) {
  want(0, 99);
  begin(0);
  want(101, 199);
  EXPECT_FALSE(transport.sent.at(1).behind);
}

TEST_F(FetchPipelining, NorAnotherFile) {
  want(0, 99);
  begin(0);
  want(100, 199, object_at("http://one/other"));
  EXPECT_FALSE(transport.sent.at(1).behind);
}

// One file as two entries have it, or as it was before a reload.
TEST_F(FetchPipelining, NorTheSameUrlOfAnotherObject) {
  want(0, 99);
  begin(0);
  want(100, 199, object_at("http://one/file"));
  EXPECT_FALSE(transport.sent.at(1).behind);
}

// A whole one is asked for without a range.
TEST_F(FetchPipelining, NorAFileAsAWhole) {
  want(0, 99);
  begin(0);
  auto sink = std::make_shared<RecordingSink>();
  sink->expected.total = kTotal;
  loop.add({.object = file, .range = {100, 199}, .whole = true, .sink = sink});
  loop.advance();
  EXPECT_FALSE(transport.sent.at(1).behind);
}

TEST_F(FetchPipelining, NorOverNoUsedConnection) {
  want(0, 99);
  begin(0);
  auto sink = std::make_shared<RecordingSink>();
  sink->expected = {kTotal, std::string(kTag), {}};
  loop.add({.object = file, .range = {100, 199}, .sink = sink, .fresh = true});
  loop.advance();
  EXPECT_FALSE(transport.sent.at(1).behind);
}

// Such as a jump to the end of what is fetched ahead.
TEST_F(FetchPipelining, NorWhatAReaderWaitsForBehindWhatNobodyWaitsFor) {
  auto sink = std::make_shared<RecordingSink>();
  sink->expected = {kTotal, std::string(kTag), {}};
  loop.add({.object = file, .range = {0, 99}, .priority = fetch::Priority::next, .sink = sink});
  loop.advance();
  begin(0);
  want(100, 199);
  EXPECT_FALSE(transport.sent.at(1).behind);
}

TEST_F(FetchPipelining, NorBesideOthers) {
  want(500, 599);
  want(0, 99);
  begin(1);
  want(100, 199);
  EXPECT_FALSE(transport.sent.at(2).behind);
}

TEST_F(FetchPipelining, NorFarAway) {
  clock.advance(1h);
  near.note_first_byte(50ms, clock.now());
  clock.advance(1h);
  near.note_first_byte(50ms, clock.now());
  want(0, 99);
  transport.connect(0);
  clock.advance(50ms);
  const auto range = transport.sent[0].range();
  transport.head(0, 206, part(range.first, range.last));
  want(100, 199);
  EXPECT_FALSE(transport.sent.at(1).behind);
}

// What its answer waits for is not the host's doing.
TEST_F(FetchPipelining, TheTimeOfItsFirstByteIsNotNoted) {
  one = want(0, 99);
  transport.connect(0);
  clock.advance(1ms);
  transport.head(0, 206, part(0, 99));
  two = want(100, 199);
  finish(0);
  begin(1);
  finish(1);
  EXPECT_EQ(near.get().first_byte, 1ms);
  EXPECT_EQ(hosts.at("one:80").health.expected(0, clock.now()), 1ms);
}

TEST_F(FetchPipelining, NeitherForHedging) {
  for (int i = 0; i < 49; ++i) hosts.at("one:80").hedging.answered(20ms);
  one = want(0, 99);
  transport.connect(0);
  clock.advance(1ms);
  transport.head(0, 206, part(0, 99));  // the fiftieth
  ASSERT_EQ(hosts.at("one:80").hedging.patience(), 60ms);
  two = want(100, 199);
  finish(0);
  transport.connect(1, true);
  clock.advance(59ms);
  transport.head(1, 206, part(100, 199));
  finish(1);
  EXPECT_EQ(hosts.at("one:80").hedging.patience(), 60ms);
}

TEST_F(FetchPipelining, ItsTurnMayTakeTimeAsLongAsThereIsSome) {
  begin_both();
  pass(1s);
  finish(0);
  transport.connect(1, true);
  pass(1s);
  EXPECT_EQ(transport.count(), 2u);
  transport.head(1, 206, part(100, 199));
  pass(5s);
  finish(1);
  EXPECT_EQ(two->bytes, text(100, 199));
  EXPECT_EQ(transport.count(), 2u);
}

// ------------------------------------------------------------------------- what comes to nothing

// S-CONN-4
TEST_F(FetchPipelining, ATurnThatDoesNotComeIsNotWaitedFor) {
  begin_both();
  pass(2s);
  EXPECT_TRUE(transport.sent[1].aborted);
  EXPECT_FALSE(transport.sent[0].aborted);
  expect_asked_alone();
  EXPECT_FALSE(pipelines()) << "for a while";
  clock.advance(10min);
  near.note_first_byte(1ms, clock.now());
  EXPECT_TRUE(pipelines()) << "again";
}

TEST_F(FetchPipelining, AnAnswerThatDoesNotComeInItsTurnIsAskedForAgain) {
  begin_both();
  finish(0);
  transport.connect(1, true);
  pass(2s);
  EXPECT_TRUE(transport.sent[1].aborted);
  expect_asked_alone();
}

// Such as an error that was meant for half a request.
TEST_F(FetchPipelining, AnotherAnswerIsNobodysFault) {
  const auto wrong = part(0, 99);
  for (const auto& [status, headers] :
       {std::pair{400, Headers{{"Content-Length", "5"}}}, std::pair{404, Headers{}},
        std::pair{302, Headers{{"Location", "/to"}}}, std::pair{500, Headers{}},
        std::pair{200, Headers{{"Content-Length", "1000"}}}, std::pair{206, wrong},
        std::pair{206, part(100, 199, "\"v2\"")}}) {
    SCOPED_TRACE(status);
    transport.sent.clear();
    transport.live.clear();
    observer.events.clear();
    begin_both();
    finish(0);
    transport.connect(1, true);
    EXPECT_FALSE(transport.head(1, status, headers));
    expect_asked_alone();
    EXPECT_FALSE(pipelines());
    clock.advance(10min);
    near.note_first_byte(1ms, clock.now());
  }
}

TEST_F(FetchPipelining, NonsenseIsNobodysFault) {
  begin_both();
  finish(0);
  transport.connect(1, true);
  transport.end(1, Fault::protocol);
  expect_asked_alone();
}

// It means all requests of the server.
TEST_F(FetchPipelining, AnAskedForPauseIsKept) {
  begin_both();
  finish(0);
  transport.connect(1, true);
  transport.head(1, 503, {{"Retry-After", "20"}, {"Content-Length", "0"}});
  EXPECT_FALSE(observer.saw("pipelining"));
  pass(19s);
  EXPECT_EQ(transport.count(), 2u);
  pass(2s);
  EXPECT_EQ(transport.count(), 3u);
}

// No answer in its turn, while the second one is on its way.
TEST_F(FetchPipelining, AHedgeGoesOnWhereNoAnswerComesInItsTurn) {
  earn_a_hedge();
  begin_both();
  finish(0);
  transport.connect(1, true);
  pass(60ms);
  ASSERT_EQ(transport.count(), 3u) << "the hedge";
  pass(1940ms);
  ASSERT_EQ(transport.count(), 3u);
  EXPECT_TRUE(transport.sent[1].aborted);
  EXPECT_TRUE(transport.sent[2].live());
  EXPECT_TRUE(observer.saw("pipelining"));
  begin(2);
  finish(2);
  EXPECT_EQ(two->bytes, text(100, 199));
}

TEST_F(FetchPipelining, AHedgeThatIsFirstEndsItForAWhile) {
  earn_a_hedge();
  begin_both();
  finish(0);
  transport.connect(1, true);
  pass(60ms);
  begin(2);
  finish(2);
  EXPECT_EQ(two->bytes, text(100, 199));
  EXPECT_FALSE(pipelines());
}

// Want of memory, which is ours.
TEST_F(FetchPipelining, OurOwnTroubleInItsTurnIsNotHeldAgainstIt) {
  begin_both();
  finish(0);
  transport.connect(1, true);
  transport.end(1, Fault::local);
  loop.advance();
  EXPECT_FALSE(observer.saw("pipelining"));
  EXPECT_EQ(loop.status().errors, 1u);
}

TEST_F(FetchPipelining, AChangeOfNetworkIsNotHeldAgainstIt) {
  begin_both();
  loop.network_changed("route");
  pass(2s);
  EXPECT_FALSE(observer.saw("pipelining"));
}

// S-NET-9
TEST_F(FetchPipelining, AHedgeThatIsOutGoesOnAlone) {
  earn_a_hedge();
  begin_both();
  finish(0);
  transport.connect(1, true);
  pass(60ms);
  ASSERT_EQ(transport.count(), 3u) << "the hedge";
  transport.head(1, 400, {});
  loop.advance();
  ASSERT_EQ(transport.count(), 3u);
  EXPECT_TRUE(transport.sent[2].live());
  begin(2);
  finish(2);
  EXPECT_EQ(two->bytes, text(100, 199));
}

// Which is no word about the server.
TEST_F(FetchPipelining, OurOwnSleepIsNotHeldAgainstIt) {
  begin_both();
  pass(6s);
  ASSERT_EQ(transport.count(), 3u) << "asked for again all the same";
  EXPECT_FALSE(transport.sent[2].behind);
  EXPECT_FALSE(observer.saw("pipelining"));
}

TEST_F(FetchPipelining, AnAnswerThatIsCutWithARequestBehindItEndsItForAWhile) {
  begin_both();
  transport.body(0, text(0, 49));
  transport.end(0, Fault::reset);
  transport.lose(1);
  loop.advance();
  EXPECT_TRUE(observer.saw("pipelining"));
  EXPECT_FALSE(hosts.at("one:80").health.ailing());
  ASSERT_EQ(transport.count(), 3u) << "at once";
  EXPECT_EQ(transport.sent[2].range().first, 50u);
  finish_alone(1);
  finish_alone(2);
  EXPECT_EQ(one->bytes, text(0, 99));
  EXPECT_EQ(two->bytes, text(100, 199));
  EXPECT_FALSE(pipelines());
}

// The transport sends it again by itself.
TEST_F(FetchPipelining, AConnectionThatEndsInItsTurnIsTheLastOneForAWhile) {
  begin_both();
  finish(0);
  transport.connect(1, true);
  transport.lose(1);
  transport.connect(1);
  transport.head(1, 206, part(100, 199));
  finish(1);
  EXPECT_EQ(two->bytes, text(100, 199));
  EXPECT_EQ(transport.count(), 2u);
  EXPECT_FALSE(pipelines());
}

// Its dial takes the time that dials take, and fails as they do.
TEST_F(FetchPipelining, OverANewConnectionItIsLikeAnyOther) {
  begin_both();
  one->took = fetch::RangeSink::Took::enough;
  pass(1900ms);
  transport.body(0, text(0, 9));
  transport.end(0, Fault::none);
  transport.lose(1);
  pass(5s);
  EXPECT_TRUE(transport.sent[1].live());
  transport.end(1, Fault::connect);
  loop.advance();
  EXPECT_EQ(loop.status().errors, 1u);
  EXPECT_TRUE(hosts.at("one:80").health.ailing());
  EXPECT_EQ(hosts.at("one:80").breaker().failures(), 1u);
  EXPECT_FALSE(observer.saw("pipelining"));
}

TEST_F(FetchPipelining, ABodyThatBreaksGoesOnWhereItWas) {
  begin_both();
  finish(0);
  begin(1);
  transport.body(1, text(100, 149));
  transport.end(1, Fault::reset);
  await_request(3);
  EXPECT_EQ(transport.sent[2].range().first, 150u);
  EXPECT_FALSE(observer.saw("pipelining"));
}

TEST_F(FetchPipelining, StopEndsWhatWaitsForItsTurn) {
  begin_both();
  loop.stop();
  EXPECT_EQ(one->outcome(), kCanceled);
  EXPECT_EQ(two->outcome(), kCanceled);
  EXPECT_EQ(transport.running(), 0u);
}

}  // namespace
}  // namespace skimfs::test
