// SPDX-License-Identifier: MIT
//
// URLs: what is refused, what is kept byte for byte.
#include "fetch/url.h"

#include <gtest/gtest.h>

namespace skimfs::fetch {
namespace {

Url url(std::string_view text) {
  const auto parsed = Url::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(Url());
}

TEST(Url, LowersSchemeAndHostAndDropsTheFragment) {
  EXPECT_EQ(url("HTTP://Example.COM/A/B?Q=1#frag").text(), "http://example.com/A/B?Q=1");
}

TEST(Url, KeepsThePathAndTheQueryByteForByte) {
  for (const char* text : {"http://h/a/../b", "http://h/./a//b", "http://h/%7euser/%2F%2f",
                           "http://h/a?x=../y&z=%20", "http://h/a;b,c+d", "http://h/caf\xc3\xa9"})
    EXPECT_EQ(url(text).text(), text);
}

TEST(Url, NamesThePeerWithItsPort) {
  EXPECT_EQ(url("http://h/").host_port(), "h:80");
  EXPECT_EQ(url("https://H/").host_port(), "h:443");
  EXPECT_EQ(url("http://h:8080/").host_port(), "h:8080");
  EXPECT_EQ(url("http://[::1]:81/").host_port(), "[::1]:81");
}

TEST(Url, RefusesWhatTheTransferMustNotSee) {
  for (const char* text : {"",
                           "h",
                           "/a",
                           "//h/a",
                           "ftp://h/a",
                           "file:///etc/passwd",
                           "gopher://h/",
                           "http://",
                           "http:///a",
                           "http:/h/a",
                           "http:h/a",
                           "http://user@h/",
                           "http://user:secret@h/",
                           "http://h:99999/",
                           "http://h:x/",
                           "http://h /",
                           "http://h/\n",
                           "http://h/\x01",
                           "javascript:alert(1)",
                           "http://[::1/",
                           "http://a%2fb/",
                           "http://a%7f/",
                           "http://a%20b/",
                           "http://a%00b/"})
    EXPECT_FALSE(Url::parse(text)) << text;
  EXPECT_FALSE(Url::parse(std::string_view("http://h/a\0b", 12)));
}

TEST(Url, ResolvesReferencesAgainstItself) {
  const Url base = url("http://h/dir/file?old=1");
  EXPECT_EQ(base.resolve("other")->text(), "http://h/dir/other");
  EXPECT_EQ(base.resolve("/top?x=1")->text(), "http://h/top?x=1");
  EXPECT_EQ(base.resolve("//two/x")->text(), "http://two/x");
  EXPECT_EQ(base.resolve("https://two:444/x#f")->text(), "https://two:444/x");
  EXPECT_EQ(base.resolve("?new=2")->text(), "http://h/dir/file?new=2");
}

TEST(Url, EncodesSpacesOfAReferenceAndLeavesItsEscapesAlone) {
  EXPECT_EQ(url("http://h/").resolve("/a b%2Fc?d e=%20")->text().find(' '), std::string::npos);
  EXPECT_NE(url("http://h/").resolve("/a b%2Fc?d=%20")->text().find("%2Fc?d=%20"),
            std::string::npos);
}

TEST(Url, RefusesReferencesThatLeadOutOfHttp) {
  const Url base = url("http://h/a");
  for (const char* reference : {"ftp://h/", "file:///etc/passwd", "http://u:p@h/", "http://"})
    EXPECT_FALSE(base.resolve(reference)) << reference;
}

TEST(Url, TheSameOriginIsSchemeHostAndPort) {
  EXPECT_TRUE(url("http://h/a").same_origin(url("http://H:80/b")));
  EXPECT_FALSE(url("http://h/").same_origin(url("https://h/")));
  EXPECT_FALSE(url("http://h/").same_origin(url("http://h:81/")));
  EXPECT_FALSE(url("http://h:443/").same_origin(url("https://h/")));
}

TEST(Redact, ShowsNothingOfTheQuery) {
  EXPECT_EQ(redact("http://h/a?token=1"), "http://h/a");
  EXPECT_EQ(redact("http://h/a"), "http://h/a");
}

}  // namespace
}  // namespace skimfs::fetch
