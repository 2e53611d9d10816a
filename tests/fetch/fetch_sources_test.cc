// SPDX-License-Identifier: MIT
//
// Orders with mirrors: who is asked, when another takes over, and who comes back.
#include "tests/fetch/loop_fixture.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using fetch::Errc;
using fetch::Fault;
using fetch::Priority;
using fetch::Standing;

const std::string kOne = "http://one/file", kTwo = "http://two/file", kThree = "http://three/file";

class FetchSources : public FetchLoopTest {
 protected:
  std::shared_ptr<RecordingSink> order(std::uint64_t first, std::uint64_t last,
                                       std::vector<std::string> urls = {kOne, kTwo},
                                       Priority priority = Priority::demand) {
    auto sink = std::make_shared<RecordingSink>();
    sink->expected.total = kTotal;
    sink->expected.etag = kTag;
    add(sink, first, last, std::move(urls), priority);
    return sink;
  }
  void add(const std::shared_ptr<RecordingSink>& sink, std::uint64_t first, std::uint64_t last,
           std::vector<std::string> urls = {kOne, kTwo}, Priority priority = Priority::demand) {
    loop.add({.object = object_at(std::move(urls)),
              .range = {first, last},
              .priority = priority,
              .sink = sink});
    loop.advance();
  }
  std::shared_ptr<RecordingProbe> ask(std::vector<std::string> urls = {kOne, kTwo}) {
    auto sink = std::make_shared<RecordingProbe>();
    loop.add(fetch::ProbeOrder{.object = object_at(std::move(urls)), .sink = sink});
    loop.advance();
    return sink;
  }
  void respond(std::size_t i, int status, Headers headers = {}, std::string_view body = {}) {
    transport.respond(i, status, std::move(headers), body);
    loop.advance();
  }
  const std::string& url(std::size_t i) { return transport.sent.at(i).request.url; }
  // The honest answer to a request that takes so long until its head.
  void answer_after(std::size_t i, fetch::Duration time) {
    transport.connect(i);
    clock.advance(time);
    const fetch::ByteRange range = transport.sent.at(i).range();
    transport.head(i, 206, part(range.first, range.last));
    transport.body(i, text(range.first, range.last));
    transport.end(i);
    loop.advance();
  }
  // Everything that was asked of `host` and not answered yet fails so.
  void fail_all(std::string_view host, Fault why) {
    for (std::size_t i = 0; i < transport.count(); ++i)
      if (transport.sent[i].live() && transport.sent[i].request.host_port == host) fault(i, why);
  }
};

// ----------------------------------------------------------------------------- within an order

TEST_F(FetchSources, ThePreferredSourceIsAskedAndNoOther) {
  const auto sink = order(0, 9, {kOne, kTwo, kThree});
  EXPECT_EQ(url(0), kOne);
  answer(0);
  EXPECT_EQ(sink->outcome(), std::error_code());
  pass(60s);
  EXPECT_EQ(transport.count(), 1u);
  EXPECT_EQ(loop.status().mirror_switches, 0u);
}

TEST_F(FetchSources, ABrokenTransferGoesOnAtTheMirrorWithItsRestAndWithoutWaiting) {
  const auto sink = order(10, 29);
  transport.connect(0);
  transport.head(0, 206, part(10, 29));
  transport.body(0, text(10, 14));
  transport.end(0, Fault::reset);
  loop.advance();
  ASSERT_EQ(transport.count(), 2u) << "without moving the clock";
  EXPECT_EQ(url(1), kTwo);
  EXPECT_EQ(transport.sent[1].header("Range"), "bytes=15-29");
  answer(1);
  EXPECT_EQ(sink->bytes, text(10, 29));
  EXPECT_EQ(sink->outcome(), std::error_code());
  EXPECT_EQ(sink->sources, (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(loop.status().mirror_switches, 1u);
}

TEST_F(FetchSources, ASwitchIsToldWithBothUrlsAndWithoutTheirQueries) {
  order(0, 9, {"http://one/file?sig=A", "http://two/file?sig=B"});
  fault(0, Fault::connect);
  ASSERT_TRUE(observer.saw("mirror"));
  const auto& event = observer.events.back();
  EXPECT_EQ(event.what, "mirror");
  EXPECT_EQ(event.url, "http://two/file");
  EXPECT_EQ(event.detail, "instead of http://one/file");
}

TEST_F(FetchSources, WhatIsGoneOrForbiddenAtOneSourceIsAskedOfTheNext) {
  for (const int status : {401, 403, 404, 410, 416, 501}) {
    const auto sink = order(0, 9, {"http://a" + std::to_string(status) + "/f", kTwo});
    const std::size_t first = transport.count() - 1;
    if (status == 403) sink->expected.etag.clear();  // which would be tried without condition first
    respond(first, status);
    for (std::size_t i = first + 1; i < transport.count(); ++i) {
      if (url(i) == kTwo)
        answer(i);
      else
        respond(i, status);
    }
    EXPECT_EQ(sink->outcome(), std::error_code()) << status;
    EXPECT_EQ(sink->bytes, text(0, 9)) << status;
    EXPECT_EQ(sink->refused, std::vector<std::size_t>{0}) << status;
  }
}

TEST_F(FetchSources, AResponseThatBreaksTheRulesIsNotAskedForAgainWhereAMirrorIs) {
  const auto sink = order(0, 9);
  respond(0, 206, part(1, 10), text(1, 10));
  EXPECT_EQ(url(1), kTwo);
  answer(1);
  EXPECT_EQ(sink->bytes, text(0, 9));
}

TEST_F(FetchSources, ACorruptPieceIsFetchedFromAnotherSource) {
  const auto sink = order(0, 9);
  sink->took = fetch::RangeSink::Took::corrupt;
  transport.connect(0);
  transport.head(0, 206, part(0, 9));
  transport.body(0, text(0, 9));
  sink->shown = 0;
  sink->took = fetch::RangeSink::Took::more;
  loop.advance();
  EXPECT_EQ(url(1), kTwo);
  EXPECT_EQ(sink->refused, std::vector<std::size_t>{0});
  answer(1);
  EXPECT_EQ(sink->bytes, text(0, 9));
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(FetchSources, ASourceThatFailedForAPassingReasonIsAskedAgainWhenAllHave) {
  const auto sink = order(0, 9);
  respond(0, 500);
  EXPECT_EQ(url(1), kTwo);
  respond(1, 404);
  EXPECT_EQ(transport.count(), 2u) << "now somebody must wait";
  await_request(3, 1s);
  EXPECT_EQ(url(2), kOne);
  answer(2);
  EXPECT_EQ(sink->bytes, text(0, 9));
}

TEST_F(FetchSources, WhenAllHaveFailedThePreferredOneSaysWhy) {
  const auto sink = order(0, 9);
  respond(0, 404);
  respond(1, 501);
  EXPECT_EQ(sink->outcome(), Errc::missing);
  const auto other = order(0, 9);
  respond(2, 501);
  respond(3, 404);
  EXPECT_EQ(other->outcome(), Errc::server_failed);
}

TEST_F(FetchSources, EverySourceIsTriedAsOftenAsIfItWereAloneAndNoMore) {
  const auto sink = order(0, 9, {kOne, kTwo, kThree});
  for (int step = 0; step < 2000 && !sink->finished(); ++step) {
    for (std::size_t i = 0; i < transport.count(); ++i)
      if (transport.sent[i].live()) transport.respond(i, 500);
    pass(50ms);
  }
  EXPECT_EQ(sink->outcome(), Errc::server_failed);
  std::size_t orders = 0;
  for (const auto& sent : transport.sent) orders += sent.header("Range") == "bytes=0-9";
  EXPECT_EQ(orders, 15u);
}

TEST_F(FetchSources, SpeculationTriesAMirrorButDoesNotWait) {
  const auto sink = order(0, 9, {kOne, kTwo}, Priority::window);
  sink->is_wanted = false;
  fault(0, Fault::reset);
  EXPECT_EQ(url(1), kTwo);
  fault(1, Fault::reset);
  EXPECT_EQ(sink->outcome(), kCanceled);
}

TEST_F(FetchSources, AReusedConnectionThatBreaksIsNoReasonToLeave) {
  order(0, 9);
  fault(0, Fault::reset, true);
  EXPECT_EQ(url(1), kOne);
  EXPECT_TRUE(transport.sent[1].request.fresh);
}

TEST_F(FetchSources, SilenceSendsTheOrderToTheMirror) {
  const auto sink = order(0, 9);
  transport.connect(0, true);
  pass(15100ms);
  EXPECT_TRUE(transport.sent[0].aborted);
  EXPECT_EQ(url(1), kTwo);
  answer(1);
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(FetchSources, ARedirectTargetThatDiesLeadsToTheMirrorToo) {
  const auto sink = order(0, 9);
  respond(0, 302, {{"Location", "http://cdn/x"}});
  EXPECT_EQ(url(1), "http://cdn/x");
  fault(1, Fault::connect);
  EXPECT_EQ(url(2), kTwo);
  answer(2);
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(FetchSources, ASourceThatIsNoUrlIsPassedOver) {
  const auto sink = order(0, 9, {"ftp://one/file", kTwo});
  EXPECT_EQ(url(0), kTwo);
  respond(0, 404);
  EXPECT_EQ(sink->outcome(), Errc::bad_response);
}

// ----------------------------------------------------------------------------------- versions

TEST_F(FetchSources, AMirrorWithAnotherVersionIsLeftAtOnceAndNotOneOfItsBytesUsed) {
  const auto sink = order(10, 29);
  transport.connect(0);
  transport.head(0, 206, part(10, 29));
  transport.body(0, text(10, 14));
  transport.end(0, Fault::reset);
  loop.advance();
  respond(1, 206, part(15, 29, "\"v2\""), "xxxxxxxxxxxxxxx");
  EXPECT_FALSE(sink->finished()) << "the object has not changed for that";
  EXPECT_EQ(sink->refused, std::vector<std::size_t>{1});
  await_request(3, 999ms);
  EXPECT_EQ(url(2), kOne);
  EXPECT_EQ(transport.sent[2].header("Range"), "bytes=15-29");
  answer(2);
  EXPECT_EQ(sink->bytes, text(10, 29));
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(FetchSources, TwoAnswersOfTheSourceThatDecidesMeanChangedWhateverMirrorsHave) {
  const auto sink = order(0, 9);
  respond(0, 206, part(0, 9, "\"v2\""), text(0, 9));
  EXPECT_EQ(url(1), kOne) << "asked once more, on a fresh connection";
  respond(1, 206, part(0, 9, "\"v2\""), text(0, 9));
  EXPECT_EQ(sink->outcome(), Errc::changed);
  EXPECT_EQ(transport.count(), 2u);
}

// S-MIRROR-4
TEST_F(FetchSources, AMirrorWithAnotherVersionNeverHasTheLastWordOnIt) {
  auto sink = std::make_shared<RecordingSink>();
  sink->expected = {kTotal, std::string(kTag), {}};
  sink->standings = {Standing::unusable};
  sink->decisive = 2;
  add(sink, 0, 9, {kOne, kTwo, kThree});
  respond(0, 206, part(0, 9, "\"v2\""), text(0, 9));
  EXPECT_EQ(url(1), kThree);
  respond(1, 404);
  await_request(3, 1s);
  EXPECT_EQ(url(2), kTwo);
  respond(2, 206, part(0, 9, "\"v2\""), text(0, 9));
  EXPECT_EQ(sink->outcome(), Errc::missing);
}

// S-MIRROR-1
TEST_F(FetchSources, WhatMayNotServeTheVersionDoesNotSayWhyItFailed) {
  const auto sink = order(0, 9);
  fault(0, Fault::reset);
  sink->standings = {Standing::unusable};  // meanwhile the mirror gave the version to others
  respond(1, 404);
  EXPECT_EQ(sink->outcome(), Errc::missing);
}

TEST_F(FetchSources, ASourceThatContradictsTheManifestIsAnErrorOnlyWhenNoOtherHelps) {
  for (const bool mirror_has_it : {true, false}) {
    auto sink = std::make_shared<RecordingSink>();
    sink->expected = {kTotal, std::string(kTag), {}};
    sink->decisive = 99;
    const std::size_t first = transport.count();
    add(sink, 0, 9);
    respond(first, 412);
    EXPECT_EQ(url(first + 1), kTwo);
    if (mirror_has_it) {
      answer(first + 1);
      EXPECT_EQ(sink->outcome(), std::error_code());
      continue;
    }
    respond(first + 1, 404);
    EXPECT_EQ(transport.count(), first + 2);
    pass(1s);
    EXPECT_EQ(url(first + 2), kOne) << "once more, since nobody else is left";
    respond(first + 2, 412);
    EXPECT_EQ(sink->outcome(), Errc::changed);
  }
}

TEST_F(FetchSources, ASourceWhoseBytesNothingCouldProveIsNeverAsked) {
  auto sink = std::make_shared<RecordingSink>();
  sink->standings = {Standing::usable, Standing::unusable};
  add(sink, 0, 9);
  for (int step = 0; step < 1000 && !sink->finished(); ++step) {
    fail_all("one:80", Fault::reset);
    pass(50ms);
  }
  EXPECT_EQ(sink->outcome(), Errc::unreachable);
  for (std::size_t i = 0; i < transport.count(); ++i) EXPECT_EQ(url(i), kOne);
}

TEST_F(FetchSources, ADoubtfulSourceIsAskedLast) {
  auto sink = std::make_shared<RecordingSink>();
  sink->standings = {Standing::doubtful, Standing::usable};
  add(sink, 0, 9);
  EXPECT_EQ(url(0), kTwo);
  respond(0, 404);
  EXPECT_EQ(url(1), kOne);
}

// -------------------------------------------------------------------------- across orders

TEST_F(FetchSources, AnAilingHostIsAvoidedUntilAScoutFindsItWell) {
  order(0, 9);
  fault(0, Fault::connect);
  answer(1);
  order(10, 19);
  EXPECT_EQ(url(2), kTwo);
  answer(2);
  EXPECT_EQ(transport.count(), 3u) << "too early to look";

  pass(1s);
  const auto sink = order(20, 29);
  EXPECT_EQ(url(3), kTwo) << "the reader does not wait to see whether it is back";
  EXPECT_EQ(url(4), kOne);
  EXPECT_EQ(transport.sent[4].header("Range"), "bytes=0-0");
  respond(4, 206, part(0, 0), text(0, 0));
  answer(3);
  order(30, 39);
  EXPECT_EQ(url(5), kOne) << "preferred again";
}

TEST_F(FetchSources, AScoutThatFailsIsNotRepeatedByItself) {
  order(0, 9);
  fault(0, Fault::connect);
  answer(1);
  pass(1s);
  order(10, 19);
  ASSERT_EQ(url(3), kOne);
  fault(3, Fault::connect);
  answer(2);
  pass(60s);
  EXPECT_EQ(transport.count(), 4u) << "nobody reads";
  order(20, 29);
  EXPECT_EQ(url(4), kTwo);
  EXPECT_EQ(url(5), kOne);
}

TEST_F(FetchSources, OrdersThatQueueForAHostThatFailsGoElsewhere) {
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (int i = 0; i < 6; ++i) sinks.push_back(order(0, 9));
  EXPECT_EQ(transport.running("one:80"), 4u);
  fault(0, Fault::connect_timeout);
  EXPECT_EQ(transport.running("two:80"), 3u) << "the one that failed and the two that queued";
}

TEST_F(FetchSources, AHostThatAsksForPeaceIsLeftInPeace) {
  const auto sink = order(0, 9);
  respond(0, 503, {{"Retry-After", "20"}});
  EXPECT_EQ(url(1), kTwo);
  answer(1);
  EXPECT_EQ(sink->outcome(), std::error_code());
  pass(5s);
  order(10, 19);
  EXPECT_EQ(url(2), kTwo);
  EXPECT_EQ(transport.count(), 3u) << "not even a scout";
}

TEST_F(FetchSources, AMuchFasterMirrorIsFoundAndUsed) {
  order(0, 9);
  EXPECT_EQ(transport.count(), 1u) << "no reason to look elsewhere yet";
  answer_after(0, 200ms);
  order(10, 19);
  ASSERT_EQ(transport.count(), 3u);
  EXPECT_EQ(url(1), kOne);
  EXPECT_EQ(url(2), kTwo) << "a scout";
  transport.connect(2);
  clock.advance(5ms);
  transport.respond(2, 206, part(0, 0), text(0, 0));
  answer_after(1, 200ms);
  order(20, 29);
  EXPECT_EQ(url(3), kTwo);
  answer(3);
  EXPECT_EQ(loop.status().mirror_switches, 0u) << "nobody had to move";
}

TEST_F(FetchSources, AFastPreferredSourceLeavesMirrorsAlone) {
  for (std::size_t i = 0; i < 20; ++i) {
    order(i, i);
    answer_after(i, 10ms);
  }
  EXPECT_EQ(transport.count(), 20u);
}

// ------------------------------------------------------------------------------------- probes

TEST_F(FetchSources, AProbeFailsOverAndSaysWhoAnswered) {
  const auto sink = ask();
  EXPECT_EQ(url(0), kOne);
  respond(0, 404);
  EXPECT_EQ(url(1), kTwo);
  respond(1, 206, part(0, 0), "a");
  EXPECT_EQ(sink->outcome(), std::error_code());
  EXPECT_EQ(sink->seen.total, kTotal);
  EXPECT_EQ(sink->source, 1u);
}

TEST_F(FetchSources, AProbeThatNobodyAnswersEndsAsThePreferredSourceSaid) {
  const auto sink = ask();
  respond(0, 404);
  respond(1, 403);
  EXPECT_EQ(sink->outcome(), Errc::missing);
}

TEST_F(FetchSources, AProbeIsPutToThePreferredSourceHoweverSlow) {
  order(0, 9);
  answer_after(0, 500ms);
  order(10, 19);
  transport.connect(2);
  transport.respond(2, 206, part(0, 0), text(0, 0));
  answer(1);
  ask();
  EXPECT_EQ(url(3), kOne);
}

}  // namespace
}  // namespace skimfs::test
