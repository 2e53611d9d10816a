// SPDX-License-Identifier: MIT
//
// Header values as strangers write them.
#include "fetch/header_parse.h"

#include <gtest/gtest.h>

#include "fetch/error.h"

namespace skimfs::fetch {
namespace {

using std::chrono::seconds;

TEST(ParseLength, ReadsDigitsUpToTwoToThe63MinusOne) {
  EXPECT_EQ(parse_length("0"), 0u);
  EXPECT_EQ(parse_length("1000"), 1000u);
  EXPECT_EQ(parse_length("00010"), 10u);
  EXPECT_EQ(parse_length("9223372036854775807"), 9223372036854775807u);
}

TEST(ParseLength, RefusesEverythingElse) {
  for (const char* value : {"", "-1", "+5", "0x10", "1e3", "1 ", " 1", "1,1", "9223372036854775808",
                            "18446744073709551616", "99999999999999999999999999"})
    EXPECT_EQ(parse_length(value), std::nullopt) << value;
}

TEST(ParseContentRange, ReadsARangeAndATotal) {
  const auto range = parse_content_range("bytes 0-99/1000");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->range, (ByteRange{0, 99}));
  EXPECT_EQ(range->total, 1000u);
}

TEST(ParseContentRange, TheUnitHasNoCase) { EXPECT_TRUE(parse_content_range("Bytes 0-0/1")); }

TEST(ParseContentRange, ATotalMayBeUnknown) {
  const auto range = parse_content_range("bytes 5-9/*");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->range, (ByteRange{5, 9}));
  EXPECT_EQ(range->total, std::nullopt);
}

TEST(ParseContentRange, ARangeMayBeUnsatisfied) {
  const auto range = parse_content_range("bytes */1000");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->range, std::nullopt);
  EXPECT_EQ(range->total, 1000u);
}

TEST(ParseContentRange, RefusesWhatIsNotOne) {
  for (const char* value : {"", "bytes", "bytes ", "bytes=0-9/10", "lines 0-9/10", "0-9/10",
                            "bytes 0-9", "bytes 09/10", "bytes */*", "bytes\t0-9/10"}) {
    const auto range = parse_content_range(value);
    ASSERT_FALSE(range) << value;
    EXPECT_EQ(range.error(), Errc::bad_response) << value;
  }
}

TEST(ParseContentRange, RefusesNumbersThatCannotBe) {
  for (const char* value :
       {"bytes 9-0/10", "bytes 0-9/9", "bytes 0-10/10", "bytes -1-9/10", "bytes 0-9/-1",
        "bytes 0--1/0", "bytes +0-9/10", "bytes 0-9/+10", "bytes 0 -9/10", "bytes 0-9 /10",
        "bytes 0-9/ 10", "bytes 0-0x9/10", "bytes 0-9/9223372036854775808", "bytes 0-9/10/10",
        "bytes  0-9/10", "bytes -/1", "bytes 0-9/"}) {
    const auto range = parse_content_range(value);
    ASSERT_FALSE(range) << value;
    EXPECT_EQ(range.error(), Errc::bad_length) << value;
  }
}

TEST(ParseHttpDate, ReadsAllThreeForms) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), 784111777);
  EXPECT_EQ(parse_http_date("Wed Nov 16 08:49:37 1994"), 784975777);
}

TEST(ParseHttpDate, TwoDigitYearsBelow70AreOfThisCentury) {
  EXPECT_EQ(parse_http_date("Saturday, 01-Jan-00 00:00:00 GMT"), 946684800);
  EXPECT_EQ(parse_http_date("Thursday, 01-Jan-70 00:00:00 GMT"), 0);
}

TEST(ParseHttpDate, RefusesWhatIsNoDate) {
  for (const char* value :
       {"", "0", "never", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1969 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, 06 Nuv 1994 08:49:37 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"})
    EXPECT_EQ(parse_http_date(value), std::nullopt) << value;
}

TEST(FormatHttpDate, WritesTheFormThatIsReadBack) {
  EXPECT_EQ(format_http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(format_http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  for (std::int64_t second = 1; second < 253402300799; second = second * 7 + 3)
    EXPECT_EQ(parse_http_date(format_http_date(second)), second);
}

TEST(ParseRetryAfter, ReadsSecondsAndDates) {
  EXPECT_EQ(parse_retry_after("7", 0), seconds(7));
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 784111770), seconds(7));
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 784111780), seconds(0));
}

TEST(ParseRetryAfter, NeverSaysMoreThanADay) {
  EXPECT_EQ(parse_retry_after("9223372036854775807", 0), seconds(86400));
  EXPECT_EQ(parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", 0), seconds(86400));
}

TEST(ParseRetryAfter, RefusesTheRest) {
  for (const char* value : {"", "-1", "soon", "1.5", "7 s"})
    EXPECT_EQ(parse_retry_after(value, 0), std::nullopt) << value;
}

TEST(Etag, KnowsTagsByTheirQuotes) {
  for (const char* tag : {"\"\"", "\"a\"", "W/\"a\"", "\"\xc3\xa9\"", "\"a,b\"", "\"W/\""})
    EXPECT_TRUE(is_etag(tag)) << tag;
  for (const char* tag : {"", "a", "\"", "W/", "W/a", "w/\"a\"", "\"a\"b", "\"a\"b\"", "\"a b\"",
                          "\"a\x7f\"", "\"a\n\"", "'a'"})
    EXPECT_FALSE(is_etag(tag)) << tag;
}

TEST(Etag, LongOnesCountAsNone) {
  EXPECT_TRUE(is_etag('"' + std::string(510, 'x') + '"'));
  EXPECT_FALSE(is_etag('"' + std::string(511, 'x') + '"'));
}

// The table of RFC 9110 section 8.8.3.2.
TEST(Etag, ComparesStronglyAndWeakly) {
  EXPECT_FALSE(same_strong_etag("W/\"1\"", "W/\"1\""));
  EXPECT_FALSE(same_strong_etag("W/\"1\"", "W/\"2\""));
  EXPECT_FALSE(same_strong_etag("W/\"1\"", "\"1\""));
  EXPECT_FALSE(same_strong_etag("\"1\"", "W/\"1\""));
  EXPECT_TRUE(same_strong_etag("\"1\"", "\"1\""));
  EXPECT_TRUE(same_weak_etag("W/\"1\"", "W/\"1\""));
  EXPECT_FALSE(same_weak_etag("W/\"1\"", "W/\"2\""));
  EXPECT_TRUE(same_weak_etag("W/\"1\"", "\"1\""));
  EXPECT_TRUE(same_weak_etag("\"1\"", "\"1\""));
  EXPECT_FALSE(same_weak_etag("", ""));
  EXPECT_FALSE(same_strong_etag("x", "x"));
}

}  // namespace
}  // namespace skimfs::fetch
