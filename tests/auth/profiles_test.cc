// SPDX-License-Identifier: MIT
#include "fs/auth/profiles.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/auth/folder.h"
#include "tests/auth/pair.h"

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
    EXPECT_FALSE(profile->known());
    EXPECT_EQ(profile->name(), "q");
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
  EXPECT_TRUE(profile->known());
  EXPECT_EQ(profile->name(), "p");
  folder.replace("auth.conf", "[p]\nmatch = https://other/\nheader = X: y\n");
  EXPECT_EQ(profiles.refresh(), "");
  EXPECT_TRUE(covers(*profile, "https://other/"));
  EXPECT_FALSE(covers(*profile, "https://h/"));
  folder.replace("auth.conf", "");
  EXPECT_EQ(profiles.refresh(), "");
  EXPECT_FALSE(covers(*profile, "https://other/")) << "it is gone";
  EXPECT_FALSE(profile->known());
}

// S-SEC-3
TEST_F(ProfileFiles, ThatComeLaterAreThoseThatWereAskedFor) {
  Profiles profiles(conf("header = X: y\n"));
  const auto early = profiles.find("q");
  folder.replace("auth.conf", "[q]\nmatch = https://h/\nheader = X: z\n");
  EXPECT_EQ(profiles.refresh(), "");
  EXPECT_TRUE(early->known());
  EXPECT_EQ(of(*early).headers, Headers{"X: z"});
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

class ClientCertificates : public ProfileFiles {
 protected:
  ClientCertificates() {
    folder.write("c", first_.certificate);
    folder.write("k", first_.key);
  }
  static bool shows(const Profiles& profiles, const Pair& pair) {
    const fetch::Credential& held = of(*profiles.find("p"));
    return held.certificate == pair.certificate && held.key == pair.key;
  }
  std::string conf_of_both() { return conf("certificate = c\nkey = k\n"); }

  const Pair first_, second_;
};

TEST_F(ClientCertificates, AreReadWithTheirKeys) {
  EXPECT_TRUE(shows(Profiles(conf_of_both()), first_));
}

// S-SEC-2
TEST_F(ClientCertificates, AreForEverybodyToReadAndTheirKeysAreNot) {
  const std::string file = conf_of_both();
  ASSERT_EQ(::chmod(folder.path("c").c_str(), 0644), 0);
  ASSERT_EQ(::symlink("c", folder.path("link").c_str()), 0);
  EXPECT_TRUE(shows(Profiles(conf("certificate = link\nkey = k\n")), first_));
  ASSERT_EQ(::chmod(folder.path("k").c_str(), 0644), 0);
  EXPECT_THROW(Profiles{file}, SecretError);
}

// S-SEC-3
TEST_F(ClientCertificates, AreReplacedOnceBothAre) {
  Profiles profiles(conf_of_both());
  folder.replace("k", second_.key);
  const std::string said = profiles.refresh();
  EXPECT_TRUE(said.starts_with(folder.path("k") + ": ")) << said;
  EXPECT_NE(said.find(folder.path("c")), std::string::npos) << said;
  EXPECT_TRUE(shows(profiles, first_)) << "the pair that was";
  folder.replace("c", second_.certificate);
  EXPECT_EQ(profiles.refresh(), "");
  EXPECT_TRUE(shows(profiles, second_));
}

// S-SEC-3: as a program does that renews certificates.
TEST_F(ClientCertificates, BehindALinkAreReplacedWithWhatItLeadsTo) {
  ASSERT_EQ(::symlink("c", folder.path("link").c_str()), 0);
  Profiles profiles(conf("certificate = link\nkey = k\n"));
  EXPECT_EQ(profiles.refresh(), "");
  folder.replace("k", second_.key);
  folder.replace("c", second_.certificate);
  EXPECT_EQ(profiles.refresh(), "");
  EXPECT_TRUE(shows(profiles, second_));
}

// S-SEC-3
TEST_F(ClientCertificates, StayWhereTheNewKeyIsWrong) {
  Profiles profiles(conf_of_both());
  for (const std::string& key : {std::string(), first_.encrypted_key(), second_.key}) {
    folder.replace("k", key);
    EXPECT_NE(profiles.refresh(), "");
    EXPECT_TRUE(shows(profiles, first_));
  }
}

// S-SEC-2, S-SEC-3
TEST_F(ClientCertificates, ThatAreWrongRefuseTheFileThatNamesThem) {
  folder.write("k", second_.key);
  const std::string file = conf_of_both();
  EXPECT_THROW(Profiles{file}, SecretError);
}

}  // namespace
}  // namespace skimfs::test
