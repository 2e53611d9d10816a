// SPDX-License-Identifier: MIT
//
// Hosts that are away, played on a scripted transport: who waits, who hears what and when, and that
// nobody else notices.
#include "tests/fetch/loop_fixture.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using fetch::Errc;
using fetch::Fault;
using fetch::Priority;

class Silence : public FetchLoopTest {
 protected:
  using FetchLoopTest::FetchLoopTest;

  // The server at "one:80" refuses connections for so long.
  void refuse(fetch::Duration time, Fault why = Fault::connect) {
    for (const auto until = clock.now() + time; clock.now() < until; pass(10ms)) fail_all(why);
  }
  void fail_all(Fault why) {
    for (std::size_t i = 0; i < transport.count(); ++i)
      if (transport.sent[i].live() && transport.sent[i].request.host_port == "one:80")
        transport.end(i, why);
    loop.advance();
  }
  void answer_all() {
    for (std::size_t i = 0; i < transport.count(); ++i)
      if (transport.sent[i].live()) answer(i);
  }
  const char* breaker() const { return loop.status().hosts.at(0).breaker; }
  void open() {
    const auto first = want(0, 9);
    refuse(9s);
    ASSERT_EQ(first->outcome(), Errc::unreachable);
    ASSERT_STREQ(breaker(), "open");
  }
};

// S-NET-1
TEST_F(Silence, ARestartOfSomeSecondsIsNotSeenHoweverManyRead) {
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (std::uint64_t i = 0; i < 20; ++i) sinks.push_back(want(i, i));
  refuse(6s);
  for (int i = 0; i < 40; ++i) {
    answer_all();
    pass(100ms);
  }
  for (const auto& sink : sinks) EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(Silence, AnOutageCostsTrialsOneAtATimeNotAttemptsOfEachReader) {
  for (std::uint64_t i = 0; i < 20; ++i) want(i, i);
  refuse(60s);
  EXPECT_LT(transport.count(), 4u + 3u + 20u) << "in all of a minute";
  EXPECT_EQ(loop.status().orders_queued + loop.status().orders_running, 0u);
}

TEST_F(Silence, WhoComesDuringAnOutageHearsItsCauseWithinASecond) {
  open();
  for (const Fault why : {Fault::connect, Fault::dns}) {
    const auto sink = want(10, 19);
    const auto asked = clock.now();
    while (!sink->finished()) refuse(10ms, why);
    EXPECT_LT(clock.now() - asked, 1s);
    EXPECT_EQ(sink->outcome(), Errc::unreachable);
  }
}

TEST_F(Silence, WhoComesHearsItWithinASecondThoughTheTrialHangs) {
  open();
  const auto trial = want(10, 19);
  const auto other = want(20, 29);
  pass(850ms);
  ASSERT_EQ(transport.running(), 1u);
  pass(100ms);
  EXPECT_EQ(trial->outcome(), Errc::unreachable);
  EXPECT_EQ(other->outcome(), Errc::unreachable);
  EXPECT_EQ(transport.running(), 1u) << "the trial goes on";
  const auto later = want(30, 39);
  transport.connect(*transport.live.begin());
  transport.head(*transport.live.begin(), 503, {});
  loop.advance();
  EXPECT_STREQ(breaker(), "closed");
  EXPECT_TRUE(observer.saw("breaker"));
  answer_all();
  EXPECT_EQ(later->outcome(), std::error_code());
}

TEST_F(Silence, AnAbandonedTrialThatHangsForeverGivesWayToTheNext) {
  open();
  want(10, 19);
  pass(1s);
  const std::size_t before = transport.count();
  pass(20s);
  EXPECT_EQ(transport.running(), 0u);
  want(20, 29);
  pass(1s);
  EXPECT_EQ(transport.count(), before + 1);
}

TEST_F(Silence, TheFirstReadAfterAnOutageSucceedsWithinASecond) {
  open();
  for (int flap = 0; flap < 20; ++flap) {
    const auto sink = want(10, 19);
    const auto asked = clock.now();
    while (!sink->finished() && clock.now() < asked + 5s) {
      answer_all();
      pass(10ms);
    }
    EXPECT_EQ(sink->outcome(), std::error_code()) << flap;
    EXPECT_LT(clock.now() - asked, 1s);
    for (std::uint64_t i = 0; i < 3; ++i) want(i, i);
    refuse(11s);
  }
}

TEST_F(Silence, ATrialThatWentOnAsATransferLetsNoOtherOutWhenItBreaks) {
  want(0, 9);
  for (std::size_t i = 0; i < 3; ++i) {
    await_request(i + 1);
    fault(i, Fault::reset);
  }
  await_request(4);
  transport.connect(3);
  transport.head(3, 206, part(0, 9));
  pass(10ms);
  want(10, 19);
  for (std::size_t i = 4; i < 7; ++i) {
    await_request(i + 1);
    fault(i, Fault::reset);
  }
  ASSERT_STREQ(breaker(), "doubtful");
  await_request(8);
  want(20, 29);
  transport.end(3, Fault::reset);
  pass(1s);
  EXPECT_EQ(transport.count(), 8u) << "a trial is out";
}

TEST_F(Silence, AnOutageIsToldWhenItBeginsAndWhenItEnds) {
  open();
  unsigned opened = 0;
  for (const auto& event : observer.events)
    opened += event.what == "breaker" && event.detail.starts_with("open: ");
  EXPECT_EQ(opened, 1u);
  want(10, 19);
  while (transport.running() == 0) pass(50ms);
  answer_all();
  EXPECT_EQ(observer.events.back().detail, "closed: it answers");
}

TEST_F(Silence, AnswersOfAnyKindAreNoSilence) {
  for (const int status : {404, 403, 500, 503, 416, 200}) {
    for (int i = 0; i < 6; ++i) {
      const auto sink = want(0, 9);
      for (std::size_t r = 0; r < transport.count(); ++r)
        if (transport.sent[r].live()) transport.respond(r, status);
    }
    EXPECT_STREQ(breaker(), "closed") << status;
  }
  want(0, 9, Priority::demand, "http://tls/file");
  const auto before = transport.count();
  for (std::size_t r = before - 1; r < before; ++r) transport.end(r, Fault::certificate);
  EXPECT_EQ(loop.status().hosts.at(1).host, "tls:80");
  EXPECT_STREQ(loop.status().hosts.at(1).breaker, "closed");
}

// S-NET-1
TEST_F(Silence, AnOutageIsNotEndedByWhatTheHostHasNotSaid) {
  open();
  // The last one: before there is a connection it is a request that cannot be signed.
  for (const Fault why : {Fault::local, Fault::address, Fault::proxy_denied, Fault::protocol}) {
    want(10, 19);
    while (transport.running() == 0) pass(10ms);
    fail_all(why);
    EXPECT_STREQ(breaker(), "open") << int(why);
  }
  want(10, 19);
  while (transport.running() == 0) pass(10ms);
  fault(*transport.live.begin(), Fault::protocol);
  EXPECT_STREQ(breaker(), "closed") << "nonsense, but its own";
}

TEST_F(Silence, SilenceOnOneObjectIsNoneWhereOthersAreAnswered) {
  std::vector<std::shared_ptr<RecordingSink>> silent;
  for (int i = 0; i < 3; ++i) silent.push_back(want(0, 9, Priority::demand, "http://one/slow"));
  for (std::size_t i = 0; i < 3; ++i) transport.connect(i);
  for (int second = 0; second < 15; ++second) {
    want(0, 9);
    transport.connect(transport.count() - 1);
    answer(transport.count() - 1);
    pass(1s);
  }
  EXPECT_TRUE(observer.saw("first_byte_timeout"));
  EXPECT_STREQ(breaker(), "closed");
}

TEST_F(Silence, SpeculationEndsAtOnceWhereAHostMayBeGone) {
  const auto ahead = want(100, 109, Priority::window);
  std::vector<std::shared_ptr<RecordingSink>> demand;
  for (std::uint64_t i = 0; i < 3; ++i) demand.push_back(want(i, i));
  const auto queued = want(200, 209, Priority::window);
  queued->is_wanted = ahead->is_wanted = false;
  fail_all(Fault::connect);
  EXPECT_EQ(queued->outcome(), kCanceled);
  EXPECT_EQ(ahead->outcome(), kCanceled);
  auto late = std::make_shared<RecordingSink>();
  late->is_wanted = false;
  add(late, 300, 309, Priority::sibling);
  EXPECT_EQ(late->outcome(), kCanceled);
  for (const auto& sink : demand) EXPECT_FALSE(sink->finished());
}

TEST_F(Silence, SoDoesAProbeThatNobodyWaitsFor) {
  for (std::uint64_t i = 0; i < 3; ++i) want(i, i);
  const auto early = early_probe();
  early->is_wanted = false;
  fail_all(Fault::connect);
  EXPECT_EQ(early->outcome(), kCanceled);
}

TEST_F(Silence, AProbeHearsOfAnOutageLikeARead) {
  open();
  const auto sink = probe();
  refuse(1s);
  EXPECT_EQ(sink->outcome(), Errc::unreachable);
}

TEST_F(Silence, ATargetThatWasOnlyRememberedIsAskedForAgainWhereItsHostIsAway) {
  want(0, 9, Priority::demand, "http://two/file");
  transport.respond(0, 302, {{"Location", "http://one/x"}});
  loop.advance();
  answer(1);
  open();
  const auto sink = want(10, 19, Priority::demand, "http://two/file");
  fail_all(Fault::connect);
  while (transport.sent.back().request.host_port != "two:80") refuse(10ms);
  transport.respond(transport.count() - 1, 302, {{"Location", "http://three/x"}});
  loop.advance();
  answer(transport.count() - 1);
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(Silence, ATargetOnTheSameHostIsNoOtherPlaceToAsk) {
  want(0, 9, Priority::demand, "http://one/from");
  transport.respond(0, 302, {{"Location", "/to"}});
  loop.advance();
  answer(1);
  open();
  const auto sink = want(10, 19, Priority::demand, "http://one/from");
  const auto asked = clock.now();
  while (!sink->finished()) refuse(10ms);
  EXPECT_LT(clock.now() - asked, 1s);
}

TEST_F(Silence, AProbeWithATimeOfItsOwnLeavesHalfOfARequestsTime) {
  auto sink = std::make_shared<RecordingProbe>();
  loop.add(fetch::ProbeOrder{
      .id = 0, .object = object_at("http://one/file"), .sink = sink, .timeout = 50s});
  pass(29900ms);
  EXPECT_EQ(sink->outcomes.size(), 0u);
  pass(200ms);
  EXPECT_EQ(sink->outcome(), Errc::timed_out);
}

// ------------------------------------------------------------------------------- retry budget

// S-NET-2
TEST_F(Silence, AHostThatFailsIsNotAskedManyTimesAsOften) {
  unsigned orders = 0, sent = 0;
  for (int second = 0; second < 60; ++second) {
    for (std::uint64_t i = 0; i < 8; ++i, ++orders) want(i, i);
    for (int i = 0; i < 20; ++i) {
      for (std::size_t r = sent; r < transport.count(); ++r)
        if (transport.sent[r].live()) transport.respond(r, 500);
      pass(50ms);
    }
  }
  pass(60s);
  const auto repeated = transport.count() - orders;
  EXPECT_LE(repeated, orders / 10 + 10 + 60 + 8) << "of " << orders;
  EXPECT_GT(repeated, 40u);
}

TEST_F(Silence, WhatGoesOnFromWhereItWasCostsTheHostNothing) {
  constexpr std::uint64_t kLarge = 1 << 20;
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (int i = 0; i < 4; ++i) {
    sinks.push_back(std::make_shared<RecordingSink>());
    add(sinks.back(), 0, kLarge - 1);
  }
  for (int broken = 0; broken < 100; ++broken) {
    await_request(std::size_t(broken) + 4);
    const auto i = std::size_t(broken);
    transport.connect(i);
    const auto range = transport.sent[i].range();
    transport.head(i, 206, part(range.first, range.last, kTag, kLarge));
    transport.body(i, text(range.first, range.first));
    transport.end(i, Fault::short_body);
  }
  for (const auto& sink : sinks) EXPECT_FALSE(sink->finished());
}

// ---------------------------------------------------------------------------------- isolation

class SilenceInATightPlace : public Silence {
 protected:
  SilenceInATightPlace() : Silence(limits_of(8, 8)) {}
};

TEST_F(SilenceInATightPlace, AHostThatWentSilentGivesItsSlotsToOnesThatAnswer) {
  want(0, 9);
  answer(0);
  for (std::uint64_t i = 0; i < 30; ++i) want(i, i);
  ASSERT_EQ(transport.running("one:80"), 8u);
  for (std::size_t i = 1; i < 9; ++i) transport.connect(i);
  pass(1s);
  std::vector<std::shared_ptr<RecordingSink>> others;
  for (std::uint64_t i = 0; i < 4; ++i) {
    others.push_back(want(i, i, Priority::demand, "http://two/file"));
  }
  EXPECT_EQ(transport.running("two:80"), 0u);
  EXPECT_EQ(loop.wake_at(), clock.now() + 1s);
  pass(1s);
  EXPECT_EQ(transport.running("two:80"), 4u);
  EXPECT_EQ(transport.running("one:80"), 4u) << "its part";
  for (std::size_t i = 0; i < transport.count(); ++i)
    if (transport.sent[i].live() && transport.sent[i].request.host_port == "two:80") answer(i);
  for (const auto& sink : others) EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(SilenceInATightPlace, WhatBringsBytesIsNeverCutForOthers) {
  want(0, 9);
  answer(0);
  for (int i = 0; i < 8; ++i) want(0, 999);
  for (std::size_t i = 1; i < 9; ++i) {
    transport.connect(i);
    transport.head(i, 206, part(0, 999));
  }
  const auto other = want(0, 9, Priority::demand, "http://two/file");
  for (std::uint64_t second = 0; second < 10; ++second) {
    for (std::size_t i = 1; i < 9; ++i) transport.body(i, text(second, second));
    pass(1s);
  }
  for (std::size_t i = 1; i < 9; ++i) EXPECT_TRUE(transport.sent[i].live());
}

TEST_F(SilenceInATightPlace, AHostNeverHeardOfTakesHalfAtMost) {
  for (std::uint64_t i = 0; i < 30; ++i) want(i, i);
  EXPECT_EQ(transport.running("one:80"), 4u);
  const auto other = want(0, 9, Priority::demand, "http://two/file");
  EXPECT_EQ(transport.running("two:80"), 1u);
}

// ----------------------------------------------------------------------------- another network

TEST_F(Silence, AfterANetworkChangeWhatStallsGoesOnElsewhereAtOnceAndUncounted) {
  constexpr std::uint64_t kLarge = 1 << 20;
  auto stalled = std::make_shared<RecordingSink>(), flowing = std::make_shared<RecordingSink>();
  add(stalled, 0, kLarge - 1);
  add(flowing, 0, kLarge - 1);
  for (std::size_t i = 0; i < 2; ++i) {
    transport.connect(i);
    transport.head(i, 206, part(0, kLarge - 1, kTag, kLarge));
    transport.body(i, text(0, 9));
  }
  const auto connecting = want(0, 9);
  loop.network_changed("resume");
  EXPECT_EQ(transport.network_changes, 1u);
  EXPECT_TRUE(observer.saw("net_change"));
  pass(1s);
  transport.body(1, text(10, 19));
  pass(1100ms);
  EXPECT_TRUE(transport.sent[0].aborted);
  EXPECT_TRUE(transport.sent[1].live()) << "it still brings bytes";
  EXPECT_TRUE(transport.sent[2].aborted);
  ASSERT_EQ(transport.count(), 5u);
  EXPECT_EQ(transport.sent[3].header("Range"), "bytes=10-1048575");
  EXPECT_TRUE(transport.sent[3].request.fresh);
  EXPECT_EQ(loop.status().network_changes, 1u);
  EXPECT_STREQ(breaker(), "closed");
}

TEST_F(Silence, AnotherNetworkIsAnotherChanceForAHostThatWasAway) {
  open();
  const auto sink = want(10, 19);
  EXPECT_EQ(transport.running(), 0u) << "no trial is due yet";
  loop.network_changed("address");
  loop.advance();
  EXPECT_EQ(transport.running(), 1u);
  answer_all();
  EXPECT_EQ(sink->outcome(), std::error_code());
}

}  // namespace
}  // namespace skimfs::test
