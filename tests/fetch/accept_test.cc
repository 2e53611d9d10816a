// SPDX-License-Identifier: MIT
//
// The one door for bytes, against every kind of server that was met.
#include "fetch/accept.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

namespace skimfs::fetch {
namespace {

using Fields = std::vector<HeaderField>;

constexpr ByteRange kAsked{100, 199};
const Version kPinned{1000, "\"v1\"", {}};

Verdict<Slice> answer(int status, const Fields& fields, const Version& expect = kPinned,
                      ByteRange asked = kAsked, bool whole = false) {
  return accept({status, fields}, asked, expect, whole);
}

Verdict<Version> probe(int status, const Fields& fields) { return accept_probe({status, fields}); }

// The honest head, with some fields replaced or, when the value is "-", left out.
Fields honest(std::initializer_list<HeaderField> other = {}) {
  Fields fields = {
      {"Content-Range", "bytes 100-199/1000"}, {"Content-Length", "100"}, {"ETag", "\"v1\""}};
  for (const HeaderField& field : other) {
    std::erase_if(fields, [&](const HeaderField& old) { return old.name == field.name; });
    if (field.value != "-") fields.push_back(field);
  }
  return fields;
}

#define EXPECT_REFUSED(verdict, why, word)    \
  do {                                        \
    const auto refused = verdict;             \
    ASSERT_FALSE(refused);                    \
    EXPECT_EQ(refused.error().code, why);     \
    EXPECT_STREQ(refused.error().what, word); \
  } while (false)

// S-HTTP-1
TEST(Accept, TheExactRangeIsTheAnswer) {
  const auto slice = answer(206, honest());
  ASSERT_TRUE(slice);
  EXPECT_EQ(slice->skip, 0u);
  EXPECT_EQ(slice->length, 100u);
  EXPECT_EQ(slice->body, 100u);
  EXPECT_TRUE(slice->counted);
  EXPECT_EQ(slice->seen, kPinned);
}

TEST(Accept, FieldNamesHaveNoCase) {
  EXPECT_TRUE(answer(
      206,
      {{"content-range", "bytes 100-199/1000"}, {"CONTENT-LENGTH", "100"}, {"eTag", "\"v1\""}}));
}

// nginx leaves Accept-Ranges out of a 206.
TEST(Accept, NobodyNeedsToSayAcceptRanges) {
  EXPECT_TRUE(answer(206, honest({{"Accept-Ranges", "none"}})));
}

TEST(Accept, AnUnknownTotalIsNoContradiction) {
  const auto slice = answer(206, honest({{"Content-Range", "bytes 100-199/*"}}));
  ASSERT_TRUE(slice);
  EXPECT_EQ(slice->seen.total, std::nullopt);
}

TEST(Accept, WithoutALengthTheBodyIsNotCounted) {
  const auto slice = answer(206, honest({{"Content-Length", "-"}}));
  ASSERT_TRUE(slice);
  EXPECT_FALSE(slice->counted);
  EXPECT_EQ(slice->body, 100u);
}

TEST(Accept, AChunkedBodyIsNotCounted) {
  const auto slice =
      answer(206, honest({{"Content-Length", "-"}, {"Transfer-Encoding", "chunked"}}));
  ASSERT_TRUE(slice);
  EXPECT_FALSE(slice->counted);
}

TEST(Accept, AWiderAnswerIsSliced) {
  const auto slice =
      answer(206, honest({{"Content-Range", "bytes 90-299/1000"}, {"Content-Length", "210"}}));
  ASSERT_TRUE(slice);
  EXPECT_EQ(slice->skip, 10u);
  EXPECT_EQ(slice->length, 100u);
  EXPECT_EQ(slice->body, 210u);
}

// busybox answers "0-0" with the whole file as a 206.
TEST(Accept, TheWholeFileAsA206IsSliced) {
  const auto slice =
      answer(206, honest({{"Content-Range", "bytes 0-999/1000"}, {"Content-Length", "1000"}}));
  ASSERT_TRUE(slice);
  EXPECT_EQ(slice->skip, 100u);
}

TEST(Accept, NoMoreThanABlockIsSkipped) {
  const Version expect{10'000'000, "\"v1\"", {}};
  const ByteRange asked{kMostSkipped + 1, kMostSkipped + 10};
  const Fields from_0 =
      honest({{"Content-Range", "bytes 0-9999999/10000000"}, {"Content-Length", "10000000"}});
  EXPECT_REFUSED(answer(206, from_0, expect, asked), Errc::bad_response, "bad_content_range");
  EXPECT_TRUE(answer(206, from_0, expect, {kMostSkipped, kMostSkipped}));
}

TEST(Accept, AShorterAnswerIsHonoured) {
  const auto slice =
      answer(206, honest({{"Content-Range", "bytes 100-149/1000"}, {"Content-Length", "50"}}));
  ASSERT_TRUE(slice);
  EXPECT_EQ(slice->length, 50u);
}

TEST(Accept, AShorterAnswerMustBeCounted) {
  EXPECT_REFUSED(
      answer(206, honest({{"Content-Range", "bytes 100-149/1000"}, {"Content-Length", "-"}})),
      Errc::bad_response, "bad_content_range");
}

TEST(Accept, AnotherRangeIsNoAnswer) {
  for (const char* range : {"bytes 101-199/1000", "bytes 0-99/1000", "bytes 200-299/1000"})
    EXPECT_REFUSED(answer(206, honest({{"Content-Range", range}, {"Content-Length", "-"}})),
                   Errc::bad_response, "bad_content_range");
}

TEST(Accept, ContentRangeMustBeThereOnceAndWellFormed) {
  for (const char* range : {"-", "bytes 100-199", "bytes */1000", "bytes 199-100/1000", "rubbish",
                            "bytes 100-199/99", "bytes 100-9223372036854775808/*"})
    EXPECT_REFUSED(answer(206, honest({{"Content-Range", range}})), Errc::bad_response,
                   "bad_content_range");
  Fields twice = honest();
  twice.push_back({"Content-Range", "bytes 100-199/1000"});
  EXPECT_REFUSED(answer(206, twice), Errc::bad_response, "bad_content_range");
}

TEST(Accept, MultipartIsNoAnswer) {
  EXPECT_REFUSED(answer(206, honest({{"Content-Type", "Multipart/byteranges; boundary=x"}})),
                 Errc::bad_response, "multipart");
}

// apache answers a range of the gzip stream where gzip is allowed.
TEST(Accept, ACodedBodyIsNoAnswer) {
  EXPECT_REFUSED(answer(206, honest({{"Content-Encoding", "gzip"}})), Errc::bad_response,
                 "content_encoding");
  EXPECT_TRUE(answer(206, honest({{"Content-Encoding", "Identity"}})));
  Fields hidden = honest({{"Content-Encoding", "identity"}});
  hidden.push_back({"Content-Encoding", "br"});
  EXPECT_REFUSED(answer(206, hidden), Errc::bad_response, "content_encoding");
}

TEST(Accept, TheLengthMustBeTheRanges) {
  for (const char* length : {"99", "101", "-1", "+100", "0x64", "9223372036854775808", "", "1e2"})
    EXPECT_REFUSED(answer(206, honest({{"Content-Length", length}})), Errc::bad_response,
                   "bad_length");
  Fields twice = honest();
  twice.push_back({"Content-Length", "100"});
  EXPECT_REFUSED(answer(206, twice), Errc::bad_response, "bad_length");
}

TEST(Accept, ALengthBesideChunksIsSmuggling) {
  EXPECT_REFUSED(answer(206, honest({{"Transfer-Encoding", "chunked"}})), Errc::bad_response,
                 "transfer_encoding");
  EXPECT_REFUSED(
      answer(206, honest({{"Content-Length", "-"}, {"Transfer-Encoding", "gzip, chunked"}})),
      Errc::bad_response, "transfer_encoding");
}

TEST(Accept, AnotherTotalIsAnotherVersion) {
  EXPECT_REFUSED(answer(206, honest({{"Content-Range", "bytes 100-199/1001"}})), Errc::changed,
                 "changed");
  EXPECT_REFUSED(
      answer(206, honest({{"Content-Range", "bytes 100-1000/*"}, {"Content-Length", "901"}})),
      Errc::changed, "changed");
}

TEST(Accept, AnotherTagOrNoneIsAnotherVersion) {
  for (const char* tag : {"\"v2\"", "W/\"v1\"", "v1", "-"})
    EXPECT_REFUSED(answer(206, honest({{"ETag", tag}})), Errc::changed, "changed");
}

TEST(Accept, AWeakPinIsComparedWeakly) {
  const Version weak{1000, "W/\"v1\"", {}};
  EXPECT_TRUE(answer(206, honest({{"ETag", "W/\"v1\""}}), weak));
  EXPECT_TRUE(answer(206, honest(), weak));
  EXPECT_REFUSED(answer(206, honest({{"ETag", "W/\"v2\""}}), weak), Errc::changed, "changed");
}

TEST(Accept, ADateCountsOnlyWhereItIsThePin) {
  const char* kDate = "Sun, 06 Nov 1994 08:49:37 GMT";
  const char* kOther = "Sun, 06 Nov 1994 08:49:38 GMT";
  const Version dated{1000, "", 784111777};
  EXPECT_TRUE(answer(206, honest({{"Last-Modified", kDate}}), dated));
  EXPECT_REFUSED(answer(206, honest({{"Last-Modified", kOther}}), dated), Errc::changed, "changed");
  EXPECT_REFUSED(answer(206, honest(), dated), Errc::changed, "changed");
  EXPECT_TRUE(answer(206, honest({{"Last-Modified", kOther}}), {1000, "\"v1\"", 784111777}));
}

TEST(Accept, NothingPinnedMatchesEverything) {
  const auto slice = answer(206, honest(), {});
  ASSERT_TRUE(slice);
  EXPECT_EQ(slice->seen, kPinned);
}

// nginx with max_ranges 0, mini-httpd, python's http.server.
TEST(Accept, ATwoHundredIsNeverRangeData) {
  EXPECT_REFUSED(answer(200, {{"Content-Length", "1000"}, {"ETag", "\"v1\""}}),
                 Errc::ranges_ignored, "range_ignored");
  // nix-harmonia adds a Content-Range.
  EXPECT_REFUSED(answer(200, honest()), Errc::ranges_ignored, "range_ignored");
}

TEST(Accept, ATwoHundredMayAnswerForTheWholeObject) {
  const Fields fields = {{"Content-Length", "1000"}, {"ETag", "\"v1\""}};
  const auto slice = answer(200, fields, kPinned, {0, 999}, true);
  ASSERT_TRUE(slice);
  EXPECT_EQ(slice->skip, 0u);
  EXPECT_EQ(slice->length, 1000u);
  EXPECT_TRUE(slice->counted);
  const auto rest = answer(200, fields, kPinned, {700, 999}, true);
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->skip, 700u);
  EXPECT_EQ(rest->length, 300u);
}

TEST(Accept, APortalPageIsNotTheWholeObject) {
  EXPECT_REFUSED(answer(200, {{"Content-Length", "512"}}, kPinned, {0, 999}, true),
                 Errc::ranges_ignored, "unexpected_200");
  EXPECT_REFUSED(answer(200, {{"Transfer-Encoding", "chunked"}}, kPinned, {0, 999}, true),
                 Errc::ranges_ignored, "unexpected_200");
  EXPECT_REFUSED(answer(200, {{"Content-Length", "1000"}, {"Content-Encoding", "gzip"}}, kPinned,
                        {0, 999}, true),
                 Errc::bad_response, "content_encoding");
  EXPECT_REFUSED(answer(200, {{"Content-Length", "1000"}}, kPinned, {0, 999}, true), Errc::changed,
                 "changed");
}

TEST(Accept, APartMayAnswerForTheWholeObject) {
  const Fields fields = {
      {"Content-Range", "bytes 0-999/1000"}, {"Content-Length", "1000"}, {"ETag", "\"v1\""}};
  EXPECT_TRUE(answer(206, fields, kPinned, {0, 999}, true));
}

TEST(Accept, ARefusedRangeTellsWhetherTheObjectChanged) {
  EXPECT_REFUSED(answer(416, {{"Content-Range", "bytes */1000"}}), Errc::range_refused,
                 "range_refused");
  EXPECT_REFUSED(answer(416, {{"Content-Range", "bytes */50"}}), Errc::changed, "changed");
  // apache and lighttpd send no Content-Range.
  EXPECT_REFUSED(answer(416, {}), Errc::range_refused, "range_refused");
}

TEST(Accept, EveryOtherStatusHasItsMeaning) {
  const std::pair<int, Errc> meanings[] = {
      {201, Errc::bad_response},  {204, Errc::bad_response}, {304, Errc::bad_response},
      {400, Errc::range_refused}, {401, Errc::denied},       {403, Errc::denied},
      {407, Errc::denied},        {404, Errc::missing},      {405, Errc::bad_response},
      {408, Errc::server_failed}, {410, Errc::missing},      {412, Errc::changed},
      {425, Errc::server_failed}, {429, Errc::too_busy},     {500, Errc::server_failed},
      {502, Errc::server_failed}, {503, Errc::too_busy},     {504, Errc::server_failed},
      {999, Errc::server_failed}};
  for (const auto& [status, code] : meanings) {
    const auto refused = answer(status, honest());
    ASSERT_FALSE(refused) << status;
    EXPECT_EQ(refused.error().code, code) << status;
  }
}

TEST(AcceptProbe, AOneBytePartTellsAll) {
  const auto seen = probe(206, {{"Content-Range", "bytes 0-0/1000"},
                                {"Content-Length", "1"},
                                {"ETag", "\"v1\""},
                                {"Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"}});
  ASSERT_TRUE(seen);
  EXPECT_EQ(*seen, (Version{1000, "\"v1\"", 784111777}));
}

TEST(AcceptProbe, ATwoHundredTellsTheLengthUnlessItIsCoded) {
  EXPECT_EQ(probe(200, {{"Content-Length", "1000"}})->total, 1000u);
  EXPECT_REFUSED(probe(200, {{"Content-Length", "1000"}, {"Content-Encoding", "gzip"}}),
                 Errc::no_length, "content_encoding");
  EXPECT_REFUSED(probe(200, {{"Content-Length", "1"}, {"Content-Range", "bytes 0-0/1000"}}),
                 Errc::range_refused, "bad_content_range");
  EXPECT_REFUSED(probe(200, {{"Transfer-Encoding", "chunked"}}), Errc::no_length, "unknown_size");
  EXPECT_REFUSED(probe(200, {}), Errc::no_length, "unknown_size");
  EXPECT_REFUSED(probe(206, {{"Content-Range", "bytes 0-0/*"}}), Errc::no_length, "unknown_size");
}

// nginx, apache, lighttpd, busybox: 200; caddy, h2o: 416; webfs: a range that cannot be.
TEST(AcceptProbe, AnEmptyFileIsEmptyInEveryDialect) {
  EXPECT_EQ(probe(200, {{"Content-Length", "0"}})->total, 0u);
  EXPECT_EQ(probe(416, {{"Content-Range", "bytes */0"}})->total, 0u);
  EXPECT_EQ(probe(206, {{"Content-Range", "bytes 0--1/0"}})->total, 0u);
}

TEST(AcceptProbe, ARefusalOfTheFirstByteIsNoSize) {
  EXPECT_REFUSED(probe(416, {{"Content-Range", "bytes */1000"}}), Errc::range_refused,
                 "range_refused");
  EXPECT_REFUSED(probe(416, {}), Errc::range_refused, "range_refused");
  EXPECT_REFUSED(probe(400, {}), Errc::range_refused, "range_refused");
}

TEST(AcceptProbe, APreconditionThatNobodyMadeCannotFail) {
  EXPECT_REFUSED(probe(412, {}), Errc::bad_response, "unexpected_status");
}

TEST(AcceptProbe, ImpossibleLengthsAreCalledSo) {
  for (const char* length : {"-1", "9223372036854775808", "+5", "0x10", ""})
    EXPECT_REFUSED(probe(200, {{"Content-Length", length}}), Errc::bad_length, "bad_length");
  EXPECT_REFUSED(probe(200, {{"Content-Length", "5"}, {"Content-Length", "6"}}), Errc::bad_length,
                 "bad_length");
  EXPECT_REFUSED(probe(206, {{"Content-Range", "bytes 0-0/-1"}}), Errc::bad_length,
                 "bad_content_range");
}

TEST(AcceptProbe, ABodyFromElsewhereTellsNothing) {
  EXPECT_REFUSED(probe(206, {{"Content-Range", "bytes 1-1/1000"}}), Errc::bad_response,
                 "bad_content_range");
  EXPECT_REFUSED(probe(206, {}), Errc::bad_response, "bad_content_range");
  EXPECT_REFUSED(probe(206, {{"Content-Range", "bytes 0-0/1000"}, {"Content-Encoding", "gzip"}}),
                 Errc::bad_response, "content_encoding");
}

TEST(VersionOf, AnErrorPagesTagIsNotTheObjects) {
  const Fields fields = {{"ETag", "\"page\""}, {"Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"}};
  EXPECT_EQ(version_of({412, fields}), Version());
}

}  // namespace
}  // namespace skimfs::fetch
