// SPDX-License-Identifier: MIT
#include "fs/version_pin.h"

#include <gtest/gtest.h>

#include <random>

namespace skimfs::fs {
namespace {

using namespace std::chrono_literals;
using fetch::Standing;

const fetch::TimePoint kNow{1h};

fetch::Version version(std::uint64_t total, std::string etag) {
  return {total, std::move(etag), 7};
}

// One object of 100 bytes; a stated tag, or none, for each source.
Stated object(std::vector<std::string> etags, Validator validator = Validator::strict) {
  return {{{100, std::move(etags)}}, validator};
}

// S-VER-1
TEST(VersionPin, TheFirstAnswerPinsWhatTheManifestLeavesOpen) {
  VersionPin pin(object({""}));
  EXPECT_TRUE(pin.learn(0, 0, version(100, "\"a\""), kNow));
  EXPECT_EQ(pin.expect(0, 0), version(100, "\"a\""));
}

TEST(VersionPin, ALaterAnswerMayStrengthenThePin) {
  VersionPin pin(object({""}));
  pin.learn(0, 0, {100, "", std::nullopt}, kNow);
  EXPECT_TRUE(pin.learn(0, 0, version(100, "\"a\""), kNow));
  EXPECT_FALSE(pin.learn(0, 0, version(100, "\"b\""), kNow));
}

TEST(VersionPin, ASecondAnswerOfAnotherVersionIsRefused) {
  VersionPin pin(object({""}));
  pin.learn(0, 0, version(100, "\"a\""), kNow);
  EXPECT_FALSE(pin.learn(0, 0, version(100, "\"b\""), kNow));
  EXPECT_EQ(pin.expect(0, 0).etag, "\"a\"");
}

TEST(VersionPin, ALearnedVersionMayEnd) {
  VersionPin pin(object({""}));
  pin.learn(0, 0, version(100, "\"a\""), kNow);
  EXPECT_TRUE(pin.decides(0, 0));
  EXPECT_EQ(pin.differs(0), VersionPin::Difference::changed);
  EXPECT_TRUE(pin.ended());
}

// S-VER-3
TEST(VersionPin, WhatTheManifestStatesNeverMoves) {
  VersionPin pin(object({"\"a\""}));
  pin.learn(0, 0, version(100, "\"a\""), kNow);
  EXPECT_FALSE(pin.decides(0, 0));
  EXPECT_EQ(pin.differs(0), VersionPin::Difference::contradiction);
  EXPECT_FALSE(pin.ended());
}

TEST(VersionPin, ADifferenceBeforeAnyAnswerContradictsTheManifest) {
  VersionPin pin(object({""}));
  EXPECT_EQ(pin.differs(0), VersionPin::Difference::contradiction);
}

TEST(VersionPin, EachPartOfAJoinedFileHasItsOwnVersion) {
  VersionPin pin({{{100, {""}}, {200, {""}}}});
  pin.learn(0, 0, version(100, "\"a\""), kNow);
  EXPECT_TRUE(pin.learn(1, 0, version(200, "\"b\""), kNow));
  EXPECT_EQ(pin.expect(1, 0).etag, "\"b\"");
}

// ----------------------------------------------------------------------------------- sources

TEST(VersionPin, AMirrorWithAnEqualStrongTagJoins) {
  VersionPin pin(object({"", ""}));
  pin.learn(0, 0, version(100, "\"a\""), kNow);
  EXPECT_EQ(pin.standing(0, 1, kNow), Standing::usable);
  EXPECT_EQ(pin.expect(0, 1).etag, "\"a\"") << "so that a server may refuse by itself";
  EXPECT_TRUE(pin.learn(0, 1, {100, "\"a\"", 9}, kNow)) << "its own date";
  EXPECT_TRUE(pin.learn(0, 0, version(100, "\"a\""), kNow));
}

TEST(VersionPin, AMirrorWithAnotherTagOrLengthNeverJoins) {
  VersionPin pin(object({"", ""}));
  pin.learn(0, 0, version(100, "\"a\""), kNow);
  EXPECT_FALSE(pin.learn(0, 1, version(100, "\"b\""), kNow));
  EXPECT_FALSE(pin.learn(0, 1, version(100, ""), kNow));
  EXPECT_FALSE(pin.learn(0, 1, version(101, "\"a\""), kNow));
  EXPECT_FALSE(pin.learn(0, 1, {std::nullopt, "\"a\"", 7}, kNow))
      << "a length not told is not equal";
  EXPECT_FALSE(pin.decides(0, 1)) << "and that says nothing of the file";
}

TEST(VersionPin, WithoutAStrongTagNothingProvesAMirrorsBytes) {
  for (const char* weak : {"", "W/\"a\""}) {
    VersionPin pin(object({"", ""}));
    pin.learn(0, 0, version(100, weak), kNow);
    EXPECT_EQ(pin.standing(0, 1, kNow), Standing::unusable);
    EXPECT_FALSE(pin.learn(0, 1, version(100, weak), kNow));
    EXPECT_EQ(pin.standing(0, 0, kNow), Standing::usable);
  }
}

TEST(VersionPin, TagsStatedForBothBindThemTogether) {
  VersionPin pin(object({"\"a\"", "\"m\"", ""}));
  EXPECT_TRUE(pin.learn(0, 1, version(100, "\"m\""), kNow));
  EXPECT_TRUE(pin.learn(0, 0, version(100, "\"a\""), kNow));
  EXPECT_FALSE(pin.learn(0, 1, version(100, "\"a\""), kNow)) << "each has its own";
  EXPECT_TRUE(pin.learn(0, 2, version(100, "\"m\""), kNow)) << "the home's tag proves the third";
}

TEST(VersionPin, AStatedTagOfAMirrorDoesNotBindItToWhateverTheOriginHasNow) {
  VersionPin pin(object({"", "\"m\""}));
  pin.learn(0, 0, version(100, "\"new\""), kNow);
  EXPECT_EQ(pin.standing(0, 1, kNow), Standing::unusable);
  EXPECT_FALSE(pin.learn(0, 1, version(100, "\"m\""), kNow));
}

TEST(VersionPin, AnyMirrorMayGiveAFileItsVersion) {
  VersionPin pin(object({"", ""}));
  EXPECT_TRUE(pin.learn(0, 1, version(100, "\"m\""), kNow));
  EXPECT_EQ(pin.known(0).etag, "\"m\"");
  EXPECT_FALSE(pin.learn(0, 0, version(100, "\"a\""), kNow));
  EXPECT_FALSE(pin.decides(0, 0));
  EXPECT_TRUE(pin.decides(0, 1));
  EXPECT_EQ(pin.last_source(0), 1u);
}

TEST(VersionPin, DigestsBindEverySource) {
  VersionPin pin({{{100, {"", ""}}}, Validator::strict, true});
  pin.learn(0, 0, version(100, "\"a\""), kNow);
  EXPECT_TRUE(pin.learn(0, 1, version(100, "\"b\""), kNow));
  EXPECT_FALSE(pin.learn(0, 1, version(100, "\"c\""), kNow)) << "what it said it must go on saying";
  EXPECT_TRUE(pin.learn(0, 0, version(100, "\"a\""), kNow));
}

TEST(VersionPin, ARefusedSourceIsDoubtfulForAMinute) {
  VersionPin pin(object({"\"a\"", "\"m\""}));
  pin.refuse(0, 1, kNow);
  EXPECT_EQ(pin.standing(0, 1, kNow + 59s), Standing::doubtful);
  EXPECT_EQ(pin.standing(0, 1, kNow + 60s), Standing::usable);
  pin.refuse(0, 1, kNow);
  pin.learn(0, 1, version(100, "\"m\""), kNow);
  EXPECT_EQ(pin.standing(0, 1, kNow), Standing::usable);
}

TEST(VersionPin, OnlyThePreferredSourcesWordIsFresh) {
  VersionPin pin(object({"", ""}));
  pin.learn(0, 0, version(100, "\"a\""), kNow);
  EXPECT_FALSE(pin.due(kNow + 59s, 60s));
  pin.learn(0, 1, version(100, "\"a\""), kNow + 59s);
  EXPECT_TRUE(pin.due(kNow + 60s, 60s));
  pin.confirmed(kNow + 60s);
  EXPECT_FALSE(pin.due(kNow + 61s, 60s));
}

TEST(VersionPin, ARefusedPreferredSourceIsAskedAtTheNextOpen) {
  VersionPin pin(object({"", ""}));
  pin.learn(0, 1, version(100, "\"a\""), kNow);
  pin.refuse(0, 0, kNow);
  EXPECT_TRUE(pin.due(kNow, 60s));
}

TEST(VersionPin, ThePreferredSourceAndTheHomeSpeakForTheObject) {
  VersionPin pin(object({"", "", ""}));
  pin.learn(0, 2, version(100, "\"a\""), kNow);
  EXPECT_TRUE(pin.speaks(0, 0));
  EXPECT_FALSE(pin.speaks(0, 1));
  EXPECT_TRUE(pin.speaks(0, 2));
}

// --------------------------------------------------------------------------------- validators

TEST(VersionPin, ByTimeAnotherTagIsNoOtherVersion) {
  VersionPin pin(object({""}, Validator::time));
  EXPECT_TRUE(pin.learn(0, 0, {100, "\"a\"", 7}, kNow));
  EXPECT_EQ(pin.expect(0, 0), (fetch::Version{100, "", 7})) << "nor is it sent as a condition";
  EXPECT_TRUE(pin.learn(0, 0, {100, "\"b\"", 7}, kNow));
  EXPECT_FALSE(pin.learn(0, 0, {100, "\"a\"", 8}, kNow));
  EXPECT_FALSE(pin.learn(0, 0, {100, "\"a\"", std::nullopt}, kNow));
  EXPECT_FALSE(pin.learn(0, 0, {101, "\"a\"", 7}, kNow));
}

TEST(VersionPin, ByTimeAnEqualTimeAndLengthProveAMirror) {
  VersionPin pin(object({"", "", "\"m\""}, Validator::time));
  pin.learn(0, 0, {100, "", 7}, kNow);
  EXPECT_TRUE(pin.learn(0, 1, {100, "\"b\"", 7}, kNow));
  EXPECT_FALSE(pin.learn(0, 2, {100, "\"m\"", 8}, kNow));
  EXPECT_TRUE(pin.learn(0, 2, {100, "\"m\"", 7}, kNow));
}

TEST(VersionPin, ByTimeNothingProvesAMirrorOfAnUndatedObject) {
  VersionPin pin(object({"", ""}, Validator::time));
  pin.learn(0, 0, {100, "\"a\"", std::nullopt}, kNow);
  EXPECT_EQ(pin.standing(0, 1, kNow), Standing::unusable);
}

TEST(VersionPin, BySizeOnlyTheLengthCounts) {
  VersionPin pin(object({"", ""}, Validator::size));
  EXPECT_TRUE(pin.learn(0, 0, {100, "\"a\"", 7}, kNow));
  EXPECT_TRUE(pin.learn(0, 0, {100, "\"b\"", 8}, kNow));
  EXPECT_TRUE(pin.learn(0, 1, {100, "", std::nullopt}, kNow));
  EXPECT_FALSE(pin.learn(0, 0, {101, "\"a\"", 7}, kNow));
}

TEST(VersionPin, AStatedTagBindsWhateverTheValidator) {
  for (const Validator validator : {Validator::time, Validator::size}) {
    VersionPin pin(object({"\"a\""}, validator));
    EXPECT_FALSE(pin.learn(0, 0, version(100, "\"b\""), kNow));
    EXPECT_TRUE(pin.learn(0, 0, version(100, "\"a\""), kNow));
  }
}

TEST(VersionPin, TheValidatorsHaveNames) {
  EXPECT_EQ(parse_validator("strict"), Validator::strict);
  EXPECT_EQ(parse_validator("time"), Validator::time);
  EXPECT_EQ(parse_validator("size"), Validator::size);
  EXPECT_EQ(parse_validator(""), std::nullopt);
}

// A server as a history has it: the tag and the date of each content are its own or common to all.
struct Server {
  enum class Tags { common, own, weak, none } tags;
  unsigned number;
  unsigned content = 0;

  std::string tag() const {
    const std::string text = '"' + std::to_string(content);
    switch (tags) {
      case Tags::common:
        return text + '"';
      case Tags::own:
        return text + " of " + std::to_string(number) + '"';
      case Tags::weak:
        return "W/" + text + '"';
      case Tags::none:
        break;
    }
    return {};
  }
  fetch::Version says() const { return {100, tag(), 1000 + content}; }
};

TEST(VersionPin, NoHistoryOfAnswersMixesContents) {
  unsigned joined = 0;
  for (unsigned seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::vector<Server> servers;
    std::vector<std::string> stated;
    for (unsigned i = 0; i < 1 + random() % 4; ++i) {
      servers.push_back({Server::Tags(random() % 4), i});
      stated.push_back(random() % 3 == 0 ? servers.back().tag() : "");
    }
    VersionPin pin(object(stated, random() % 2 ? Validator::strict : Validator::time));
    std::optional<unsigned> content;
    std::size_t home = 0;
    for (int step = 0; step < 40; ++step) {
      const std::size_t source = random() % servers.size();
      Server& server = servers[source];
      if (random() % 4 == 0) server.content = random() % 3;
      if (random() % 8 == 0) pin.refuse(0, source, kNow);
      if (!pin.learn(0, source, server.says(), kNow)) continue;
      if (!content) home = source;
      ASSERT_EQ(server.content, content.value_or(server.content));
      content = server.content;
      joined += source != home;
    }
  }
  EXPECT_GT(joined, 1000u) << "mirrors do join";
}

}  // namespace
}  // namespace skimfs::fs
