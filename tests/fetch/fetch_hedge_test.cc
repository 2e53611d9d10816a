// SPDX-License-Identifier: MIT
//
// Second requests for late answers, played on a scripted transport: who gets one, which answer
// counts, and that nothing else notices.
#include <map>

#include "tests/fetch/loop_by_chance.h"
#include "tests/fetch/loop_fixture.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using fetch::Errc;
using fetch::Fault;
using fetch::Priority;

class Hedge : public FetchLoopTest {
 protected:
  using FetchLoopTest::FetchLoopTest;

  // So many answers of "one:80", each after 20 ms; with fifty an answer is late after 60 ms.
  void time_answers(int count) {
    for (int i = 0; i < count; ++i) {
      want(0, 9);
      const std::size_t sent = transport.count() - 1;
      transport.connect(sent);
      pass(20ms);
      finish(sent);
    }
  }
  void finish(std::size_t i) {
    const auto range = transport.sent.at(i).range();
    transport.head(i, 206, part(range.first, range.last));
    transport.body(i, text(range.first, range.last));
    if (transport.sent[i].live()) transport.end(i);
    loop.advance();
  }
  // A read whose answer is late, and what was sent for it: `first`, and `hedge` unless there is
  // none.
  std::shared_ptr<RecordingSink> late(Priority priority = Priority::demand) {
    first = transport.count();
    hedge = first + 1;
    const auto sink = want(10, 19, priority);
    transport.connect(first);
    pass(60ms);
    return sink;
  }
  bool hedged() const { return transport.count() > hedge; }

  std::size_t first = 0, hedge = 0;
};

// --------------------------------------------------------------------------------- who gets one

// S-NET-9
TEST_F(Hedge, ALateReadIsAskedForAgainAndWhatComesFirstIsTaken) {
  time_answers(50);
  const auto sink = late();
  ASSERT_TRUE(hedged());
  EXPECT_TRUE(observer.saw("hedge"));
  transport.connect(hedge);
  finish(hedge);
  EXPECT_EQ(sink->bytes, text(10, 19));
  EXPECT_EQ(sink->outcomes, std::vector{std::error_code()});
  EXPECT_TRUE(transport.sent[first].aborted);
  EXPECT_EQ(loop.status().hedges, 1u);
  EXPECT_EQ(loop.status().hedges_won, 1u);
}

TEST_F(Hedge, TheSecondRequestIsTheFirstOverAFreshConnection) {
  time_answers(50);
  late();
  ASSERT_TRUE(hedged());
  const auto &one = transport.sent[first].request, &two = transport.sent[hedge].request;
  EXPECT_EQ(two.url, one.url);
  EXPECT_EQ(two.headers, one.headers);
  EXPECT_EQ(two.public_only, one.public_only);
  EXPECT_FALSE(one.fresh);
  EXPECT_TRUE(two.fresh);
}

TEST_F(Hedge, TheLoopWakesWhenAnAnswerIsLateAndNotBefore) {
  time_answers(50);
  want(10, 19);
  const std::size_t sent = transport.count();
  transport.connect(sent - 1);
  EXPECT_EQ(loop.wake_at(), clock.now() + 60ms);
  pass(59ms);
  EXPECT_EQ(transport.count(), sent);
  clock.advance(1ms);
  EXPECT_LE(loop.wake_at(), clock.now());
  loop.advance();
  EXPECT_EQ(transport.count(), sent + 1);
  EXPECT_GT(loop.wake_at(), clock.now() + 1s) << "once is enough";
}

TEST_F(Hedge, NobodyIsLateBeforeFiftyAnswers) {
  time_answers(49);
  late();
  pass(10s);
  EXPECT_FALSE(hedged());
}

TEST_F(Hedge, WhatIsFetchedAheadIsNotAskedForTwice) {
  time_answers(50);
  for (const Priority priority : {Priority::next, Priority::window, Priority::sibling}) {
    late(priority);
    EXPECT_FALSE(hedged());
  }
}

TEST_F(Hedge, WhatWasFetchedAheadIsOnceAReaderWaitsForIt) {
  time_answers(50);
  first = transport.count();
  const auto sink = want(10, 19, Priority::window, "http://one/file", false, 7);
  transport.connect(first);
  pass(10s);
  ASSERT_EQ(transport.count(), first + 1);
  loop.promote(7);
  loop.advance();
  ASSERT_EQ(transport.count(), first + 2);
  finish(first + 1);
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(Hedge, WhatNobodyWaitsForAnyMoreIsNot) {
  time_answers(50);
  first = transport.count();
  const auto sink = want(10, 19);
  transport.connect(first);
  sink->is_wanted = false;
  pass(60ms);
  EXPECT_EQ(transport.count(), first + 1);
}

TEST_F(Hedge, AProbeIsNot) {
  time_answers(50);
  const std::size_t sent = transport.count();
  const auto sink = probe();
  transport.connect(sent);
  pass(10s);
  EXPECT_EQ(transport.count(), sent + 1);
}

TEST_F(Hedge, AnAnswerThatHasBegunIsNotLate) {
  time_answers(50);
  want(10, 19);
  const std::size_t sent = transport.count();
  transport.connect(sent - 1);
  transport.head(sent - 1, 206, part(10, 19));
  pass(10s);
  EXPECT_EQ(transport.count(), sent);
}

TEST_F(Hedge, AReadGetsOneHedgeHoweverOftenItIsRepeated) {
  time_answers(200);
  late();
  transport.end(first, Fault::reset);
  transport.end(hedge, Fault::reset);
  await_request(hedge + 2);
  transport.connect(hedge + 1);
  pass(10s);
  EXPECT_EQ(transport.count(), hedge + 2);
}

TEST_F(Hedge, AHostOfAnotherNetworkIsTimedAnew) {
  time_answers(50);
  loop.network_changed("address");
  late();
  EXPECT_FALSE(hedged());
}

// ------------------------------------------------------------------------------ slots and budget

TEST_F(Hedge, ThereIsNoneWhereTheHostsSlotsAreTaken) {
  time_answers(50);
  const std::size_t sent = transport.count();
  for (int i = 0; i < 5; ++i) want(0, 9);
  ASSERT_EQ(transport.running(), 4u);
  for (std::size_t i = sent; i < sent + 4; ++i) transport.connect(i);
  pass(60ms);
  EXPECT_EQ(transport.count(), sent + 4);
  EXPECT_GT(loop.wake_at(), clock.now() + 1s) << "time alone frees none";
  finish(sent);
  EXPECT_EQ(transport.count(), sent + 5) << "the read that queued goes first";
  EXPECT_EQ(loop.status().hedges, 0u);
  finish(sent + 1);
  EXPECT_EQ(loop.status().hedges, 1u) << "now there is a slot";
}

TEST_F(Hedge, AFiftiethOfTheRequestsEarnsOne) {
  time_answers(50);
  late();
  ASSERT_TRUE(hedged());
  finish(first);
  time_answers(47);
  late();
  EXPECT_FALSE(hedged()) << "99 requests";
  want(0, 9);
  EXPECT_TRUE(transport.sent.back().request.fresh) << "the hundredth";
  EXPECT_EQ(loop.status().hedges, 2u);
}

TEST_F(Hedge, AReadThatGivesItsSlotToAnotherHostGivesThatOfItsHedgeToo) {
  time_answers(200);
  const std::size_t three = transport.count();
  for (int i = 0; i < 4; ++i) want(0, 9, Priority::demand, "http://three/file");
  first = transport.count();
  for (int i = 0; i < 2; ++i) want(10, 19);
  transport.connect(first);
  transport.connect(first + 1);
  pass(60ms);
  ASSERT_EQ(loop.status().hedges, 2u);
  ASSERT_EQ(transport.running(), 8u);
  for (std::size_t i = three; i < first; ++i) transport.connect(i);
  want(0, 9, Priority::demand, "http://two/file");
  pass(2s - 60ms);
  EXPECT_EQ(transport.running("two:80"), 1u);
  EXPECT_TRUE(transport.sent[first].aborted);
  loop.advance();
  EXPECT_TRUE(transport.sent[first + 2].aborted);
  EXPECT_TRUE(transport.sent[first + 1].live());
}

// ---------------------------------------------------------------------------------- which counts

TEST_F(Hedge, TheFirstOneWinsIfItAnswersFirst) {
  time_answers(50);
  const auto sink = late();
  transport.connect(hedge);
  finish(first);
  EXPECT_EQ(sink->bytes, text(10, 19));
  EXPECT_EQ(sink->outcome(), std::error_code());
  EXPECT_TRUE(transport.sent[hedge].aborted);
  EXPECT_EQ(loop.status().hedges_won, 0u);
  EXPECT_EQ(transport.running(), 0u);
}

TEST_F(Hedge, OnlyOneBodyIsTakenThoughBothAnswerAtOnce) {
  time_answers(50);
  for (const bool hedge_first : {true, false}) {
    time_answers(50);
    const auto sink = late();
    ASSERT_TRUE(hedged());
    transport.connect(hedge);
    const std::size_t winner = hedge_first ? hedge : first, loser = hedge_first ? first : hedge;
    EXPECT_TRUE(transport.head(winner, 206, part(10, 19)));
    EXPECT_FALSE(transport.head(loser, 206, part(10, 19)));
    transport.body(winner, text(10, 19));
    EXPECT_EQ(sink->bytes, text(10, 19));
    EXPECT_EQ(sink->seen.size(), 1u);
    transport.end(winner);
    loop.advance();
    EXPECT_EQ(transport.running(), 0u);
  }
}

TEST_F(Hedge, AHedgeWhoseAnswerIsRefusedMightNeverHaveBeen) {
  for (const int status : {302, 400, 403, 404, 412, 416, 429, 500, 503, 200}) {
    time_answers(50);
    const auto sink = late();
    ASSERT_TRUE(hedged()) << status;
    transport.respond(hedge, status, {{"Location", "http://one/else"}, {"Retry-After", "9"}});
    pass(1s);
    EXPECT_FALSE(sink->finished()) << status;
    finish(first);
    EXPECT_EQ(sink->outcome(), std::error_code()) << status;
    EXPECT_EQ(transport.count(), hedge + 1) << status;
  }
  const auto status = loop.status();
  EXPECT_EQ(status.retries + status.errors + status.redirects + status.hedges_won, 0u);
  EXPECT_EQ(status.hosts.at(0).limit, 4u);
  EXPECT_EQ(status.hosts.at(0).pauses, 0u);
}

TEST_F(Hedge, AHedgeOfAnotherVersionIsNoReasonToDoubtThisOne) {
  time_answers(50);
  const auto sink = late();
  transport.respond(hedge, 206, part(10, 19, "\"v2\""), text(10, 19));
  loop.advance();
  finish(first);
  EXPECT_EQ(sink->outcome(), std::error_code());
  EXPECT_FALSE(observer.saw("suspect"));
  time_answers(50);
  const auto other = late();
  other->agrees = false;
  transport.respond(hedge, 206, part(10, 19), text(10, 19));
  other->agrees = true;
  finish(first);
  EXPECT_EQ(other->outcome(), std::error_code());
  EXPECT_EQ(other->bytes, text(10, 19));
}

TEST_F(Hedge, AHedgeThatBreaksIsNobodysBusiness) {
  for (const Fault why : {Fault::connect, Fault::reset, Fault::tls, Fault::local, Fault::none}) {
    time_answers(50);
    const auto sink = late();
    ASSERT_TRUE(hedged());
    transport.end(hedge, why);
    loop.advance();
    finish(first);
    EXPECT_EQ(sink->outcome(), std::error_code());
  }
  const auto status = loop.status();
  EXPECT_EQ(status.retries + status.errors, 0u);
  EXPECT_EQ(status.hosts.at(0).limit, 4u);
  EXPECT_STREQ(status.hosts.at(0).breaker, "closed");
}

TEST_F(Hedge, WhereTheFirstBreaksTheHedgeGoesOnAlone) {
  time_answers(50);
  const auto sink = late();
  transport.end(first, Fault::reset);
  loop.advance();
  EXPECT_EQ(transport.count(), hedge + 1);
  EXPECT_EQ(loop.status().retries, 0u);
  transport.connect(hedge);
  finish(hedge);
  EXPECT_EQ(sink->bytes, text(10, 19));
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(Hedge, AHedgeThatGoesOnAloneIsTimedLikeAnyOther) {
  time_answers(50);
  late();
  transport.connect(hedge);
  transport.end(first, Fault::reset);
  loop.advance();
  pass(14s);
  EXPECT_TRUE(transport.sent[hedge].live());
  pass(1s);
  EXPECT_TRUE(transport.sent[hedge].aborted);
  EXPECT_TRUE(observer.saw("first_byte_timeout"));
}

TEST_F(Hedge, WhereBothBreakTheReadIsRepeatedAsOne) {
  time_answers(50);
  const auto sink = late();
  transport.end(first, Fault::reset);
  transport.end(hedge, Fault::reset);
  await_request(hedge + 2);
  EXPECT_EQ(loop.status().retries, 1u);
  transport.connect(hedge + 1);
  finish(hedge + 1);
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(Hedge, WhereTheFirstIsRefusedItsWordCounts) {
  time_answers(50);
  const auto sink = late();
  transport.respond(first, 404);
  loop.advance();
  EXPECT_EQ(sink->outcome(), Errc::missing);
  EXPECT_TRUE(transport.sent[hedge].aborted);
}

TEST_F(Hedge, AnotherSourceIsAskedAtOnceWhereTheFirstBreaks) {
  time_answers(50);
  first = transport.count();
  auto sink = std::make_shared<RecordingSink>();
  loop.add(fetch::RangeOrder{
      .object = object_at(std::vector<std::string>{"http://one/file", "http://two/file"}),
      .range = {10, 19},
      .sink = sink});
  loop.advance();
  while (transport.sent[first].request.host_port != "one:80") ++first;
  transport.connect(first);
  pass(60ms);
  hedge = transport.count() - 1;
  ASSERT_TRUE(transport.sent[hedge].request.fresh);
  transport.end(first, Fault::reset);
  loop.advance();
  EXPECT_TRUE(transport.sent[hedge].aborted);
  EXPECT_EQ(transport.sent.back().request.host_port, "two:80");
}

TEST_F(Hedge, AnotherSourceThatProvesNothingDoesNotTakeItsPlace) {
  time_answers(50);
  first = transport.count();
  auto sink = std::make_shared<RecordingSink>();
  sink->standings = {fetch::Standing::usable, fetch::Standing::unusable};
  loop.add(fetch::RangeOrder{
      .object = object_at(std::vector<std::string>{"http://one/file", "http://two/file"}),
      .range = {10, 19},
      .sink = sink});
  loop.advance();
  while (transport.sent[first].request.host_port != "one:80") ++first;
  transport.connect(first);
  pass(60ms);
  hedge = transport.count() - 1;
  ASSERT_TRUE(transport.sent[hedge].request.fresh);
  transport.end(first, Fault::reset);
  loop.advance();
  EXPECT_FALSE(transport.sent[hedge].aborted);
  EXPECT_EQ(transport.count(), hedge + 1) << "nothing is asked for a third time";
}

// ---------------------------------------------------------------------------------------- ends

TEST_F(Hedge, SilenceEndsBothAndIsHeldAgainstTheHostOnce) {
  time_answers(50);
  const auto sink = late();
  transport.connect(hedge);
  pass(15s - 60ms);
  EXPECT_TRUE(transport.sent[first].aborted);
  loop.advance();
  EXPECT_TRUE(transport.sent[hedge].aborted);
  EXPECT_EQ(loop.status().errors, 1u);
  EXPECT_EQ(hosts.at("one:80").breaker().failures(), 1u);
}

TEST_F(Hedge, ItsSilenceLeavesTheReadToAHedgeThatWasSentJustBefore) {
  time_answers(50);
  first = transport.count();
  const auto sink = want(10, 19, Priority::window, "http://one/file", false, 7);
  transport.connect(first);
  pass(15s - 20ms);
  loop.promote(7);
  loop.advance();
  hedge = first + 1;
  ASSERT_TRUE(hedged());
  transport.connect(hedge);
  pass(20ms);
  EXPECT_TRUE(transport.sent[first].aborted);
  EXPECT_TRUE(observer.saw("first_byte_timeout"));
  EXPECT_EQ(hosts.at("one:80").breaker().failures(), 1u);
  finish(hedge);
  EXPECT_EQ(sink->bytes, text(10, 19));
  EXPECT_EQ(sink->outcome(), std::error_code());
  EXPECT_EQ(transport.count(), hedge + 1);
  EXPECT_EQ(loop.status().retries, 0u);
}

TEST_F(Hedge, AnswersThatTheHedgesBringLeaveTheBreakerAlone) {
  time_answers(200);
  for (int i = 0; i < 3; ++i) {
    late();
    transport.connect(hedge);
    finish(hedge);
  }
  pass(20s);
  EXPECT_EQ(loop.status().hedges_won, 3u);
  EXPECT_EQ(hosts.at("one:80").breaker().failures(), 0u);
  EXPECT_EQ(loop.status().errors, 0u);
}

TEST_F(Hedge, StoppingEndsBoth) {
  time_answers(50);
  const auto sink = late();
  ASSERT_TRUE(hedged());
  loop.stop();
  EXPECT_EQ(sink->outcomes, std::vector{kCanceled});
  EXPECT_EQ(transport.running(), 0u);
  EXPECT_EQ(hosts.at("one:80").running(), 0u);
}

TEST_F(Hedge, AnotherNetworkEndsTheHedgeAtOnceAndTheFirstSoon) {
  time_answers(50);
  const auto sink = late();
  transport.connect(hedge);
  loop.network_changed("address");
  EXPECT_TRUE(transport.sent[hedge].aborted);
  EXPECT_TRUE(transport.sent[first].live());
  pass(2s);
  EXPECT_TRUE(transport.sent[first].aborted);
  finish(hedge + 1);
  EXPECT_EQ(sink->outcome(), std::error_code());
}

class HedgeInAHurry : public Hedge {
 protected:
  HedgeInAHurry() : Hedge(limits()) {}
  static fetch::FetchLimits limits() {
    auto limits = limits_of(8, 4);
    limits.order_timeout = 5s;
    return limits;
  }
};

TEST_F(HedgeInAHurry, TheDeadlineOfTheReadEndsBoth) {
  time_answers(50);
  const auto sink = late();
  ASSERT_TRUE(hedged());
  transport.connect(hedge);
  pass(5s - 60ms);
  EXPECT_EQ(sink->outcome(), Errc::timed_out);
  loop.advance();
  EXPECT_EQ(transport.running(), 0u);
}

// ------------------------------------------------------------------------------ many, by chance

// Ten thousand reads of a server that is slow now and then, silent now and then, and breaks.
class HedgeByChance : public LoopByChance {
 protected:
  HedgeByChance() : LoopByChance({.file = 1 << 20, .longest = 100, .reads = 10'000}) {}

  void on_sent(std::size_t i) override {
    transport_.connect(i);
    const auto time = chance(40) ? time_between(100, 20'000) : time_between(5, 30);
    due_.emplace(clock_.now() + time, i);
  }
  void serve() override {
    while (!due_.empty() && due_.begin()->first <= clock_.now()) {
      const std::size_t i = due_.begin()->second;
      due_.erase(due_.begin());
      if (transport_.sent[i].live()) answer(i);
    }
  }

 private:
  void answer(std::size_t i) {
    if (chance(100)) return transport_.end(i, Fault::reset);
    if (chance(100)) return transport_.respond(i, 500);
    const auto range = transport_.sent[i].range();
    if (transport_.head(i, 206, part_of_file(range.first, range.last)) &&
        transport_.body(i, body_.text(range.first, range.length())))
      transport_.end(i);
  }

  std::multimap<fetch::TimePoint, std::size_t> due_;
};

TEST_P(HedgeByChance, NeverMoreThanAFiftiethIsAskedTwiceAndEveryByteIsRight) {
  run();
  expect_right_bytes();
  const auto status = loop_.status();
  EXPECT_GT(status.hedges_won, shape_.reads / 200) << status.hedges;
}

INSTANTIATE_TEST_SUITE_P(FromSeed, HedgeByChance, testing::Values(1, 2, 3));

}  // namespace
}  // namespace skimfs::test
