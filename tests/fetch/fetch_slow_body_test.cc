// SPDX-License-Identifier: MIT
//
// Bodies that nearly stand still while a reader waits, played on a scripted transport: which of
// them goes on over another connection, from which byte, and that nothing else notices.
#include <map>
#include <utility>

#include "tests/fetch/loop_by_chance.h"
#include "tests/fetch/loop_fixture.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using fetch::Fault;
using fetch::Priority;

// Bodies of "one:80" are of a thousand bytes and bring 25 of them in a millisecond, so 2500 in a
// second are slow.
class SlowBody : public FetchLoopTest {
 protected:
  using FetchLoopTest::FetchLoopTest;
  static constexpr std::uint64_t kLarge = 100'000;

  void time_bodies(int count, const std::string& url = "http://one/file",
                   fetch::Duration first_byte = 20ms) {
    for (int i = 0; i < count; ++i) {
      want(0, 999, Priority::demand, url);
      const std::size_t sent = transport.count() - 1;
      transport.connect(sent);
      pass(first_byte);
      transport.head(sent, 206, part(0, 999));
      pass(20ms);
      transport.body(sent, text(0, 999));
      transport.end(sent);
      loop.advance();
    }
  }
  std::shared_ptr<RecordingSink> want_large(Priority priority = Priority::demand,
                                            std::vector<std::string> urls = {"http://one/large",
                                                                             "http://two/large"},
                                            std::vector<fetch::Standing> standings = {
                                                fetch::Standing::usable,
                                                fetch::Standing::unusable}) {
    auto sink = std::make_shared<RecordingSink>();
    sink->expected = {kLarge, std::string(kTag), {}};
    sink->standings = std::move(standings);
    loop.add(fetch::RangeOrder{.id = 7,
                               .object = object_at(std::move(urls)),
                               .range = {0, kLarge - 1},
                               .priority = priority,
                               .sink = sink});
    loop.advance();
    first = transport.count() - 1;
    hedge = first + 1;
    return sink;
  }
  void begin_body(std::size_t i) {
    const auto range = transport.sent.at(i).range();
    transport.head(i, 206, part(range.first, range.last, kTag, kLarge));
    sent_of[i] = range.first;
  }
  void more(std::size_t i, std::uint64_t bytes) {
    transport.body(i, text(sent_of[i], sent_of[i] + bytes - 1));
    sent_of[i] += bytes;
  }
  void rest(std::size_t i) {
    more(i, transport.sent[i].range().last + 1 - sent_of[i]);
    if (transport.sent[i].live()) transport.end(i);
    loop.advance();
  }
  // A read whose body has brought `bytes` in its first second; what was sent for it: `first`, and
  // `hedge` unless there is none.
  std::shared_ptr<RecordingSink> slow(std::uint64_t bytes = 1000,
                                      Priority priority = Priority::demand) {
    const auto sink = want_large(priority);
    transport.connect(first, true);
    begin_body(first);
    if (bytes > 0) more(first, bytes);
    pass(1s);
    return sink;
  }
  bool hedged() const { return transport.count() > hedge; }

  std::size_t first = 0, hedge = 0;
  std::map<std::size_t, std::uint64_t> sent_of;
};

// ------------------------------------------------------------------------------------ who moves

// S-NET-10
TEST_F(SlowBody, TheRestIsAskedForAgainAndTakenFromWhoAnswers) {
  time_bodies(50);
  const auto sink = slow(1000);
  ASSERT_TRUE(hedged());
  EXPECT_TRUE(observer.saw("hedge"));
  EXPECT_TRUE(transport.sent[hedge].request.fresh);
  EXPECT_EQ(transport.sent[hedge].range(), (fetch::ByteRange{1000, kLarge - 1}));
  transport.connect(hedge);
  begin_body(hedge);
  loop.advance();
  EXPECT_TRUE(transport.sent[first].aborted);
  rest(hedge);
  EXPECT_EQ(sink->bytes, text(0, kLarge - 1));
  EXPECT_EQ(sink->outcomes, std::vector{std::error_code()});
  EXPECT_EQ(loop.status().hedges, 1u);
  EXPECT_EQ(loop.status().hedges_won, 1u);
  EXPECT_EQ(loop.status().errors + loop.status().retries, 0u);
  EXPECT_EQ(transport.running(), 0u);
}

TEST_F(SlowBody, WhatTheFirstOneBringsMeanwhileIsNotTakenTwice) {
  time_bodies(50);
  const auto sink = slow(1000);
  transport.connect(hedge);
  pass(1s);
  more(first, 500);
  begin_body(hedge);
  EXPECT_EQ(sink->bytes.size(), 1500u);
  rest(hedge);
  EXPECT_EQ(sink->bytes, text(0, kLarge - 1));
  EXPECT_EQ(sink->outcome(), std::error_code());
  EXPECT_EQ(loop.status().bytes_received, 50 * 1000 + kLarge);
}

TEST_F(SlowBody, ATenthOfTheUsualIsSlow) {
  time_bodies(50);
  slow(2500);
  EXPECT_TRUE(hedged());
}

TEST_F(SlowBody, MoreThanATenthIsNotSlow) {
  time_bodies(50);
  slow(2501);
  EXPECT_FALSE(hedged());
  pass(1s);
  EXPECT_TRUE(hedged()) << "nothing at all in the next second";
}

TEST_F(SlowBody, TheLoopWakesToLookAtWhatAReaderWaitsFor) {
  time_bodies(50);
  want_large();
  transport.connect(first, true);
  begin_body(first);
  EXPECT_EQ(loop.wake_at(), clock.now() + 1s);
  pass(999ms);
  EXPECT_FALSE(hedged());
  more(first, 5000);
  pass(1ms);
  EXPECT_FALSE(hedged());
  EXPECT_EQ(loop.wake_at(), clock.now() + 1s);
}

TEST_F(SlowBody, NoBodyIsSlowBeforeFiftyWereTimed) {
  time_bodies(49);
  time_bodies(1, "http://two/file");
  slow(0);
  pass(10s);
  EXPECT_FALSE(hedged());
}

TEST_F(SlowBody, AHostOfAnotherNetworkIsTimedAnew) {
  time_bodies(50);
  loop.network_changed("address");
  slow(0);
  EXPECT_FALSE(hedged());
}

TEST_F(SlowBody, ADistantHostHasTenRoundTrips) {
  time_bodies(50, "http://one/file", 300ms);
  want_large();
  transport.connect(first);
  pass(300ms);
  begin_body(first);
  pass(1s);
  pass(1999ms);
  EXPECT_FALSE(hedged()) << "a new connection begins slowly";
  pass(1ms);
  EXPECT_TRUE(hedged());
}

TEST_F(SlowBody, WhatIsFetchedAheadMayBeSlow) {
  time_bodies(50);
  for (const Priority priority : {Priority::next, Priority::window, Priority::sibling}) {
    slow(0, priority);
    EXPECT_FALSE(hedged());
  }
}

TEST_F(SlowBody, UntilAReaderWaitsForIt) {
  time_bodies(50);
  slow(0, Priority::window);
  loop.promote(7);
  loop.advance();
  EXPECT_FALSE(hedged());
  pass(1s);
  EXPECT_TRUE(hedged());
}

TEST_F(SlowBody, WhatNobodyWaitsForAnyMoreStays) {
  time_bodies(50);
  const auto sink = want_large();
  transport.connect(first, true);
  begin_body(first);
  sink->is_wanted = false;
  pass(1s);
  EXPECT_FALSE(hedged());
  sink->is_wanted = true;
  sink->is_useful = false;
  pass(1s);
  EXPECT_FALSE(hedged());
}

TEST_F(SlowBody, ABodyThatWillSoonBeCompleteStays) {
  time_bodies(50);
  want_large();
  transport.connect(first, true);
  begin_body(first);
  more(first, kLarge - 2000);
  pass(1s);
  more(first, 1000);
  pass(1s);
  EXPECT_FALSE(hedged()) << "as much is left as came in the last second";
  more(first, 1);
  pass(1s);
  EXPECT_TRUE(hedged());
}

TEST_F(SlowBody, ABodyWithoutALengthStaysSinceItWouldBeginAgain) {
  time_bodies(50);
  want_large();
  transport.connect(first, true);
  transport.head(first, 206,
                 {{"Content-Range", "bytes 0-99999/100000"},
                  {"ETag", std::string(kTag)},
                  {"Transfer-Encoding", "chunked"}});
  pass(1s);
  EXPECT_TRUE(transport.sent[first].live());
  EXPECT_FALSE(hedged());
}

TEST_F(SlowBody, ThePauseOfThisMachineIsNotTheServers) {
  time_bodies(50);
  want_large();
  transport.connect(first, true);
  begin_body(first);
  pass(2s);
  EXPECT_FALSE(hedged());
  pass(1s);
  EXPECT_TRUE(hedged());
}

// ------------------------------------------------------------------------------ slots and budget

TEST_F(SlowBody, AHostWhoseBodiesAreAllSlowIsNotAskedForMore) {
  time_bodies(50);
  const auto other = want_large();
  transport.connect(first, true);
  begin_body(first);
  slow(0);
  EXPECT_FALSE(hedged());
}

TEST_F(SlowBody, AHostThatIsFastElsewhereIs) {
  time_bodies(50);
  const auto other = want_large();
  const std::size_t fast = first;
  transport.connect(fast, true);
  begin_body(fast);
  want_large();
  transport.connect(first, true);
  begin_body(first);
  pass(900ms);
  more(fast, 30'000);
  pass(100ms);
  ASSERT_TRUE(hedged());
  EXPECT_EQ(transport.count(), hedge + 1) << "and for the slow one only";
  EXPECT_EQ(transport.sent[hedge].range(), (fetch::ByteRange{0, kLarge - 1}));
}

TEST_F(SlowBody, ThereIsNoHedgeWhereTheHostsSlotsAreTaken) {
  time_bodies(50);
  slow(2501);
  for (int i = 0; i < 3; ++i) want(0, 9);
  ASSERT_EQ(transport.running(), 4u);
  const std::size_t sent = transport.count();
  pass(1s);
  EXPECT_EQ(transport.count(), sent);
  for (std::size_t i = first + 1; i < sent; ++i) answer(i);
  EXPECT_EQ(transport.count(), sent);
  pass(1s);
  EXPECT_EQ(transport.count(), sent + 1) << "now there is a slot";
}

TEST_F(SlowBody, LateAnswersAndSlowBodiesShareTheBudget) {
  time_bodies(50);
  const auto sink = slow();
  ASSERT_TRUE(hedged());
  transport.connect(hedge);
  begin_body(hedge);
  rest(hedge);
  time_bodies(47);
  slow();
  EXPECT_FALSE(hedged()) << "99 requests";
  want(0, 9);
  answer(transport.count() - 1);
  pass(1s);
  EXPECT_EQ(loop.status().hedges, 2u) << "the hundredth";
}

TEST_F(SlowBody, AReadMovesOnce) {
  time_bodies(200);
  slow();
  transport.connect(hedge);
  begin_body(hedge);
  pass(10s);
  EXPECT_EQ(transport.count(), hedge + 1);
}

// ---------------------------------------------------------------------------------- which counts

TEST_F(SlowBody, AFirstOneThatRecoversGoesOn) {
  time_bodies(50);
  const auto sink = slow();
  transport.connect(hedge);
  more(first, 10'000);
  pass(100ms);
  begin_body(hedge);
  EXPECT_FALSE(transport.sent[hedge].live());
  rest(first);
  EXPECT_EQ(sink->bytes, text(0, kLarge - 1));
  EXPECT_EQ(sink->outcome(), std::error_code());
  EXPECT_EQ(sink->seen.size(), 1u);
  EXPECT_EQ(loop.status().hedges_won, 0u);
}

TEST_F(SlowBody, AFirstOneThatIsCompleteEndsItsHedge) {
  time_bodies(50);
  const auto sink = slow();
  transport.connect(hedge);
  rest(first);
  EXPECT_EQ(sink->outcome(), std::error_code());
  EXPECT_TRUE(transport.sent[hedge].aborted);
  EXPECT_EQ(transport.running(), 0u);
}

TEST_F(SlowBody, AHedgeThatIsRefusedMightNeverHaveBeen) {
  for (const int status : {302, 403, 404, 412, 416, 429, 503, 200}) {
    time_bodies(50);
    const auto sink = slow();
    ASSERT_TRUE(hedged()) << status;
    transport.respond(hedge, status, {{"Location", "http://one/else"}, {"Retry-After", "9"}});
    loop.advance();
    rest(first);
    EXPECT_EQ(sink->outcome(), std::error_code()) << status;
    EXPECT_EQ(sink->bytes, text(0, kLarge - 1));
  }
  for (const Fault why : {Fault::connect, Fault::reset, Fault::tls, Fault::none}) {
    time_bodies(50);
    const auto sink = slow();
    ASSERT_TRUE(hedged());
    transport.end(hedge, why);
    loop.advance();
    rest(first);
    EXPECT_EQ(sink->outcome(), std::error_code());
  }
  const auto status = loop.status();
  EXPECT_EQ(status.retries + status.errors + status.redirects + status.hedges_won, 0u);
  EXPECT_EQ(status.hosts.at(0).limit, 4u);
}

TEST_F(SlowBody, AHedgeOfAnotherVersionOrWithoutALengthIsNotTaken) {
  time_bodies(50);
  const auto sink = slow();
  transport.connect(hedge);
  EXPECT_FALSE(transport.head(hedge, 206, part(1000, kLarge - 1, "\"v2\"", kLarge)));
  rest(first);
  EXPECT_EQ(sink->outcome(), std::error_code());
  time_bodies(50);
  const auto other = slow();
  transport.connect(hedge);
  EXPECT_FALSE(transport.head(hedge, 206,
                              {{"Content-Range", "bytes 1000-99999/100000"},
                               {"ETag", std::string(kTag)},
                               {"Transfer-Encoding", "chunked"}}));
  EXPECT_TRUE(other->counted);
  rest(first);
  EXPECT_EQ(other->bytes, text(0, kLarge - 1));
  EXPECT_EQ(other->outcome(), std::error_code());
}

TEST_F(SlowBody, AHedgeThatBringsNoneOfWhatIsMissingIsNotTaken) {
  time_bodies(50);
  const auto sink = slow();
  transport.connect(hedge);
  more(first, 10);
  pass(1s);
  EXPECT_FALSE(transport.head(hedge, 206, part(1000, 1009, kTag, kLarge)));
  rest(first);
  EXPECT_EQ(sink->bytes, text(0, kLarge - 1));
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(SlowBody, AHedgeThatBringsSomeOfItIsAndTheRestIsAskedFor) {
  time_bodies(50);
  const auto sink = slow();
  transport.connect(hedge);
  more(first, 10);
  pass(1s);
  transport.head(hedge, 206, part(1000, 1019, kTag, kLarge));
  transport.body(hedge, text(1000, 1019));
  EXPECT_EQ(sink->bytes, text(0, 1019));
  loop.advance();
  EXPECT_EQ(transport.sent.back().range(), (fetch::ByteRange{1020, kLarge - 1}));
}

TEST_F(SlowBody, WhereTheFirstBreaksTheHedgeGoesOnFromTheFirstByteMissing) {
  time_bodies(50);
  const auto sink = slow(1000);
  transport.connect(hedge);
  more(first, 700);
  transport.end(first, Fault::reset);
  loop.advance();
  EXPECT_EQ(transport.count(), hedge + 1) << "nothing is asked for a third time";
  begin_body(hedge);
  rest(hedge);
  EXPECT_EQ(sink->bytes, text(0, kLarge - 1));
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(SlowBody, WhereTheFirstBreaksAndTheHedgeBringsNothingMissingTheReadGoesOn) {
  time_bodies(50);
  const auto sink = slow(1000);
  transport.connect(hedge);
  more(first, 700);
  transport.end(first, Fault::reset);
  loop.advance();
  if (transport.head(hedge, 206, part(1000, 1009, kTag, kLarge)))
    transport.body(hedge, text(1000, 1009));
  await_request(hedge + 2);
  EXPECT_EQ(sink->bytes, text(0, 1699));
  transport.connect(hedge + 1);
  EXPECT_EQ(transport.sent[hedge + 1].range(), (fetch::ByteRange{1700, kLarge - 1}));
  begin_body(hedge + 1);
  rest(hedge + 1);
  EXPECT_EQ(sink->bytes, text(0, kLarge - 1));
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(SlowBody, AStalledOneWhoseHedgeIsAsSilentIsRepeatedAsBefore) {
  time_bodies(50);
  const auto sink = slow(1000);
  transport.connect(hedge);
  pass(14s);
  await_request(hedge + 2);
  EXPECT_TRUE(observer.saw("stall"));
  EXPECT_EQ(transport.sent[hedge + 1].range(), (fetch::ByteRange{1000, kLarge - 1}));
  EXPECT_TRUE(transport.sent[first].aborted);
  EXPECT_TRUE(transport.sent[hedge].aborted);
}

TEST_F(SlowBody, StoppingEndsBoth) {
  time_bodies(50);
  const auto sink = slow();
  ASSERT_TRUE(hedged());
  loop.stop();
  EXPECT_EQ(sink->outcomes, std::vector{kCanceled});
  EXPECT_EQ(transport.running(), 0u);
  EXPECT_EQ(hosts.at("one:80").running(), 0u);
}

// -------------------------------------------------------------------------------------- mirrors

class SlowBodyWithMirror : public SlowBody {
 protected:
  // "two:80" answers within `first_byte` and brings a mebibyte in a second.
  void measure_mirror(fetch::Duration first_byte = 20ms) {
    fetch::HostHealth& health = hosts.at("two:80").health;
    health.answered(first_byte, clock.now());
    health.transferred(1 << 20, 1s, clock.now());
  }
  std::shared_ptr<RecordingSink> slow_with_mirror(
      fetch::Standing standing = fetch::Standing::usable) {
    const auto sink = want_large(Priority::demand, {"http://one/large", "http://two/large"},
                                 {fetch::Standing::usable, standing});
    while (transport.sent[first].request.host_port != "one:80") --first;  // before any scout
    transport.connect(first, true);
    begin_body(first);
    more(first, 1000);
    pass(1s);
    return sink;
  }
};

TEST_F(SlowBodyWithMirror, TheRestComesFromAMirrorThatIsKnownToBeFaster) {
  time_bodies(50);
  measure_mirror();
  const auto sink = slow_with_mirror();
  ASSERT_EQ(transport.count(), hedge + 1);
  EXPECT_TRUE(transport.sent[first].aborted);
  EXPECT_EQ(transport.sent[hedge].request.host_port, "two:80");
  EXPECT_EQ(transport.sent[hedge].range(), (fetch::ByteRange{1000, kLarge - 1}));
  transport.connect(hedge);
  begin_body(hedge);
  rest(hedge);
  EXPECT_EQ(sink->bytes, text(0, kLarge - 1));
  EXPECT_EQ(sink->sources, (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(loop.status().mirror_switches, 1u);
  EXPECT_EQ(loop.status().hedges, 0u);
}

TEST_F(SlowBodyWithMirror, AlsoWhereAllBodiesOfTheHostAreSlow) {
  time_bodies(50);
  want_large();
  transport.connect(first, true);
  begin_body(first);
  measure_mirror();
  slow_with_mirror();
  EXPECT_EQ(transport.sent.back().request.host_port, "two:80");
}

TEST_F(SlowBodyWithMirror, ButNotFromOneThatMayHaveOtherBytes) {
  time_bodies(200);
  measure_mirror();
  for (const auto standing : {fetch::Standing::unusable, fetch::Standing::doubtful}) {
    slow_with_mirror(standing);
    EXPECT_EQ(transport.sent.at(hedge).request.host_port, "one:80");
    EXPECT_TRUE(transport.sent[hedge].request.fresh);
    rest(first);
  }
}

TEST_F(SlowBodyWithMirror, NorFromOneOfUnknownSpeed) {
  time_bodies(50);
  slow_with_mirror();
  EXPECT_EQ(transport.sent.back().request.host_port, "one:80");
  EXPECT_TRUE(transport.sent.back().request.fresh);
}

TEST_F(SlowBodyWithMirror, NorFromOneThatIsAsSlow) {
  time_bodies(50);
  measure_mirror(80s);
  slow_with_mirror();
  EXPECT_EQ(transport.sent.back().request.host_port, "one:80");
}

TEST_F(SlowBodyWithMirror, NorFromOneThatFailedLately) {
  time_bodies(50);
  measure_mirror();
  hosts.at("two:80").health.failed(clock.now() + 10ms, clock.now() + 10ms);
  slow_with_mirror();
  EXPECT_EQ(transport.sent.back().request.host_port, "one:80");
}

TEST_F(SlowBodyWithMirror, NorFromOneWithoutAFreeSlot) {
  time_bodies(50);
  measure_mirror();
  for (int i = 0; i < 4; ++i) want(0, 9, Priority::demand, "http://two/file");
  slow_with_mirror();
  EXPECT_EQ(transport.running("two:80"), 4u);
  EXPECT_TRUE(transport.sent[first].live());
}

// ------------------------------------------------------------------------------ many, by chance

// A thousand reads of a server some of whose bodies stand still, crawl, recover or break.
class SlowBodyByChance : public LoopByChance {
 protected:
  SlowBodyByChance() : LoopByChance({.file = 1 << 22, .longest = 40'001, .reads = 1'000}) {}

  void on_sent(std::size_t i) override {
    transport_.connect(i, chance(2));
    servers_[i] = {clock_.now() + time_between(5, 30), transport_.sent[i].range().first};
  }
  void serve() override {
    for (auto next = servers_.begin(); next != servers_.end();) {
      auto& [i, server] = *next++;
      if (!transport_.sent[i].live()) {
        servers_.erase(i);
        continue;
      }
      if (server.due > clock_.now()) continue;
      server.due = clock_.now() + until_next();
      serve(i, server);
    }
  }

 private:
  static constexpr std::uint64_t kPiece = 2000;

  struct Server {
    fetch::TimePoint due{};
    std::uint64_t at = 0;
    std::uint64_t end = 0;  // of what was announced; 0: nothing was
  };

  std::chrono::milliseconds until_next() {
    if (chance(150)) return time_between(1000, 30'000);
    if (chance(50)) return time_between(100, 900);
    return time_between(1, 5);
  }
  void serve(std::size_t i, Server& server) {
    const auto range = transport_.sent[i].range();
    if (chance(300)) return transport_.end(i, Fault::reset);
    if (server.end == 0) {
      if (chance(100)) return transport_.respond(i, 503);
      const std::uint64_t last = chance(20) ? pick(range.first, range.last) : range.last;
      server.end = last + 1;
      transport_.head(i, 206, part_of_file(range.first, last));
      return;
    }
    const std::uint64_t count = std::min(kPiece, server.end - server.at);
    const std::uint64_t at = std::exchange(server.at, server.at + count);
    if (transport_.body(i, body_.text(at, count)) && server.at == server.end) transport_.end(i);
  }

  std::map<std::size_t, Server> servers_;
};

TEST_P(SlowBodyByChance, EveryByteIsTakenOnceAndAFiftiethIsAskedForTwice) {
  run();
  EXPECT_EQ(loop_.status().bytes_received, expect_right_bytes()) << "each byte once";
  EXPECT_GT(loop_.status().hedges_won, shape_.reads / 200) << loop_.status().hedges;
}

INSTANTIATE_TEST_SUITE_P(FromSeed, SlowBodyByChance, testing::Values(1, 2, 3));

}  // namespace
}  // namespace skimfs::test
