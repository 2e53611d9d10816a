// SPDX-License-Identifier: MIT
//
// Signatures beside those that AWS publishes and those that libcurl makes.
#include "fetch/aws_signature.h"

#include <gtest/gtest.h>

#include <optional>

#include "fetch/curl_handle.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using fetch::Credential;
using Headers = std::vector<std::string>;
using Time = std::chrono::system_clock::time_point;

constexpr Time kSuiteTime = std::chrono::sys_days(std::chrono::year(2015) / 8 / 30) + 12h + 36min;

// Of AWS's signature test suite, version 4 ("aws-sig-v4-test-suite").
const Credential kSuite{.signature = "aws:amz:us-east-1:service",
                        .user = "AKIDEXAMPLE",
                        .password = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};

Credential suite_of(const std::string& signature) {
  Credential credential = kSuite;
  credential.signature = signature;
  return credential;
}

Headers sign(const Credential& credential, std::string_view target, const Headers& headers = {},
             std::string_view method = "GET", Time now = kSuiteTime) {
  return fetch::sign(credential, method, "example.amazonaws.com", target, headers, now).value();
}

bool refuses(const std::string& signature, std::string_view host, const Headers& headers = {}) {
  const auto added = fetch::sign(suite_of(signature), "GET", host, "/", headers, kSuiteTime);
  return !added && added.error() == std::errc::invalid_argument;
}

std::string value(const Headers& headers, std::string_view name) {
  for (const std::string& header : headers)
    if (header.starts_with(std::string(name) + ": ")) return header.substr(name.size() + 2);
  return {};
}

// The part of Authorization that follows `name` and "=".
std::string part(const Headers& added, const std::string& name) {
  const std::string text = value(added, "Authorization");
  const std::size_t at = text.find(name + "=");
  if (at == std::string::npos) return {};
  return text.substr(at + name.size() + 1, text.find(',', at) - at - name.size() - 1);
}

std::string suite(std::string_view target, const Headers& headers = {},
                  std::string_view method = "GET") {
  return part(sign(kSuite, target, headers, method), "Signature");
}

std::string s3(std::string_view target) {
  return part(sign(suite_of("aws:amz:us-east-1:s3"), target), "Signature");
}

TEST(AwsSignature, IsWhatAwsPublishesForARequestOfNothingSpecial) {
  EXPECT_EQ(sign(kSuite, "/"),
            (Headers{"X-Amz-Date: 20150830T123600Z",
                     "Authorization: AWS4-HMAC-SHA256 "
                     "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                     "SignedHeaders=host;x-amz-date, Signature="
                     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"}))
      << "get-vanilla";
}

TEST(AwsSignature, IsWhatAwsPublishesForQueries) {
  const std::string all = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  EXPECT_EQ(suite("/?Param1=value1"),
            "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb")
      << "get-vanilla-empty-query-key";
  EXPECT_EQ(suite("/?Param2=value2&Param1=value1"),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500")
      << "get-vanilla-query-order-key-case";
  EXPECT_EQ(suite("/?Param1=value2&Param1=Value1"),
            "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1")
      << "get-vanilla-query-order-key";
  EXPECT_EQ(suite("/?Param1=value2&Param1=value1"),
            "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694")
      << "get-vanilla-query-order-value";
  EXPECT_EQ(suite("/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1"),
            "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac")
      << "get-vanilla-query-order-encoded";
  EXPECT_EQ(suite("/?" + all + "=" + all),
            "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197")
      << "get-vanilla-query-unreserved";
  EXPECT_EQ(suite("/?\xe1\x88\xb4=bar"),
            "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04")
      << "get-vanilla-utf8-query";
}

TEST(AwsSignature, IsWhatAwsPublishesForPaths) {
  EXPECT_EQ(suite("/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f")
      << "get-unreserved";
  EXPECT_EQ(suite("/\xe1\x88\xb4"),
            "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85")
      << "get-utf8";
  EXPECT_EQ(suite("/example space/"),
            "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741")
      << "get-space";
  EXPECT_EQ(suite("//example//"),
            "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84")
      << "get-slashes";
  EXPECT_EQ(suite("/./example"), "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5")
      << "get-slash-pointless-dot";
  for (const char* path : {"", "//", "/./", "/example/..", "/example1/example2/../..", "/.."})
    EXPECT_EQ(suite(path), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")
        << path;
}

TEST(AwsSignature, IsWhatAwsPublishesForFields) {
  EXPECT_EQ(suite("/", {"My-Header1: value1", R"(My-Header2: "a   b   c")"}),
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736")
      << "get-header-value-trim";
  EXPECT_EQ(suite("/", {"My-Header1:  value1 ", "My-Header2:\t\"a \tb c\"\t"}),
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
  EXPECT_EQ(suite("/", {"My-Header1:value4", "My-Header1:value1", "my-header1:value3",
                        "My-Header1:value2"}),
            "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01")
      << "get-header-value-order";
}

TEST(AwsSignature, CoversASessionToken) {
  const Headers added = sign(
      kSuite, "/",
      {"X-Amz-Security-Token: "
       "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfp"
       "SPfIeoIYRqTflfKD8YUuwthAx7mSEI/"
       "qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6"
       "q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+"
       "scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="},
      "POST");
  EXPECT_EQ(part(added, "SignedHeaders"), "host;x-amz-date;x-amz-security-token");
  EXPECT_EQ(part(added, "Signature"),
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead")
      << "post-sts-header-before";
}

// "Authenticating Requests: Using the Authorization Header", examples GET Object, GET Bucket
// Lifecycle and GET Bucket (List Objects).
TEST(AwsSignature, IsWhatS3Publishes) {
  const Credential credential{.signature = "aws:amz:us-east-1:s3",
                              .user = "AKIAIOSFODNN7EXAMPLE",
                              .password = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
  const auto get = [&credential](std::string_view target, const Headers& headers = {}) {
    return fetch::sign(credential, "GET", "examplebucket.s3.amazonaws.com", target, headers,
                       std::chrono::sys_days(std::chrono::year(2013) / 5 / 24))
        .value();
  };
  const Headers object = get("/test.txt", {"Range: bytes=0-9"});
  EXPECT_EQ(part(object, "Signature"),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_EQ(part(object, "SignedHeaders"), "host;range;x-amz-content-sha256;x-amz-date");
  EXPECT_EQ(value(object, "X-Amz-Date"), "20130524T000000Z");
  EXPECT_EQ(value(object, "X-Amz-Content-Sha256"),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(part(get("/?lifecycle"), "Signature"),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  EXPECT_EQ(part(get("/?prefix=J&max-keys=2"), "Signature"),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(AwsSignature, OfS3IsOfTheKeyHoweverItIsEscaped) {
  EXPECT_EQ(s3("/a(1)=b,c@d~"), s3("/a%281%29%3db%2Cc%40d%7e"));
  EXPECT_EQ(s3("/\xc3\xa4"), s3("/%c3%a4"));
  EXPECT_EQ(s3("/a/b"), s3("/a%2Fb"));
  EXPECT_EQ(s3("/a b+c"), s3("/a%20b%20c"));
  EXPECT_EQ(s3("/100%"), s3("/100%25"));
  EXPECT_EQ(s3("/%zz%1"), s3("/%25zz%251"));
  EXPECT_NE(s3("/a%2Bb"), s3("/a+b"));
  EXPECT_NE(s3("/a%2520b"), s3("/a%20b"));
  EXPECT_NE(s3("/a//b"), s3("/a/b")) << "another key";
  EXPECT_NE(s3("/a/../b"), s3("/b"));
}

TEST(AwsSignature, OfAnotherStorageTakesAPlusInAPathForWhatItIs) {
  const auto other = [](std::string_view target) {
    const Credential credential = suite_of("aws:amz:us-east-1:s3");
    return part(
        fetch::sign(credential, "GET", "minio.example:9000", target, {}, kSuiteTime).value(),
        "Signature");
  };
  EXPECT_EQ(other("/a+b"), other("/a%2Bb"));
  EXPECT_NE(other("/a+b"), other("/a%20b"));
}

TEST(AwsSignature, OfAnotherServiceIsOfThePathAsItWasSentEscapedOnceMore) {
  EXPECT_NE(suite("/a%20b"), suite("/a b"));
  EXPECT_NE(suite("/a%2fb"), suite("/a%2Fb"));
}

TEST(AwsSignature, OfAQueryIsOfItsParametersHoweverTheyAreEscaped) {
  EXPECT_EQ(s3("/f?a=x/y(z)&&b"), s3("/f?b=&a=x%2fy%28z%29"));
  EXPECT_EQ(s3("/f?a=b+c"), s3("/f?a=b%20c"));
  EXPECT_EQ(s3("/f?a=b=c"), s3("/f?a=b%3Dc"));
  EXPECT_EQ(s3("/f?"), s3("/f"));
  EXPECT_NE(s3("/f?a=b%2Bc"), s3("/f?a=b+c"));
  EXPECT_NE(s3("/f?a=1&b=2"), s3("/f?a=2&b=1"));
}

TEST(AwsSignature, CoversMethodHostPathQueryFieldsAndTime) {
  const Credential& with = kSuite;
  const auto now = kSuiteTime;
  const auto signature = [&](std::string_view method, std::string_view host,
                             std::string_view target, const Headers& headers, Time time) {
    return part(fetch::sign(with, method, host, target, headers, time).value(), "Signature");
  };
  const std::string first = signature("GET", "h", "/f?q", {"Range: bytes=0-9"}, now);
  EXPECT_NE(first, signature("HEAD", "h", "/f?q", {"Range: bytes=0-9"}, now));
  EXPECT_NE(first, signature("GET", "h:81", "/f?q", {"Range: bytes=0-9"}, now));
  EXPECT_NE(first, signature("GET", "h", "/g?q", {"Range: bytes=0-9"}, now));
  EXPECT_NE(first, signature("GET", "h", "/f?r", {"Range: bytes=0-9"}, now));
  EXPECT_NE(first, signature("GET", "h", "/f?q", {"Range: bytes=0-8"}, now));
  EXPECT_NE(first, signature("GET", "h", "/f?q", {"Range: bytes=0-9"}, now + 1s));
  EXPECT_EQ(first, signature("GET", "h", "/f?q", {"range:bytes=0-9"}, now + 999ms));
}

TEST(AwsSignature, HoldsThoughAProxyChangesWhatProxiesChange) {
  EXPECT_EQ(suite("/", {"Accept-Encoding: identity", "User-Agent: skimfs", "Connection: close"}),
            suite("/"));
}

TEST(AwsSignature, UsesTheBodysDigestOfTheRequest) {
  const Headers added =
      sign(suite_of("aws:amz:us-east-1:s3"), "/", {"x-amz-content-sha256: UNSIGNED-PAYLOAD"});
  EXPECT_EQ(added.size(), 2u);
  EXPECT_EQ(value(added, "X-Amz-Content-Sha256"), "");
  EXPECT_EQ(part(added, "SignedHeaders"), "host;x-amz-content-sha256;x-amz-date");
  EXPECT_NE(part(added, "Signature"), s3("/"));
}

TEST(AwsSignature, UsesTheTimeOfTheRequest) {
  const Headers dated = {"X-Amz-Date: 20160101T000000Z"};
  const Headers added = sign(kSuite, "/", dated);
  EXPECT_EQ(value(added, "X-Amz-Date"), "") << "it is sent already";
  const Time new_year = std::chrono::sys_days(std::chrono::year(2016) / 1 / 1);
  EXPECT_EQ(added.back(), sign(kSuite, "/", {}, "GET", new_year).back());
}

TEST(AwsSignature, IsNotMadeWhereNoneIsWantedOrAnotherAuthorizationIsSent) {
  EXPECT_EQ(sign(suite_of(""), "/"), Headers());
  EXPECT_EQ(sign(kSuite, "/", {"authorization: Bearer token"}), Headers());
}

TEST(AwsSignature, NamesItsFieldsAsTheProviderDoes) {
  const Headers osc = sign(suite_of("osc:osc:eu-west-2:api"), "/");
  EXPECT_EQ(value(osc, "X-Osc-Date"), "20150830T123600Z");
  EXPECT_TRUE(value(osc, "Authorization")
                  .starts_with("OSC4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-2/api/"
                               "osc4_request, SignedHeaders=host;x-osc-date, "))
      << value(osc, "Authorization");
  const Headers one = sign(suite_of("osc::eu-west-2:api"), "/");
  EXPECT_EQ(one, osc) << "the first provider is the second, too";
  EXPECT_EQ(sign(suite_of("OSC:OSC:eu-west-2:api"), "/"), osc);
  const Headers storage = sign(suite_of("goog:goog:auto:s3"), "/");
  EXPECT_EQ(part(storage, "SignedHeaders"), "host;x-goog-content-sha256;x-goog-date");
}

TEST(AwsSignature, FindsRegionAndServiceInTheHost) {
  const auto scope = [](const std::string& signature, std::string_view host) {
    return part(fetch::sign(suite_of(signature), "GET", host, "/", {}, kSuiteTime).value(),
                "Credential");
  };
  EXPECT_EQ(scope("aws:amz", "es.eu-west-1.example.com:8443"),
            "AKIDEXAMPLE/20150830/eu-west-1/es/aws4_request");
  EXPECT_EQ(scope("aws", "es.eu-west-1:443"), "AKIDEXAMPLE/20150830/eu-west-1/es/aws4_request");
  EXPECT_EQ(scope("aws:amz:us-east-1", "es.eu-west-1.example.com"),
            "AKIDEXAMPLE/20150830/us-east-1/es/aws4_request");
  EXPECT_EQ(scope("aws:amz::s3", "es.eu-west-1.example.com"),
            "AKIDEXAMPLE/20150830/eu-west-1/s3/aws4_request");
}

TEST(AwsSignature, IsRefusedForATextThatSaysNotHow) {
  EXPECT_FALSE(refuses("aws:amz:eu:s3", "h"));
  EXPECT_TRUE(refuses(":amz:eu:s3", "h"));
  EXPECT_TRUE(refuses("aws:amz", "localhost:80")) << "no service in the host";
  EXPECT_TRUE(refuses("aws:amz", "[::1]:80"));
  EXPECT_TRUE(refuses("aws:amz::s3", "localhost")) << "no region";
  EXPECT_TRUE(refuses("aws:amz:eu:s3:more", "h"));
  EXPECT_TRUE(refuses("aws:a\r\nX: y:eu:s3", "h"));
  EXPECT_TRUE(refuses("aws:amz:e u:s3", "h"));
  EXPECT_TRUE(refuses("aws:amz:eu/s3:s3", "h"));
}

TEST(AwsSignature, IsRefusedForATimeThatIsNone) {
  EXPECT_TRUE(refuses("aws:amz:eu:s3", "h", {"X-Amz-Date: yesterday"}));
  EXPECT_TRUE(refuses("aws:amz:eu:s3", "h", {"X-Amz-Date: 20160101T000000Z0"}));
}

TEST(AwsSignature, NeverShowsTheSecret) {
  for (const char* signature : {"aws:amz:us-east-1:service", "aws:amz:us-east-1:s3", "osc"})
    for (const std::string& header : sign(suite_of(signature), "/"))
      EXPECT_EQ(header.find(kSuite.password), std::string::npos) << header;
}

// What libcurl sends when it is asked to sign.
class BesideLibcurl : public testing::Test {
 protected:
  RequestRecord sent_by_libcurl(const Credential& with, const std::string& target,
                                const Headers& headers, bool head_only) {
    const fetch::CurlEasy easy(curl_easy_init());
    std::unique_ptr<curl_slist, fetch::CurlFree<curl_slist_free_all>> list;
    for (const std::string& header : headers) {
      curl_slist* const longer = curl_slist_append(list.get(), header.c_str());
      static_cast<void>(list.release());
      list.reset(longer);
    }
    curl_easy_setopt(easy.get(), CURLOPT_URL, origin.url(target).c_str());
    curl_easy_setopt(easy.get(), CURLOPT_NOBODY, head_only ? 1L : 0L);
    curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, list.get());
    curl_easy_setopt(easy.get(), CURLOPT_AWS_SIGV4, with.signature.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_USERNAME, with.user.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_PASSWORD, with.password.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, &drop);
    EXPECT_EQ(curl_easy_perform(easy.get()), CURLE_OK);
    return origin.requests().back();
  }

  // The request was signed at the time it names; ours is of the same.
  void expect_same(const std::string& signature, const std::string& target, const Headers& headers,
                   const std::string& date_field = "x-amz-date", bool head_only = false) {
    const Credential with = suite_of(signature);
    const RequestRecord request = sent_by_libcurl(with, target, headers, head_only);
    const std::string date(request.header(date_field));
    ASSERT_EQ(date.size(), 16u);
    const auto ours = fetch::sign(with, request.method, request.header("host"), request.target,
                                  headers, time_of(date));
    ASSERT_TRUE(ours);
    EXPECT_EQ(value(*ours, "Authorization"), request.header("authorization"));
    EXPECT_EQ(ours->front().substr(ours->front().find(": ") + 2), date);
    EXPECT_EQ(ours->size(), 2u);
  }

  const HostileOrigin origin;

 private:
  static std::size_t drop(char*, std::size_t, std::size_t bytes, void*) { return bytes; }

  static Time time_of(const std::string& date) {
    const auto number = [&date](std::size_t at, std::size_t digits) {
      return std::stoi(date.substr(at, digits));
    };
    return std::chrono::sys_days(std::chrono::year(number(0, 4)) / number(4, 2) / number(6, 2)) +
           std::chrono::hours(number(9, 2)) + std::chrono::minutes(number(11, 2)) +
           std::chrono::seconds(number(13, 2));
  }
};

TEST_F(BesideLibcurl, ARequestToS3IsSignedAlike) {
  const Headers headers = {
      "Range: bytes=0-99", "If-Match: \"a  b\"",
      "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "x-amz-security-token: TOKEN/+="};
  expect_same("aws:amz:eu-west-1:s3", "/f/a%20b.txt", headers);
  expect_same("aws:amz:eu-west-1:s3", "/f?a=1&versionId=2", headers);
  expect_same("aws:amz:eu-west-1:s3", "/f", headers, "x-amz-date", true);
  expect_same("aws:amz:eu-west-1:s3", "/f", {"x-amz-content-sha256: UNSIGNED-PAYLOAD"});
}

TEST_F(BesideLibcurl, ARequestToAnotherServiceIsSignedAlike) {
  expect_same("aws:amz:eu-west-1:es", "/index/_doc/1?q=a%3Ab", {"Range: bytes=5-9"});
  expect_same("aws:amz:eu-west-1:execute-api", "/", {});
}

TEST_F(BesideLibcurl, ARequestToAnotherProviderIsSignedAlike) {
  expect_same("osc:osc:eu-west-2:api", "/", {}, "x-osc-date");
  expect_same("test:Try:eu-west-2:api", "/f", {"X-One: 1"}, "x-try-date");
}

TEST_F(BesideLibcurl, RegionAndServiceAreTheSamePartsOfTheHost) {
  expect_same("aws:amz", "/f", {});
  expect_same("aws:amz:eu-west-1", "/f", {});
}

}  // namespace
}  // namespace skimfs::test
