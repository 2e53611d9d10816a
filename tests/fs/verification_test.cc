// SPDX-License-Identifier: MIT
#include "fs/verification.h"

#include <gtest/gtest.h>

#include "fs/unit_digests.h"

namespace skimfs::fs {
namespace {

using cache::Extent;
using How = Verification::How;

constexpr std::uint64_t kMiB = 1 << 20;
const std::string kSha256 = "sha256:" + std::string(64, 'a');
const std::string kMd5 = "md5:" + std::string(32, 'b');
const std::string kBlake3 = "blake3:" + std::string(64, 'c');
const std::string kPieces = "sha256:1048576:http://h.example/list";

manifest::Content content(std::vector<std::string> digests, std::string pieces = {}) {
  manifest::Content content;
  content.digests = std::move(digests);
  content.pieces = std::move(pieces);
  return content;
}

Verification plan(const manifest::Content& of, std::uint64_t size,
                  Verify mode = Verify::automatic) {
  return plan_verification(of, size, {mode, 4 * kMiB, 2 * kMiB});
}

TEST(Verification, NothingStatedIsNothingToVerify) {
  for (const auto mode : {Verify::automatic, Verify::strict}) {
    EXPECT_EQ(plan(content({}), 100, mode).how, How::nothing);
    EXPECT_EQ(plan(content({}), 100, mode).refusal, "");
  }
}

TEST(Verification, AFileThatFitsIsOneUnitByItsStrongestDigest) {
  const auto found = plan(content({kMd5, kSha256}), 4 * kMiB);
  EXPECT_EQ(found.how, How::units);
  EXPECT_EQ(found.algorithm, Algorithm::sha256);
  EXPECT_EQ(to_hex(found.digest), std::string(64, 'a'));
  EXPECT_EQ(found.units.at(100), (Extent{0, 4 * kMiB}));
}

TEST(Verification, ALargerFileIsCheckedAfterwardsOrRefused) {
  const auto of = content({kSha256});
  EXPECT_EQ(plan(of, 4 * kMiB + 1).how, How::afterwards);
  EXPECT_EQ(plan(of, 4 * kMiB + 1).refusal, "");
  EXPECT_NE(plan(of, 4 * kMiB + 1, Verify::strict).refusal, "");
  EXPECT_EQ(plan(of, 4 * kMiB, Verify::strict).refusal, "");
}

TEST(Verification, PiecesOfALargeFileComeWithAListOfExactlyTheirDigests) {
  const auto found = plan(content({kSha256}, kPieces), 10 * kMiB + 1, Verify::strict);
  EXPECT_EQ(found.how, How::units);
  EXPECT_EQ(found.refusal, "");
  ASSERT_TRUE(found.list);
  EXPECT_EQ(found.list->size, 11u * 32);
  EXPECT_EQ(found.list->content.parts.front().urls.front(), "http://h.example/list");
  EXPECT_TRUE(found.list->content.digests.empty());
  EXPECT_EQ(found.units.at(10 * kMiB), (Extent{10 * kMiB, 1}));
}

TEST(Verification, AFileOfOnePieceNeedsNoListWhenItsDigestIsStated) {
  EXPECT_FALSE(plan(content({kSha256}, kPieces), kMiB).list);
  EXPECT_TRUE(plan(content({}, kPieces), kMiB).list);
  EXPECT_TRUE(plan(content({kSha256}, kPieces), kMiB + 1).list);
}

TEST(Verification, TheListsOwnDigestIsCheckedSoTheListMustFit) {
  const std::string pinned = kPieces + "#" + std::string(64, 'd');
  const auto found = plan(content({}, pinned), 100 * kMiB);
  EXPECT_EQ(found.list->content.digests, std::vector{"sha256:" + std::string(64, 'd')});
  EXPECT_EQ(found.list->content.parts.front().urls.front(), "http://h.example/list");
  const std::uint64_t digests = 2 * kMiB / 32;
  EXPECT_EQ(plan(content({}, pinned), digests * kMiB).refusal, "");
  EXPECT_NE(plan(content({}, pinned), (digests + 1) * kMiB).refusal, "");
  EXPECT_EQ(plan(content({}, kPieces), (digests + 1) * kMiB).refusal, "");
}

TEST(Verification, WhatCannotBeComputedIsUnverifiedAndStrictRefusesIt) {
  for (const auto& of : {content({kBlake3}), content({}, "blake3:65536:http://h.example/list")}) {
    EXPECT_EQ(plan(of, 100).how, How::nothing);
    EXPECT_EQ(plan(of, 100).refusal, "");
    EXPECT_NE(plan(of, 100, Verify::strict).refusal, "");
  }
  EXPECT_EQ(plan(content({kBlake3, kMd5}), 100, Verify::strict).algorithm, Algorithm::md5);
  EXPECT_EQ(plan(content({kMd5}, "blake3:65536:http://h.example/list"), 100).how, How::units);
}

TEST(Verification, OffVerifiesNothing) {
  const auto found = plan(content({kSha256}, kPieces), 10 * kMiB, Verify::off);
  EXPECT_EQ(found.how, How::nothing);
  EXPECT_FALSE(found.list);
  EXPECT_FALSE(found.units);
}

TEST(Units, CoverAndWithinAreWholeUnits) {
  const Units units{100, 250};
  EXPECT_EQ(units.cover({99, 2}), (Extent{0, 200}));
  EXPECT_EQ(units.cover({200, 1}), (Extent{200, 50}));
  EXPECT_EQ(units.within({0, 150}), (Extent{0, 100}));
  EXPECT_EQ(units.within({1, 249}), (Extent{100, 150}));
  EXPECT_TRUE(units.within({10, 80}).empty());
  EXPECT_TRUE(units.within({110, 80}).empty());
}

TEST(UnitDigests, KnowsTheUnitsItHas) {
  std::vector<std::byte> values(8);
  values[4] = std::byte{7};
  const UnitDigests digests(Algorithm::crc32c, {100, 250}, 100, values);
  EXPECT_TRUE(digests.has({100, 150}));
  EXPECT_FALSE(digests.has({0, 200}));
  EXPECT_EQ(digests.of({200, 50}).front(), std::byte{7});
  EXPECT_EQ(digests.of({100, 100}).front(), std::byte{0});
}

}  // namespace
}  // namespace skimfs::fs
