// SPDX-License-Identifier: MIT
#include "fs/auth/profiles.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/auth/folder.h"

namespace skimfs::test {
namespace {

using fs::auth::Profiles;
using fs::auth::SecretError;
using Headers = std::vector<std::string>;

fetch::Url url(const std::string& text) { return fetch::Url::parse(text).value(); }

class ProfileFiles : public ::testing::Test {
 protected:
  std::string conf(const std::string& keys) {
    return folder.write("auth.conf", "[p]\nmatch = https://h/\n" + keys);
  }
  static bool covers(const fetch::Profile& profile, const std::string& text) {
    return profile.credential(url(text)).has_value();
  }
  static const fetch::Credential& of(const fetch::Profile& profile) {
    return *profile.credential(url("https://h/")).value();
  }
  static Headers headers(const Profiles& profiles) { return of(*profiles.find("p")).headers; }
  Folder folder;
};

TEST_F(ProfileFiles, BuildWhatARequestCarries) {
  folder.write("h", "X-One: 1\n\nX-Two:2\r\n");
  folder.write("t", "abc.def\n");
  folder.write("pw", "open sesame\n");
  const Profiles profiles(
      conf("header = X-Zero: 0\nheader_file = h\nbearer_file = " + folder.path("t") + "\n"));
  EXPECT_EQ(headers(profiles),
            (Headers{"X-Zero: 0", "X-One: 1", "X-Two: 2", "Authorization: Bearer abc.def"}));
  const Profiles basic(conf("user = Aladdin\npassword_file = pw\n"));
  EXPECT_EQ(headers(basic), Headers{"Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="})
      << "RFC 7617 section 2";
}

TEST_F(ProfileFiles, BuildASignature) {
  folder.write("pw", "SECRET\n");
  folder.write("t", "TOKEN\n");
  const Profiles profiles(
      conf("sigv4 = eu-west-1\nuser = AKID\npassword_file = pw\ntoken_file = t\n"));
  const auto profile = profiles.find("p");
  const auto* const credential = &of(*profile);
  EXPECT_EQ(credential->signature, "aws:amz:eu-west-1:s3");
  EXPECT_EQ(credential->user, "AKID");
  EXPECT_EQ(credential->password, "SECRET");
  EXPECT_EQ(credential->headers.back(), "x-amz-security-token: TOKEN");
}

// S-SEC-1
TEST_F(ProfileFiles, ANameThatNobodyKnowsCoversNoServer) {
  const auto knows_nothing = [](const Profiles& profiles) {
    const auto profile = profiles.find("q");
    ASSERT_TRUE(profile);
    EXPECT_FALSE(covers(*profile, "https://h/"));
    EXPECT_FALSE(profiles.knows("q"));
  };
  knows_nothing(Profiles());
  knows_nothing(Profiles(conf("header = X: y\n")));
}

// S-SEC-3
TEST_F(ProfileFiles, AreReadAgainWhenTheyChange) {
  folder.write("t", "one");
  Profiles profiles(conf("bearer_file = t\n"));
  const auto profile = profiles.find("p");
  EXPECT_EQ(profiles.refresh(), "");
  folder.replace("t", "two");
  EXPECT_EQ(profiles.refresh(), "");
  EXPECT_EQ(of(*profile).headers, Headers{"Authorization: Bearer two"});
  folder.replace("auth.conf", "[p]\nmatch = https://other/\nheader = X: y\n");
  EXPECT_EQ(profiles.refresh(), "");
  EXPECT_TRUE(covers(*profile, "https://other/"));
  EXPECT_FALSE(covers(*profile, "https://h/"));
  folder.replace("auth.conf", "");
  EXPECT_EQ(profiles.refresh(), "");
  EXPECT_FALSE(covers(*profile, "https://other/")) << "it is gone";
}

// S-SEC-3
TEST_F(ProfileFiles, KeepWhatTheyHadWhereSomethingIsWrongAndSaySoOnce) {
  folder.write("t", "one");
  Profiles profiles(conf("bearer_file = t\n"));
  folder.replace("t", "");
  EXPECT_NE(profiles.refresh(), "");
  EXPECT_EQ(profiles.refresh(), "") << "has been said";
  EXPECT_EQ(headers(profiles), Headers{"Authorization: Bearer one"});
  ASSERT_EQ(::chmod(folder.path("t").c_str(), 0644), 0);
  EXPECT_NE(profiles.refresh().find("chmod 600"), std::string::npos) << "another thing is wrong";
  folder.replace("t", "two");
  EXPECT_EQ(profiles.refresh(), "");
  EXPECT_EQ(headers(profiles), Headers{"Authorization: Bearer two"});
}

TEST_F(ProfileFiles, SayWhereTheyAreWrongAndNothingOfWhatTheyHold) {
  folder.write("two", "canary\ncanary\n");
  const std::string keys[] = {"bearer_file = none\n", "bearer_file = two\n", "header_file = two\n",
                              "usr = canary\n"};
  for (const std::string& each : keys) {
    try {
      const Profiles profiles(conf(each));
      ADD_FAILURE() << each;
    } catch (const SecretError& error) {
      const std::string said = error.what();
      EXPECT_TRUE(said.starts_with(folder.path(""))) << said;
      EXPECT_EQ(said.find("canary"), std::string::npos) << said;
    }
  }
}

TEST_F(ProfileFiles, AKeyOfACertificateIsASecretToo) {
  folder.write("c", "public");
  const std::string key = folder.write("k", "canary");
  const std::string file = conf("certificate = c\nkey = k\n");
  EXPECT_EQ(of(*Profiles(file).find("p")).key, key);
  ASSERT_EQ(::chmod(key.c_str(), 0644), 0);
  EXPECT_THROW(Profiles{file}, SecretError);
}

}  // namespace
}  // namespace skimfs::test
