// SPDX-License-Identifier: MIT
//
// Where servers of the whole Internet may lead.
#include "fetch/error.h"
#include "tests/fetch/loop_fixture.h"

namespace skimfs::test {
namespace {

using fetch::Errc;

class PublicOnly : public FetchLoopTest {
 protected:
  void redirect(std::size_t i, const std::string& to, bool public_peer) {
    transport.connect(i, false, public_peer);
    transport.head(i, 302, {{"Location", to}, {"Content-Length", "0"}});
    transport.end(i);
    loop.advance();
  }
  bool must_be_public(std::size_t i) const { return transport.sent.at(i).request.public_only; }
};

// S-NET-8
TEST_F(PublicOnly, APublicServerLeadsToPublicOnesOnly) {
  const auto sink = want(0, 9);
  EXPECT_FALSE(must_be_public(0)) << "the manifest may name any";
  redirect(0, "http://inside/x", true);
  EXPECT_TRUE(must_be_public(1));
  transport.end(1, fetch::Fault::address);
  loop.advance();
  EXPECT_EQ(sink->outcome(), Errc::redirect_refused);
  EXPECT_TRUE(observer.saw("redirect_denied"));
  EXPECT_EQ(transport.count(), 2u) << "asking again would not help";
}

TEST_F(PublicOnly, APrivateServerMayLeadAnywhere) {
  want(0, 9);
  redirect(0, "http://inside/x", false);
  EXPECT_FALSE(must_be_public(1));
}

TEST_F(PublicOnly, OnePublicServerOnTheWayIsEnough) {
  want(0, 9);
  redirect(0, "http://two/x", false);
  redirect(1, "http://inside/x", true);
  EXPECT_TRUE(must_be_public(2));
}

TEST_F(PublicOnly, ARememberedTargetMustStillBePublic) {
  want(0, 9);
  redirect(0, "http://cdn/x", true);
  answer(1);
  want(10, 19);
  EXPECT_EQ(transport.sent.at(2).request.url, "http://cdn/x");
  EXPECT_TRUE(must_be_public(2));
}

TEST_F(PublicOnly, ARememberedTargetMustBePublicWhoeverOnTheWayWas) {
  want(0, 9);
  redirect(0, "http://two/x", false);
  redirect(1, "http://three/x", true);
  answer(2);
  want(10, 19);
  EXPECT_EQ(transport.sent.at(3).request.url, "http://three/x");
  EXPECT_TRUE(must_be_public(3));
}

TEST_F(PublicOnly, ARememberedTargetThatOthersFoundMeanwhileToo) {
  want(0, 9);
  redirect(0, "http://cdn/x", false);
  answer(1);
  want(10, 19);
  want(20, 29);
  transport.respond(2, 403);
  loop.advance();
  redirect(4, "http://two/x", false);
  redirect(5, "http://three/x", true);
  answer(6);
  transport.respond(3, 403);
  loop.advance();
  EXPECT_EQ(transport.sent.at(7).request.url, "http://three/x");
  EXPECT_TRUE(must_be_public(7));
}

TEST_F(PublicOnly, ARememberedTargetMustBePublicWhenItsOriginIsLongForgotten) {
  want(0, 9);
  redirect(0, "http://cdn/x", true);
  answer(1);
  for (int i = 0; i < 1100; ++i) hosts.at("h" + std::to_string(i) + ":80");
  loop.advance();
  want(10, 19);
  EXPECT_EQ(transport.sent.at(2).request.url, "http://cdn/x");
  EXPECT_TRUE(must_be_public(2));
}

// A name may have addresses of both kinds.
TEST_F(PublicOnly, TheConnectionCountsThatBroughtTheRedirect) {
  want(0, 9);
  want(10, 19, fetch::Priority::demand, "http://one/other");
  transport.connect(0, false, true);
  transport.connect(1, false, false);
  transport.head(0, 302, {{"Location", "http://inside/x"}, {"Content-Length", "0"}});
  transport.end(0);
  loop.advance();
  EXPECT_TRUE(must_be_public(2));
}

class PrivateAllowed : public PublicOnly {
 protected:
  PrivateAllowed() : allowed_(limits(), clock, observer, hosts, transport, 1) {}
  static fetch::FetchLimits limits() {
    auto limits = limits_of(8, 4);
    limits.private_addresses = true;
    return limits;
  }
  fetch::FetchLoop allowed_;
};

TEST_F(PrivateAllowed, AnOptionLetsThemLeadAnywhere) {
  const auto sink = std::make_shared<RecordingSink>();
  allowed_.add({.object = object_at("http://one/file"), .range = {0, 9}, .sink = sink});
  allowed_.advance();
  transport.connect(0, false, true);
  transport.head(0, 302, {{"Location", "http://inside/x"}, {"Content-Length", "0"}});
  transport.end(0);
  allowed_.advance();
  EXPECT_FALSE(must_be_public(1));
}

}  // namespace
}  // namespace skimfs::test
