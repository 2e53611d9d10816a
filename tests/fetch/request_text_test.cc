// SPDX-License-Identifier: MIT
//
// What is sent, byte for byte.
#include "fetch/request_text.h"

#include <gtest/gtest.h>

#include "fetch/credential.h"

namespace skimfs::fetch {
namespace {

constexpr std::chrono::system_clock::time_point kNow{std::chrono::seconds(1369353600)};

std::string text_of(const std::string& url, bool to_proxy = false) {
  return request_text({.url = url, .headers = {"Range: bytes=0-9"}}, to_proxy, kNow).value();
}

std::string line_of(const std::string& url, bool to_proxy = false) {
  const std::string text = text_of(url, to_proxy);
  return text.substr(0, text.find("\r\n"));
}

std::string host_of(const std::string& url) {
  const std::string text = text_of(url);
  const std::size_t at = text.find("Host: ");
  return text.substr(at, text.find("\r\n", at) - at);
}

TEST(RequestText, IsALineTheHostAndTheFieldsAndAnEmptyLine) {
  EXPECT_EQ(text_of("http://h:81/a/b?c=d"),
            "GET /a/b?c=d HTTP/1.1\r\n"
            "Host: h:81\r\n"
            "Accept: */*\r\n"
            "Range: bytes=0-9\r\n"
            "\r\n");
}

TEST(RequestText, SendsTheTargetByteForByte) {
  EXPECT_EQ(line_of("https://h/a/../b%7e?sig=%2B+x"), "GET /a/../b%7e?sig=%2B+x HTTP/1.1");
  EXPECT_EQ(line_of("https://h/?a=http://x/y"), "GET /?a=http://x/y HTTP/1.1");
}

// RFC 9112 section 3.2.1
TEST(RequestText, HasAPathWhereTheUrlHasNone) {
  EXPECT_EQ(line_of("http://h"), "GET / HTTP/1.1");
  EXPECT_EQ(line_of("http://h?a=/b"), "GET /?a=/b HTTP/1.1");
}

// RFC 9112 section 3.2.2
TEST(RequestText, TellsAProxyTheWholeUrl) {
  EXPECT_EQ(line_of("http://h:81/a?b", true), "GET http://h:81/a?b HTTP/1.1");
  EXPECT_EQ(line_of("http://h", true), "GET http://h/ HTTP/1.1");
}

TEST(RequestText, NamesTheHostAsTheUrlDoes) {
  EXPECT_EQ(host_of("http://[2001:db8::1]:81/a"), "Host: [2001:db8::1]:81");
  EXPECT_EQ(host_of("http://h?a=@b:1/"), "Host: h");
}

TEST(RequestText, AsksForTheHeadAlone) {
  const WireRequest request{.url = "http://h/a", .head_only = true};
  EXPECT_EQ(request_text(request, false, kNow).value(),
            "HEAD /a HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n");
}

// S-SEC-1
TEST(RequestText, CarriesACredentialAndSignsWithIt) {
  WireRequest request{.url = "https://b.s3.amazonaws.com/k", .headers = {"Range: bytes=0-9"}};
  request.credential = std::make_shared<Credential>(Credential{.headers = {"X-Token: t"},
                                                               .signature = "aws:amz:us-east-1:s3",
                                                               .user = "AKID",
                                                               .password = "canary"});
  const std::string text = request_text(request, false, kNow).value();
  EXPECT_NE(text.find("\r\nX-Token: t\r\n"), text.npos);
  EXPECT_NE(text.find("\r\nX-Amz-Date: 20130524T000000Z\r\n"), text.npos) << text;
  EXPECT_NE(text.find("Credential=AKID/20130524/us-east-1/s3/aws4_request"), text.npos) << text;
  EXPECT_EQ(text.find("canary"), text.npos);
}

TEST(RequestText, AcceptsEverythingButWhereACredentialSaysWhat) {
  WireRequest request{.url = "https://h/k"};
  request.credential = std::make_shared<Credential>(Credential{.headers = {"accept: a/b"}});
  EXPECT_EQ(request_text(request, false, kNow).value(),
            "GET /k HTTP/1.1\r\nHost: h\r\naccept: a/b\r\n\r\n");
}

TEST(RequestText, CannotBeMadeWithASignatureOfAnotherShape) {
  WireRequest request{.url = "https://h/k"};
  request.credential = std::make_shared<Credential>(Credential{.signature = "a b"});
  EXPECT_FALSE(request_text(request, false, kNow));
}

}  // namespace
}  // namespace skimfs::fetch
