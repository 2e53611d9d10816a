// SPDX-License-Identifier: MIT
//
// To whom a credential goes: the servers its profile covers, whoever leads there, and nobody else.
#include "fetch/credential.h"

#include <algorithm>
#include <random>

#include "fetch/error.h"
#include "tests/fetch/loop_fixture.h"

namespace skimfs::test {
namespace {

using fetch::Errc;
using fetch::Url;

// Covers hosts whose names begin with "own".
class OwnHosts final : public fetch::Profile {
 public:
  static bool covers(const Url& url) { return url.host_port().starts_with("own"); }
  const std::string& name() const noexcept override { return name_; }
  bool known() const override { return is_known; }
  std::optional<std::shared_ptr<const fetch::Credential>> credential(
      const Url& url) const override {
    return covers(url) ? std::optional(held) : std::nullopt;
  }
  std::shared_ptr<const fetch::Credential> held = std::make_shared<fetch::Credential>(
      fetch::Credential{.headers = {"Authorization: Bearer canary"}});
  bool is_known = true;

 private:
  const std::string name_ = "own-hosts";
};

class Credentials : public FetchLoopTest {
 protected:
  std::shared_ptr<RecordingSink> want_of(std::vector<std::string> urls, bool with_profile = true) {
    auto sink = std::make_shared<RecordingSink>();
    sink->expected.total = kTotal;
    sink->expected.etag = kTag;
    loop.add({.object = std::make_shared<fetch::Object>(
                  fetch::Object{std::move(urls), with_profile ? profile : nullptr}),
              .range = {0, 9},
              .sink = sink});
    loop.advance();
    return sink;
  }
  bool carries(std::size_t i) const { return transport.sent.at(i).request.credential != nullptr; }
  void redirect(std::size_t i, const std::string& to) {
    transport.respond(i, 302, {{"Location", to}});
    loop.advance();
  }

  const std::shared_ptr<OwnHosts> profile = std::make_shared<OwnHosts>();
};

TEST_F(Credentials, GoWithARequestOfTheirProfile) {
  want_of({"https://own/f"});
  EXPECT_TRUE(carries(0));
  want_of({"https://own/f"}, false);
  EXPECT_FALSE(carries(1)) << "nobody asked for it";
}

// S-SEC-1
TEST_F(Credentials, DoNotCrossToAnOriginThatTheirProfileDoesNotCover) {
  const auto sink = want_of({"https://own/f"});
  redirect(0, "https://cdn/x?signature=1");
  EXPECT_FALSE(carries(1));
  redirect(1, "https://own2/f");
  EXPECT_TRUE(carries(2)) << "and come back where they may";
  answer(2);
  EXPECT_EQ(sink->outcome(), std::error_code());
}

// S-SEC-1: a signed link that one was given is no other's.
TEST_F(Credentials, ATargetIsRememberedForWhoWasLedThere) {
  want_of({"https://own/f"});
  redirect(0, "https://cdn/x?signature=1");
  answer(1);
  want_of({"https://own/f"}, false);
  EXPECT_EQ(transport.sent.at(2).request.url, "https://own/f");
  redirect(2, "https://cdn/x?signature=2");
  answer(3);
  want_of({"https://own/f"});
  want_of({"https://own/f"}, false);
  EXPECT_EQ(transport.sent.at(4).request.url, "https://cdn/x?signature=1");
  EXPECT_EQ(transport.sent.at(5).request.url, "https://cdn/x?signature=2");
}

// S-SEC-1, S-NET-3
TEST_F(Credentials, WhoAsksAgainAsksForItsOwnProfileOnly) {
  for (const bool with_profile : {true, false}) {
    want_of({"https://own/f"}, with_profile);
    redirect(transport.count() - 1, "https://cdn/x?signature=1");
    answer(transport.count() - 1);
  }
  for (const bool with_profile : {true, false}) want_of({"https://own/f"}, with_profile);
  transport.respond(4, 403);
  transport.respond(5, 403);
  loop.advance();
  ASSERT_EQ(transport.count(), 8u) << "each of them, not one for both";
  EXPECT_TRUE(carries(6));
  EXPECT_FALSE(carries(7));
}

// S-SEC-1
TEST_F(Credentials, AUrlOutsideItsProfileIsRefusedNotAskedAnonymously) {
  const auto sink = want_of({"https://evil/f"});
  EXPECT_EQ(sink->outcome(), Errc::denied);
  EXPECT_EQ(transport.count(), 0u);
  EXPECT_TRUE(observer.saw("auth"));
}

TEST_F(Credentials, WhatIsDeniedIsToldWithItsProfileAndWhy) {
  const auto told = [this](const char* why) {
    ASSERT_EQ(observer.events.size(), 1u);
    EXPECT_EQ(observer.events[0].profile, "own-hosts");
    EXPECT_EQ(observer.events[0].detail, why);
    observer.events.clear();
  };
  want_of({"https://evil/f"});
  told("URL outside its list");
  profile->is_known = false;
  want_of({"https://evil/f"});
  told("unknown profile");
  profile->is_known = true;
  profile->held = nullptr;
  want_of({"https://own/f"});
  told("the profile has nothing to send");
}

TEST_F(Credentials, AServersRefusalIsToldWithTheProfileThatAsked) {
  want_of({"https://own/f"});
  transport.respond(0, 401);
  ASSERT_TRUE(observer.saw("auth"));
  EXPECT_EQ(observer.events.back().profile, "own-hosts");
  want_of({"https://own/f"}, false);
  transport.respond(1, 401);
  EXPECT_EQ(observer.events.back().profile, "");
}

TEST_F(Credentials, AMirrorOutsideTheProfileIsPassedOver) {
  const auto sink = want_of({"https://evil/f", "https://own/f"});
  ASSERT_EQ(transport.count(), 1u);
  EXPECT_EQ(transport.sent[0].request.url, "https://own/f");
  EXPECT_TRUE(carries(0));
  answer(0);
  EXPECT_EQ(sink->outcome(), std::error_code());
}

TEST_F(Credentials, WithoutThemNothingIsAsked) {
  profile->held = nullptr;
  EXPECT_EQ(want_of({"https://own/f"})->outcome(), Errc::denied);
  EXPECT_EQ(transport.count(), 0u);
}

// S-SEC-4
TEST_F(Credentials, ARedirectThatIsRefusedIsToldWithoutItsQuery) {
  want_of({"https://own/f"});
  redirect(0, "ftp://cdn/x?signature=canary");
  ASSERT_TRUE(observer.saw("redirect_denied"));
  for (const auto& event : observer.events) {
    EXPECT_EQ(event.detail.find("canary"), std::string::npos) << event.detail;
    EXPECT_EQ(event.url.find("canary"), std::string::npos) << event.url;
  }
}

// Covers each URL once only: as if it were taken away between two questions.
class Vanishing final : public fetch::Profile {
 public:
  const std::string& name() const noexcept override { return name_; }
  bool known() const override { return true; }
  std::optional<std::shared_ptr<const fetch::Credential>> credential(const Url&) const override {
    return asked_++ == 0 ? std::optional(std::make_shared<const fetch::Credential>())
                         : std::nullopt;
  }

 private:
  const std::string name_ = "vanishing";
  mutable int asked_ = 0;
};

// S-SEC-1
TEST(CredentialFor, AProfileThatChangesMakesNoAnonymousRequest) {
  const Url url = Url::parse("https://own/f").value();
  const auto carried =
      fetch::credential_for({{url.text()}, std::make_shared<Vanishing>()}, url, url);
  ASSERT_TRUE(carried);
  EXPECT_NE(*carried, nullptr);
}

TEST_F(Credentials, AreTheNewOnesInARepetition) {
  const auto sink = want_of({"https://own/f"});
  const auto before = transport.sent[0].request.credential;
  profile->held = std::make_shared<fetch::Credential>();
  transport.respond(0, 503);
  await_request(2);
  EXPECT_NE(transport.sent[1].request.credential, before);
}

// S-SEC-1: over chains of redirects, retries and mirrors of chance.
TEST_F(Credentials, NeverReachAnotherServerWhateverLeadsThere) {
  std::mt19937 random(20261126);
  const std::vector<std::string> hosts_asked{"own", "own2", "evil", "cdn", "own.evil.example"};
  const auto url = [&](const char* scheme) {
    return std::string(scheme) + hosts_asked[random() % hosts_asked.size()] + "/" +
           std::to_string(random() % 3);
  };
  std::size_t checked = 0, carried = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> urls;
    for (std::size_t i = 0; i <= random() % 3; ++i) urls.push_back(url("https://"));
    const auto sink = want_of(urls);
    for (int step = 0; step < 12 && sink->outcomes.empty(); ++step) {
      if (transport.live.empty()) pass(std::chrono::milliseconds(500));
      if (transport.live.empty()) continue;
      const std::size_t i = *transport.live.begin();
      switch (random() % 6) {
        case 0:
          answer(i);
          break;
        case 1:
          fault(i, fetch::Fault::reset);
          break;
        case 2:
          transport.respond(i, 401 + static_cast<int>(random() % 4));
          loop.advance();
          break;
        default:
          redirect(i, url(random() % 8 == 0 ? "http://" : "https://"));
      }
    }
    while (!transport.live.empty()) answer(*transport.live.begin());
    for (; checked < transport.count(); ++checked) {
      const auto& request = transport.sent[checked].request;
      const bool covered = profile->covers(Url::parse(request.url).value());
      carried += request.credential != nullptr;
      ASSERT_EQ(request.credential != nullptr, covered) << request.url;
    }
  }
  EXPECT_GT(checked, 2000u);
  EXPECT_GT(carried, 500u);
}

}  // namespace
}  // namespace skimfs::test
