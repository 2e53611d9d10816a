// SPDX-License-Identifier: MIT
#include "fs/auth/profile_text.h"

#include <gtest/gtest.h>

namespace skimfs::fs::auth {
namespace {

fetch::Url url(const std::string& text) { return fetch::Url::parse(text).value(); }

struct Complaint {
  const char* text;
  std::size_t line;
  const char* says;
};

TEST(ProfileText, ReadsSectionsKeysAndComments) {
  const auto all = parse_profiles(
      "# who asks\n"
      "[genomes]\n"
      "match = https://data.example.org/\n"
      " match=https://cdn.example.org:8443/pub\r\n"
      "header = X-Key:  a = b\n"
      "bearer_file = /run/token\n"
      "\n"
      "[bucket-1]\n"
      "match = https://b.example/\n"
      "sigv4 = eu-west-1\n"
      "user = AKID\n"
      "password_file = secret\n"
      "token_file = session\n");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "genomes");
  ASSERT_EQ(all[0].matches.size(), 2u);
  EXPECT_EQ(all[0].matches[1], url("https://cdn.example.org:8443/pub"));
  EXPECT_EQ(all[0].headers, std::vector<std::string>{"X-Key: a = b"});
  EXPECT_EQ(all[0].bearer_file, "/run/token");
  EXPECT_EQ(all[1].line, 8u);
  EXPECT_EQ(all[1].signature, "aws:amz:eu-west-1:s3");
  EXPECT_EQ(all[1].user, "AKID");
  EXPECT_EQ(all[1].password_file, "secret");
  EXPECT_EQ(all[1].token_file, "session");
  EXPECT_TRUE(parse_profiles("").empty());
}

TEST(ProfileText, RefusesWhatItDoesNotUnderstandAndSaysWhere) {
  const std::string one = "[a]\nmatch = https://h/\n";
  const Complaint complaints[] = {
      {"user = x\n", 1, "before the first key"},
      {"[a b]\n", 1, "[NAME]"},
      {"[a\n", 1, "[NAME]"},
      {"[a]\nheader = X: y\n", 1, "which servers"},
      {"[a]\nmatch = https://h/\n", 1, "nothing to send"},
      {"[a]\nmatch = ftp://h/\n", 2, "http or https"},
      {"[a]\nmatch = https://u:p@h/\n", 2, "http or https"},
      {"[a]\nmatch = https://h/?x\n", 2, "without query"},
      {"[a]\nmatch = https://h/a/../b\n", 2, "dot segments"},
      {"[a]\nmatch = https://h/\nheader = Range: bytes=0-\n", 3, "sets itself"},
      {"[a]\nmatch = https://h/\nheader = novalue\n", 3, "Name: value"},
      {"[a]\nmatch = https://h/\nheader = X: a\x01z\n", 3, "control character"},
      {"[a]\nmatch = https://h/\npasword_file = x\n", 3, "is no key"},
      {"[a]\nmatch = https://h/\nuser =\n", 3, "wants a value"},
      {"[a]\nmatch = https://h/\nuser = x\nuser = y\n", 4, "twice"},
      {"[a]\nmatch = https://h/\nuser = x\n", 1, "together"},
      {"[a]\nmatch = https://h/\nuser = x:y\npassword_file = p\n", 1, "colon"},
      {"[a]\nmatch = https://h/\ncertificate = c\n", 1, "together"},
      {"[a]\nmatch = https://h/\nsigv4 = eu\n", 1, "to sign with"},
      {"[a]\nmatch = https://h/\nsigv4 = e u\n", 3, "REGION"},
      {"[a]\nmatch = https://h/\nheader = X: y\ntoken_file = t\n", 1, "without sigv4"},
      {"[a]\nmatch = https://h/\nbearer_file = b\nuser = u\npassword_file = p\n", 1, "twice"},
      {"[a]\nmatch = https://h/\nbearer_file = b\nheader = AUTHORIZATION: x\n", 1, "twice"},
      {"[a]\nmatch = https://h/\nheader = X: y\n[a]\n", 4, "line 1 too"},
      {"[a]\nmatch = https://h/\nnothing\n", 3, "key = value"},
  };
  for (const Complaint& each : complaints) {
    SCOPED_TRACE(each.text);
    try {
      parse_profiles(each.text);
      ADD_FAILURE() << "was accepted";
    } catch (const ProfileError& error) {
      EXPECT_EQ(error.line, each.line);
      EXPECT_NE(std::string(error.what()).find(each.says), std::string::npos) << error.what();
    }
  }
}

TEST(ProfileText, BoundsTheNumberOfProfiles) {
  std::string text;
  for (int i = 0; i < 257; ++i)
    text += "[p" + std::to_string(i) + "]\nmatch = https://h/\nheader = X: y\n";
  EXPECT_THROW(parse_profiles(text), ProfileError);
}

// S-SEC-1
TEST(ProfileText, AProfileIsForItsOriginsAndWhatIsBelowTheirPaths) {
  struct Case {
    const char* match;
    const char* asked;
    bool covered;
  };
  const Case cases[] = {
      {"https://h/", "https://h/any/thing?x=1", true},
      {"https://h/", "https://h:443/a", true},
      {"https://H/", "https://h/a/../b", true},
      {"https://h/", "http://h/a", false},
      {"https://h/", "https://h:8443/a", false},
      {"https://h/", "https://h.evil/a", false},
      {"https://h/", "https://evil/https://h/", false},
      {"https://h/a", "https://h/a", true},
      {"https://h/a", "https://h/a/b", true},
      {"https://h/a", "https://h/a?b", true},
      {"https://h/a", "https://h/ab", false},
      {"https://h/a/", "https://h/a", false},
      {"https://h/a/", "https://h/a/b", true},
      {"https://h/a/", "https://h/a/../secret", false},
      {"https://h/a/", "https://h/a/%2e%2E/secret", false},
      {"https://h/a/", "https://h/a/..%2fsecret", false},
      {"https://h/a/", "https://h/a/..%5csecret", false},
      {"https://h/a/", "https://h/a/..", false},
      {"https://h/a/", "https://h/a/.hidden", true},
      {"https://h/a/", "https://h/A/b", false},
  };
  for (const Case& each : cases)
    EXPECT_EQ(matches(url(each.match), url(each.asked)), each.covered)
        << each.match << " and " << each.asked;
}

}  // namespace
}  // namespace skimfs::fs::auth
