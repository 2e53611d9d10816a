// SPDX-License-Identifier: MIT
#include "fetch/pace.h"

#include <gtest/gtest.h>

namespace skimfs::fetch {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{1h};

TEST(Pace, NothingIsKnownAtFirst) {
  const Pace pace;
  EXPECT_FALSE(pace.get().known());
  EXPECT_FALSE(pace.get().capped());
  EXPECT_EQ(pace.get().rate, 0);
}

TEST(Pace, TheLeastTimeAndTheBestRateCount) {
  Pace pace;
  pace.note_first_byte(80ms, kNow);
  pace.note_first_byte(50ms, kNow);
  pace.note_first_byte(300ms, kNow);
  pace.note_body(1'000'000, 1s, false, kNow);
  pace.note_body(3'000'000, 1s, false, kNow);
  pace.note_body(2'000'000, 1s, false, kNow);
  EXPECT_EQ(pace.get().first_byte, 50ms);
  EXPECT_DOUBLE_EQ(pace.get().rate, 3e6);
}

TEST(Pace, APathThatBecameWorseIsBelievedAfterTwoPeriods) {
  Pace pace;
  pace.note_first_byte(10ms, kNow);
  pace.note_first_byte(90ms, kNow + 11s);
  EXPECT_EQ(pace.get().first_byte, 10ms);
  pace.note_first_byte(90ms, kNow + 22s);
  EXPECT_EQ(pace.get().first_byte, 90ms);
}

TEST(Pace, WhatIsKnownOfAHostThatWasNotAskedStays) {
  Pace pace;
  pace.note_first_byte(10ms, kNow);
  pace.note_body(1'000'000, 1s, true, kNow + 1h);
  pace.note_body(1'000'000, 1s, true, kNow + 2h);
  EXPECT_EQ(pace.get().first_byte, 10ms);
}

TEST(Pace, OnlyAConnectionPastItsSlowStartShowsThatItIsCapped) {
  Pace pace;
  pace.note_body(1'000'000, 1s, false, kNow);
  EXPECT_FALSE(pace.get().capped());
  pace.note_body(1'000'000, 1s, true, kNow);
  EXPECT_TRUE(pace.get().capped());
  pace.note_body(100'000'000, 1s, true, kNow);
  EXPECT_FALSE(pace.get().capped());
}

TEST(Pace, ABodyThatTookNoTimeHasAFiniteRate) {
  Pace pace;
  pace.note_body(1'000'000, 0s, false, kNow);
  EXPECT_LT(pace.get().rate, 1e13);
}

TEST(Pace, OneCallerWarmsAHostThatIsCold) {
  Pace pace;
  EXPECT_TRUE(pace.claim_warming(kNow));
  EXPECT_FALSE(pace.claim_warming(kNow));
  EXPECT_FALSE(pace.claim_warming(kNow + 29s));
  EXPECT_TRUE(pace.claim_warming(kNow + 30s));
  pace.note_connections(1);
  EXPECT_FALSE(pace.claim_warming(kNow + 99s));
}

TEST(Pace, AHostThatWasNeverAskedIsCold) { EXPECT_FALSE(Pace().warm(TimePoint{})); }

TEST(Pace, AHostWithAnOpenConnectionIsWarm) {
  Pace pace;
  pace.note_connections(1);
  EXPECT_TRUE(pace.warm(kNow));
  pace.note_connections(0);
  EXPECT_FALSE(pace.warm(kNow));
}

// It may be connecting, lead elsewhere or be dead.
TEST(Pace, AHostThatWasAskedIsWarmForAsLongAsAConnectionIdles) {
  Pace pace;
  pace.note_asked(kNow);
  EXPECT_TRUE(pace.warm(kNow + 29s));
  EXPECT_FALSE(pace.warm(kNow + 30s));
}

TEST(PaceBook, IsTheSameForAllWhoAskForAHost) {
  PaceBook book;
  EXPECT_EQ(book.at("a:80"), book.at("a:80"));
  EXPECT_NE(book.at("a:80"), book.at("b:80"));
}

TEST(PaceBook, ForgetsThoseNobodyHoldsAndOnlyThose) {
  PaceBook book;
  const auto held = book.at("a:80");
  held->note_first_byte(5ms, kNow);
  book.at("b:80")->note_first_byte(5ms, kNow);
  book.trim(2);
  EXPECT_TRUE(book.at("b:80")->get().known()) << "not before there are too many";
  book.trim(1);
  EXPECT_FALSE(book.at("b:80")->get().known());
  EXPECT_TRUE(book.at("a:80")->get().known());
}

}  // namespace
}  // namespace skimfs::fetch
