// SPDX-License-Identifier: MIT
//
// Redirect targets that expire under many orders at once.
#include "tests/fetch/loop_fixture.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using fetch::Errc;
using fetch::Fault;

constexpr const char* kOrigin = "http://one/file";

class Reresolve : public FetchLoopTest {
 protected:
  // Three orders that are on their way to a target that was remembered.
  Reresolve() {
    want(0, 9);
    redirect(0, "http://cdn/x?sig=1");
    answer(1);
    for (std::uint64_t i = 0; i < 3; ++i) sinks.push_back(want(i * 10, i * 10 + 9));
    EXPECT_EQ(transport.count(), 5u);
  }
  void refuse_all(int status = 403) {
    for (std::size_t i = 2; i < 5; ++i) transport.respond(i, status);
    loop.advance();
  }
  void redirect(std::size_t i, const std::string& to) {
    transport.respond(i, 302, {{"Location", to}});
    loop.advance();
  }
  std::size_t asked(std::string_view url) const {
    std::size_t count = 0;
    for (const auto& sent : transport.sent) count += sent.request.url == url;
    return count;
  }

  std::vector<std::shared_ptr<RecordingSink>> sinks;
};

// S-NET-3
TEST_F(Reresolve, OneAsksTheOriginAndTheOthersFollowIt) {
  refuse_all();
  ASSERT_EQ(transport.count(), 6u) << "one for all";
  EXPECT_EQ(transport.sent[5].request.url, kOrigin);
  redirect(5, "http://cdn/x?sig=2");
  ASSERT_EQ(transport.count(), 7u) << "nobody follows before the target has answered";
  answer(6);
  ASSERT_EQ(transport.count(), 9u);
  answer(7);
  answer(8);
  for (const auto& sink : sinks) EXPECT_EQ(sink->outcome(), std::error_code());
  EXPECT_EQ(asked(kOrigin), 2u) << "at first, and once again";
  EXPECT_EQ(asked("http://cdn/x?sig=2"), 3u);
  EXPECT_EQ(sinks[2]->bytes, text(20, 29));
}

TEST_F(Reresolve, AnOriginThatAnswersItselfIsFollowedToo) {
  refuse_all(404);
  answer(5);
  ASSERT_EQ(transport.count(), 8u);
  EXPECT_EQ(transport.sent[6].request.url, kOrigin);
  answer(6);
  answer(7);
  for (const auto& sink : sinks) EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(Reresolve, ALateRefusalUsesWhatOthersFoundMeanwhile) {
  transport.respond(2, 403);
  loop.advance();
  redirect(5, "http://cdn/x?sig=2");
  answer(6);
  transport.respond(3, 403);
  loop.advance();
  EXPECT_EQ(transport.sent.at(7).request.url, "http://cdn/x?sig=2");
  EXPECT_EQ(asked(kOrigin), 2u);
}

// A target that one was refused may have answered another, which asked before.
TEST_F(Reresolve, AnAnswerToAnEarlierRequestDoesNotBringAnExpiredTargetBack) {
  transport.respond(2, 403);
  loop.advance();
  answer(3);
  want(30, 39);
  EXPECT_EQ(transport.sent.back().request.url, kOrigin);
}

TEST_F(Reresolve, WhoAsksAndIsRefusedWhatOthersFoundAsksOnAndWaitsForNobody) {
  for (const std::size_t i : {2, 3}) transport.respond(i, 403);
  loop.advance();
  redirect(5, "http://cdn2/x");
  const auto later = want(30, 39);
  redirect(7, "http://cdn/x?sig=3");
  answer(8);
  EXPECT_EQ(later->outcome(), std::error_code());
  fault(6, Fault::connect);
  await_request(10, 5s);
  EXPECT_EQ(transport.sent[9].request.url, "http://cdn/x?sig=3");
  transport.respond(9, 403);
  loop.advance();
  ASSERT_EQ(transport.count(), 11u);
  EXPECT_EQ(transport.sent[10].request.url, kOrigin);
  answer(10);
  answer(11);
  for (const std::size_t i : {0, 1}) EXPECT_EQ(sinks[i]->outcome(), std::error_code()) << i;
}

TEST_F(Reresolve, ALastingRefusalHoldsForAll) {
  refuse_all();
  transport.respond(5, 404);
  loop.advance();
  const std::vector once{make_error_code(Errc::missing)};
  for (const auto& sink : sinks) EXPECT_EQ(sink->outcomes, once);
  EXPECT_EQ(transport.count(), 6u);
}

class DeadTarget : public Reresolve, public ::testing::WithParamInterface<int> {};

// The name is still there: what it leads to cannot be had.
TEST_P(DeadTarget, DeniesWhateverItSaysOnceTheOriginLedThereAgain) {
  refuse_all(GetParam());
  redirect(5, "http://cdn/x?sig=2");
  const bool perhaps_the_condition = GetParam() == 400 || GetParam() == 403;
  const std::size_t last = perhaps_the_condition ? 7 : 6;  // asked once without
  for (std::size_t i = 6; i <= last; ++i) {
    transport.respond(i, GetParam());
    loop.advance();
  }
  const std::vector once{make_error_code(Errc::denied)};
  for (const auto& sink : sinks) EXPECT_EQ(sink->outcomes, once);
  EXPECT_EQ(transport.count(), last + 1);
}

INSTANTIATE_TEST_SUITE_P(Statuses, DeadTarget, ::testing::Values(400, 401, 403, 404, 410));

TEST_F(Reresolve, WhenTheOneIsNotWantedAnyMoreTheNextAsks) {
  refuse_all();
  transport.connect(5);
  sinks[0]->took = fetch::RangeSink::Took::enough;
  sinks[0]->is_useful = sinks[0]->is_wanted = false;
  transport.end(5, Fault::reset);
  loop.advance();
  EXPECT_EQ(sinks[0]->outcome(), kCanceled);
  ASSERT_EQ(transport.count(), 7u);
  EXPECT_EQ(transport.sent[6].request.url, kOrigin);
  answer(6);
  answer(7);
  EXPECT_EQ(sinks[1]->outcome(), std::error_code());
  EXPECT_EQ(sinks[2]->outcome(), std::error_code());
}

TEST_F(Reresolve, WhoWaitsStillEndsAtItsDeadline) {
  refuse_all();
  pass(61s);
  for (const auto& sink : sinks) EXPECT_EQ(sink->outcomes.size(), 1u);
  EXPECT_EQ(loop.status().orders_queued + loop.status().orders_running, 0u);
}

TEST_F(Reresolve, StopEndsThoseWhoWait) {
  refuse_all();
  loop.stop();
  for (const auto& sink : sinks) EXPECT_EQ(sink->outcomes, std::vector{kCanceled});
}

}  // namespace
}  // namespace skimfs::test
