// SPDX-License-Identifier: MIT
//
// The words, one by one: what is taken, what is refused, and where.
#include "fs/manifest/tokens.h"

#include <gtest/gtest.h>

#include <string>

#include "fs/manifest/encoding.h"

namespace skimfs::fs::manifest {
namespace {

// Offset of the fault, or -1.
template <class Parse>
int fault(Parse parse) {
  try {
    parse();
  } catch (const BadText& bad) {
    return static_cast<int>(bad.at);
  }
  return -1;
}

TEST(Number, IsDecimalWithoutLeadingZeroUpTo2To63) {
  EXPECT_EQ(parse_number("0", "n"), 0u);
  EXPECT_EQ(parse_number("9223372036854775807", "n"), kMaxNumber);
}

TEST(Number, RefusesSignsBlanksLeadingZerosAndOverflow) {
  for (const char* word :
       {"", "+1", "-1", " 1", "1 ", "01", "00", "0x1", "1e3", "9223372036854775808",
        "18446744073709551616", "99999999999999999999999"}) {
    EXPECT_GE(fault([&] { parse_number(word, "n"); }), 0) << word;
  }
}

TEST(Number, NamesTheByteThatIsNoDigit) {
  EXPECT_EQ(fault([] { parse_number("12a4", "n"); }), 2);
}

TEST(Time, IsSecondsSince1970) {
  EXPECT_EQ(parse_time("1970-01-01T00:00:00Z").seconds, 0);
  EXPECT_EQ(parse_time("2024-05-01T12:00:00Z").seconds, 1714564800);
  EXPECT_EQ(parse_time("1969-12-31T23:59:59Z").seconds, -1);
  EXPECT_EQ(parse_time("0000-01-01T00:00:00Z").seconds, -62167219200);
  EXPECT_EQ(parse_time("9999-12-31T23:59:59Z").seconds, 253402300799);
}

TEST(Time, KeepsUpToNineDigitsOfFraction) {
  EXPECT_EQ(parse_time("2024-05-02T00:00:00.25Z").nanoseconds, 250'000'000u);
  EXPECT_EQ(parse_time("2024-05-02T00:00:00.123456789Z").nanoseconds, 123'456'789u);
}

TEST(Time, KnowsLeapDaysAndLeapSeconds) {
  EXPECT_EQ(parse_time("2024-02-29T00:00:00Z").seconds, 1709164800);
  EXPECT_EQ(fault([] { parse_time("2023-02-29T00:00:00Z"); }), 0);
  EXPECT_EQ(parse_time("2016-12-31T23:59:60Z").seconds, 1483228800);
  EXPECT_EQ(fault([] { parse_time("2016-12-31T12:00:60Z"); }), 11);
}

TEST(Time, RefusesOtherSpellings) {
  for (const char* word :
       {"", "2024", "2024-05-01", "2024-05-01 12:00:00Z", "2024-05-01T12:00:00",
        "2024-05-01T12:00:00z", "2024-05-01t12:00:00Z", "2024-05-01T12:00:00+00:00",
        "2024-13-01T12:00:00Z", "2024-00-01T12:00:00Z", "2024-05-32T12:00:00Z",
        "2024-05-01T24:00:00Z", "2024-05-01T12:60:00Z", "2024-05-01T12:00:00.Z",
        "2024-05-01T12:00:00.1234567890Z", "2024-05-01T12:00:00ZZ", "1714564800"}) {
    EXPECT_GE(fault([&] { parse_time(word); }), 0) << word;
  }
}

TEST(Mode, IsThreeOrFourOctalDigits) {
  EXPECT_EQ(parse_mode("444"), 0444u);
  EXPECT_EQ(parse_mode("0755"), 0755u);
  for (const char* word : {"", "44", "04444", "0888", "r--", "+444"}) {
    EXPECT_GE(fault([&] { parse_mode(word); }), 0) << word;
  }
}

TEST(Escape, TurnsIntoTheByte) {
  std::string out;
  unescape(R"(a\tb\nc\rd\\e\x41\x7f\xff)", out);
  EXPECT_EQ(out, "a\tb\nc\rd\\eA\x7f\xff");
}

TEST(Escape, RefusesNulSlashAndUnknownForms) {
  std::string out;
  EXPECT_EQ(fault([&] { unescape(R"(ab\x00)", out); }), 2);
  EXPECT_EQ(fault([&] { unescape(R"(ab\x2F)", out); }), 2);
  EXPECT_EQ(fault([&] { unescape(R"(\q)", out); }), 0);
  EXPECT_EQ(fault([&] { unescape(R"(\x4)", out); }), 0);
  EXPECT_EQ(fault([&] { unescape("a\\", out); }), 1);
}

TEST(Utf8, FindsTheFirstIllFormedByte) {
  EXPECT_EQ(find_bad_utf8("plain"), std::string_view::npos);
  EXPECT_EQ(find_bad_utf8("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), std::string_view::npos);
  EXPECT_EQ(find_bad_utf8("a\x80"), 1u);
  EXPECT_EQ(find_bad_utf8("ab\xc0\xaf"), 2u);        // overlong
  EXPECT_EQ(find_bad_utf8("\xe0\x80\xaf"), 0u);      // overlong
  EXPECT_EQ(find_bad_utf8("\xed\xa0\x80"), 0u);      // surrogate
  EXPECT_EQ(find_bad_utf8("\xf4\x90\x80\x80"), 0u);  // above U+10FFFF
  EXPECT_EQ(find_bad_utf8("abc\xe2\x82"), 3u);       // cut
}

TEST(Component, IsAtMost255Bytes) {
  EXPECT_EQ(fault([] { check_component(std::string(255, 'a'), false); }), -1);
  EXPECT_EQ(fault([] { check_component(std::string(256, 'a'), false); }), 0);
}

TEST(Component, MayBeginWithDotsButNotBeThem) {
  EXPECT_EQ(fault([] { check_component("...", false); }), -1);
  EXPECT_EQ(fault([] { check_component(".", false); }), 0);
  EXPECT_EQ(fault([] { check_component("..", false); }), 0);
}

TEST(Etag, IsQuotedAndHoldsNothingThatCouldEndAHeader) {
  EXPECT_EQ(fault([] { check_etag("\"\""); }), -1);
  EXPECT_EQ(fault([] { check_etag("W/\"a-1\""); }), -1);
  for (const std::string word :
       {"", "a", "\"", "\"a", "a\"", "w/\"a\"", "\"a\"b\"", "\"a b\"", "\"a\r\nX: 1\""}) {
    EXPECT_GE(fault([&] { check_etag(word); }), 0) << word;
  }
}

TEST(Window, MustEndInsideTheTotal) {
  EXPECT_EQ(parse_window("1536", 10).offset, 1536u);
  EXPECT_EQ(parse_window("90/100", 10).total, 100u);
  EXPECT_GE(fault([] { parse_window("91/100", 10); }), 0);
  EXPECT_GE(fault([] { parse_window("9223372036854775807", 1); }), 0);
  EXPECT_EQ(fault([] { parse_window("5/x", 1); }), 2);
}

TEST(RemotePart, HasRangeReferenceAndMaybeEtag) {
  const RemotePart part = parse_remote_part("24+500/524 tail.bin \"a1\"");
  EXPECT_EQ(part.window.offset, 24u);
  EXPECT_EQ(part.length, 500u);
  EXPECT_EQ(part.window.total, 524u);
  EXPECT_EQ(part.located.reference, "tail.bin");
  EXPECT_EQ(part.located.etag, "\"a1\"");
}

TEST(RemotePart, RefusesEmptyAndUnboundedRanges) {
  for (const char* word : {"", "5 x", "0+0 x", "0+5", "+5 x", "0+ x", "0+5/4 x",
                           "1+9223372036854775807 x", "0+5 x y"}) {
    EXPECT_GE(fault([&] { parse_remote_part(word); }), 0) << word;
  }
}

TEST(Digest, HasTheLengthOfItsAlgorithm) {
  for (const auto& [name, digits] : {std::pair{"sha256", 64},
                                     {"sha512", 128},
                                     {"blake3", 64},
                                     {"sha1", 40},
                                     {"md5", 32},
                                     {"crc32c", 8}}) {
    const std::string word =
        std::string(name) + ":" + std::string(static_cast<std::size_t>(digits), 'a');
    EXPECT_EQ(format_digest(parse_digest(word)), word);
    EXPECT_GE(fault([&] { parse_digest(word + "aa"); }), 0) << word;
    EXPECT_GE(fault([&] { parse_digest(word.substr(0, word.size() - 1)); }), 0) << word;
  }
}

TEST(Digest, IsLowerCaseHexadecimal) {
  EXPECT_EQ(format_digest(parse_digest("crc32c:0123abcf")), "crc32c:0123abcf");
  EXPECT_EQ(fault([] { parse_digest("crc32c:0123ABCF"); }), 11);
  EXPECT_EQ(fault([] { parse_digest("crc32c:0123abcg"); }), 14);
  EXPECT_EQ(fault([] { parse_digest("sha3:00"); }), 0);
}

TEST(Pieces, HaveAPowerOfTwoBetween64KiBAnd16MiB) {
  const std::string word = "sha256:65536:p/x.p#" + std::string(64, '0');
  const Pieces pieces = parse_pieces(word);
  EXPECT_EQ(pieces.head, "sha256:65536:");
  EXPECT_EQ(pieces.reference, "p/x.p");
  EXPECT_EQ(pieces.tail, "#" + std::string(64, '0'));
  EXPECT_EQ(fault([] { parse_pieces("md5:16777216:https://h/x"); }), -1);
  for (const char* bad : {"sha256", "sha256:65536", "sha256:65537:x", "sha256:32768:x",
                          "sha256:33554432:x", "sha256:65536:x#00", "none:65536:x"}) {
    EXPECT_GE(fault([&] { parse_pieces(bad); }), 0) << bad;
  }
}

std::string base64(std::string_view word) {
  std::string out;
  decode_base64("base64:" + std::string(word), out);
  return out;
}

TEST(Base64, DecodesTheVectorsOfRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("Zg=="), "f");
  EXPECT_EQ(base64("Zm8="), "fo");
  EXPECT_EQ(base64("Zm9v"), "foo");
  EXPECT_EQ(base64("Zm9vYg=="), "foob");
  EXPECT_EQ(base64("Zm9vYmE="), "fooba");
  EXPECT_EQ(base64("Zm9vYmFy"), "foobar");
  EXPECT_EQ(base64("+/+/"), "\xfb\xff\xbf");
}

TEST(Base64, RefusesWhatEncodersDoNotWrite) {
  for (const char* word :
       {"Zg", "Zg=", "Zm9", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm 9", "Zm9v\n", "Zm-_"}) {
    EXPECT_GE(fault([&] { base64(word); }), 0) << word;
  }
}

TEST(LinkTarget, MayClimbToTheRootAndNoFurther) {
  EXPECT_EQ(fault([] { check_link_target("../../a", 2, false); }), -1);
  EXPECT_EQ(fault([] { check_link_target("..", 1, false); }), -1);
  EXPECT_EQ(fault([] { check_link_target("../../a", 1, false); }), 3);
  EXPECT_EQ(fault([] { check_link_target("..", 0, false); }), 0);
}

TEST(LinkTarget, HasDotsOnlyInFront) {
  EXPECT_EQ(fault([] { check_link_target("a/../b", 9, false); }), 2);
  EXPECT_EQ(fault([] { check_link_target("./../b", 9, false); }), 0);
  EXPECT_EQ(fault([] { check_link_target("a//b", 9, false); }), 2);
}

TEST(LinkTarget, IsRelativeAndNotEmpty) {
  EXPECT_EQ(fault([] { check_link_target("/etc/passwd", 9, false); }), 0);
  EXPECT_EQ(fault([] { check_link_target("", 9, false); }), 0);
  EXPECT_EQ(fault([] { check_link_target("dir/", 0, false); }), -1);
}

}  // namespace
}  // namespace skimfs::fs::manifest
