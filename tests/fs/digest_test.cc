// SPDX-License-Identifier: MIT
//
// Known answers: FIPS 180-4 and RFC 1321 examples, RFC 3720 appendix B.4.
#include "fs/digest.h"

#include <gtest/gtest.h>

#include <random>

namespace skimfs::fs {
namespace {

std::vector<std::byte> bytes(std::string_view text) {
  const auto from = std::as_bytes(std::span(text));
  return {from.begin(), from.end()};
}

std::string digest(Algorithm algorithm, std::span<const std::byte> of) {
  Hasher hasher(algorithm);
  hasher.add(of);
  return to_hex(hasher.finish());
}

TEST(Digest, KnownAnswersOfEveryAlgorithm) {
  const auto abc = bytes("abc");
  EXPECT_EQ(digest(Algorithm::sha256, abc),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest(Algorithm::sha512, abc),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
  EXPECT_EQ(digest(Algorithm::sha1, abc), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(digest(Algorithm::md5, abc), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(digest(Algorithm::crc32c, bytes("123456789")), "e3069283");
}

TEST(Digest, Crc32cOfTheStandardsExamples) {
  EXPECT_EQ(digest(Algorithm::crc32c, std::vector<std::byte>(32)), "8a9136aa");
  EXPECT_EQ(digest(Algorithm::crc32c, std::vector<std::byte>(32, std::byte{0xff})), "62a8ab43");
  std::vector<std::byte> rising(32);
  for (std::size_t i = 0; i < 32; ++i) rising[i] = static_cast<std::byte>(i);
  EXPECT_EQ(digest(Algorithm::crc32c, rising), "46dd794e");
}

TEST(Digest, OfNothingIsTheDigestOfNothing) {
  EXPECT_EQ(digest(Algorithm::md5, {}), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(digest(Algorithm::crc32c, {}), "00000000");
}

TEST(Digest, DoesNotDependOnHowTheBytesAreCut) {
  std::mt19937 random(3);
  std::vector<std::byte> all(10007);
  for (std::byte& each : all) each = static_cast<std::byte>(random());
  for (const auto algorithm :
       {Algorithm::crc32c, Algorithm::md5, Algorithm::sha1, Algorithm::sha256, Algorithm::sha512}) {
    Hasher hasher(algorithm);
    std::span<const std::byte> rest(all);
    while (!rest.empty()) {
      const auto some = rest.first(std::min<std::size_t>(rest.size(), random() % 300));
      hasher.add(some);
      rest = rest.subspan(some.size());
    }
    EXPECT_EQ(to_hex(hasher.finish()), digest(algorithm, all)) << algorithm_name(algorithm);
  }
}

TEST(Digest, AHasherBeginsAfreshAfterEachResultAndWhenTold) {
  for (const auto algorithm : {Algorithm::crc32c, Algorithm::sha256}) {
    Hasher hasher(algorithm);
    hasher.add(bytes("first"));
    hasher.finish();
    hasher.add(bytes("given up"));
    hasher.restart();
    hasher.add(bytes("abc"));
    EXPECT_EQ(to_hex(hasher.finish()), digest(algorithm, bytes("abc")));
  }
}

TEST(Digest, ParsesWhatAManifestWritesAndNothingElse) {
  const auto parsed = parse_digest("md5:900150983cd24fb0d6963f7d28e17f72");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->algorithm, Algorithm::md5);
  EXPECT_EQ(to_hex(parsed->value), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_FALSE(parse_digest("md5"));
  EXPECT_FALSE(parse_digest("md5:900150983cd24fb0d6963f7d28e17f7"));
  EXPECT_FALSE(parse_digest("md5:900150983cd24fb0d6963f7d28e17f7Z"));
  EXPECT_FALSE(parse_digest("blake3:" + std::string(64, '0')));
}

}  // namespace
}  // namespace skimfs::fs
