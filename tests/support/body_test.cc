// SPDX-License-Identifier: MIT
//
// That a byte proves its place.
#include "tests/support/body.h"

#include <gtest/gtest.h>

namespace skimfs::test {
namespace {

TEST(Body, IsTheSameHoweverItIsCut) {
  const Body body("/a", 0);
  const std::string whole = body.text(0, 100);
  for (std::size_t at = 0; at < 40; ++at) EXPECT_EQ(body.text(at, 60), whole.substr(at, 60)) << at;
}

TEST(Body, DiffersByFileByVersionAndByPlace) {
  const std::string here = Body("/a", 0).text(4096, 64);
  EXPECT_NE(here, Body("/b", 0).text(4096, 64));
  EXPECT_NE(here, Body("/a", 1).text(4096, 64));
  EXPECT_NE(here, Body("/a", 0).text(4097, 64));
}

TEST(Body, FindsTheOneWrongByte) {
  const Body body("/a", 0);
  std::string got = body.text(1001, 10000);
  EXPECT_FALSE(body.first_wrong(1001, got));
  got[7777] = static_cast<char>(got[7777] ^ 1);
  EXPECT_EQ(body.first_wrong(1001, got), 1001u + 7777u);
}

TEST(Body, MatchesOnlyAllOfIt) {
  const Body body("/a", 0);
  EXPECT_TRUE(body.matches(7, 100, body.text(7, 100)));
  EXPECT_FALSE(body.matches(7, 100, body.text(7, 99)));
  EXPECT_FALSE(body.matches(7, 100, std::string()));
  EXPECT_FALSE(body.matches(8, 100, body.text(7, 100)));
}

}  // namespace
}  // namespace skimfs::test
