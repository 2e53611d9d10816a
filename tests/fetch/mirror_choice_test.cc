// SPDX-License-Identifier: MIT
#include "fetch/mirror_choice.h"

#include <gtest/gtest.h>

#include <vector>

namespace skimfs::fetch {
namespace {

using namespace std::chrono_literals;

const TimePoint kNow{1h};

std::size_t chosen(const std::vector<Prospect>& prospects) {
  const auto choice = choose(prospects, kNow);
  EXPECT_TRUE(choice.has_value());
  EXPECT_EQ(choice->at, kNow);
  return choice->source;
}

TEST(MirrorChoice, TheOrderOfPreferenceDecidesAmongEquals) { EXPECT_EQ(chosen({{}, {}, {}}), 0u); }

TEST(MirrorChoice, ASourceThatIsOutIsNeverChosen) {
  EXPECT_EQ(chosen({{.out = true}, {}}), 1u);
  EXPECT_EQ(choose(std::vector<Prospect>{{.out = true}, {.out = true}}, kNow), std::nullopt);
  EXPECT_EQ(choose({}, kNow), std::nullopt);
}

TEST(MirrorChoice, AnotherSourceIsTriedBeforeTheSameOneAgain) {
  EXPECT_EQ(chosen({{.failures = 1}, {}}), 1u);
  EXPECT_EQ(chosen({{.failures = 1}, {.failures = 2}}), 0u);
  EXPECT_EQ(chosen({{.failures = 1}, {.ailing = true, .doubtful = true}}), 1u)
      << "what failed this very order comes after what failed others";
}

TEST(MirrorChoice, AnAilingHostIsAvoidedWhileAnotherIsWell) {
  EXPECT_EQ(chosen({{.ailing = true}, {}}), 1u);
  EXPECT_EQ(chosen({{.ailing = true}, {.ailing = true}}), 0u);
}

TEST(MirrorChoice, ASourceThatLackedTheVersionIsAskedLast) {
  EXPECT_EQ(chosen({{.doubtful = true}, {}}), 1u);
  EXPECT_EQ(chosen({{.doubtful = true}, {.out = true}}), 0u);
}

TEST(MirrorChoice, AMuchFasterSourceIsTakenBeforeThePreferredOne) {
  EXPECT_EQ(chosen({{.expected = 300ms}, {.expected = 100ms}}), 1u);
}

TEST(MirrorChoice, ALittleFasterIsNotFasterEnough) {
  EXPECT_EQ(chosen({{.expected = 199ms}, {.expected = 100ms}}), 0u);
  EXPECT_EQ(chosen({{.expected = 15ms}, {.expected = 1ms}}), 0u) << "nobody notices";
}

TEST(MirrorChoice, AnUnmeasuredSourceCountsAsFastAsAny) {
  EXPECT_EQ(chosen({{}, {.expected = 1ms}}), 0u);
  EXPECT_EQ(chosen({{.expected = 5s}, {}, {.expected = 1ms}}), 1u);
}

TEST(MirrorChoice, SpeedDoesNotOutweighTrouble) {
  EXPECT_EQ(chosen({{.expected = 5s}, {.ailing = true, .expected = 1ms}}), 0u);
}

TEST(MirrorChoice, WhenAllMustBeLeftInPeaceTheFirstToBeReadyIsWaitedFor) {
  const std::vector<Prospect> prospects{
      {.ready = kNow + 2s, .failures = 1}, {.ready = kNow + 1s, .failures = 3}, {.out = true}};
  const auto choice = choose(prospects, kNow);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->source, 1u);
  EXPECT_EQ(choice->at, kNow + 1s);
}

TEST(MirrorChoice, AReadySourceIsTakenHoweverOftenItFailed) {
  EXPECT_EQ(chosen({{.ready = kNow + 1ms}, {.failures = 4, .ailing = true}}), 1u);
}

TEST(MirrorChoice, ComparingIsWorthItOnlyWhereAnotherCouldWin) {
  EXPECT_FALSE(worth_comparing(std::nullopt));
  EXPECT_FALSE(worth_comparing(15ms));
  EXPECT_TRUE(worth_comparing(80ms));
}

// --------------------------------------------------------------------------- much sooner

TEST(MuchSooner, IsTheFirstThatTakesLessThanHalf) {
  const std::vector<Prospect> prospects{
      {.out = true, .expected = 1ms}, {.expected = 600ms}, {.expected = 400ms}, {.expected = 1ms}};
  EXPECT_EQ(much_sooner(prospects, 1s, kNow), 2u);
  EXPECT_EQ(much_sooner(prospects, 10ms, kNow), std::nullopt) << "nobody would notice";
}

TEST(MuchSooner, IsNoneThatHasAFaultOrIsOfUnknownSpeed) {
  for (const Prospect& other : {Prospect{},
                                {.ready = kNow + 1ms, .expected = 1ms},
                                {.failures = 1, .expected = 1ms},
                                {.ailing = true, .expected = 1ms},
                                {.doubtful = true, .expected = 1ms}})
    EXPECT_EQ(much_sooner(std::vector{other}, 1s, kNow), std::nullopt);
}

}  // namespace
}  // namespace skimfs::fetch
