// SPDX-License-Identifier: MIT
//
// The tester tested: seen through a raw socket, so that no client library hides a fault.
#include "tests/support/hostile_origin.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "tests/support/raw_client.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

TEST(HostileOrigin, AnswersARangeExactly) {
  HostileOrigin origin;
  origin.add("/a", 1000);
  Client client(origin.port());
  client.get("/a", "Range: bytes=10-19\r\n");
  const std::string head = client.head();
  EXPECT_TRUE(head.starts_with("HTTP/1.1 206 ")) << head;
  EXPECT_NE(head.find("Content-Range: bytes 10-19/1000\r\n"), head.npos) << head;
  EXPECT_NE(head.find("Content-Length: 10\r\n"), head.npos) << head;
  EXPECT_NE(head.find("ETag: " + origin.etag("/a")), head.npos) << head;
  EXPECT_EQ(client.body(10), origin.body("/a").text(10, 10));
}

TEST(HostileOrigin, KeepsAConnectionAndCountsWhatCameOverIt) {
  HostileOrigin origin;
  origin.add("/a", 100);
  Client client(origin.port());
  for (int i = 0; i < 3; ++i) {
    client.get("/a?query");
    client.head();
    EXPECT_EQ(client.body(100).size(), 100u);
  }
  ASSERT_TRUE(
      origin.await([&] { return origin.count("/a") == 3 && origin.requests().back().done; }));
  EXPECT_EQ(origin.connections().total, 1u);
  EXPECT_EQ(origin.requests()[2].connection, 1u);
  EXPECT_EQ(origin.requests()[2].body_sent, 100u);
  EXPECT_EQ(origin.requests()[2].target, "/a?query");
}

TEST(HostileOrigin, SeesConnectionsComeAndGo) {
  HostileOrigin origin;
  {
    const Client one(origin.port()), two(origin.port());
    EXPECT_TRUE(origin.await([&] { return origin.connections().open == 2; }));
  }
  EXPECT_TRUE(origin.await([&] { return origin.connections().open == 0; }));
  EXPECT_EQ(origin.connections().peak, 2u);
}

TEST(HostileOrigin, MisbehavesAsOftenAsItIsToldAndThenNoMore) {
  HostileOrigin origin;
  origin.add("/a", 100);
  origin.behave("/a", {.status = 503, .retry_after = 7}, 1);
  Client client(origin.port());
  client.get("/a");
  const std::string refused = client.head();
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 503 ")) << refused;
  EXPECT_NE(refused.find("Retry-After: 7\r\n"), refused.npos) << refused;
  Client second(origin.port());
  second.get("/a");
  EXPECT_TRUE(second.head().starts_with("HTTP/1.1 200 "));
}

struct RangeCase {
  const char* name;
  Behaviour behaviour;
  const char* status;
  const char* content_range;  // null: none
  std::uint64_t from;
  std::size_t length;
};

class RangeFaults : public ::testing::TestWithParam<RangeCase> {};

TEST_P(RangeFaults, SaysAndSendsWhatItsNamePromises) {
  const RangeCase& c = GetParam();
  HostileOrigin origin;
  origin.add("/a", 10000, c.behaviour);
  Client client(origin.port());
  client.get("/a", "Range: bytes=1000-1999\r\n");
  const std::string head = client.head();
  EXPECT_TRUE(head.starts_with(std::string("HTTP/1.1 ") + c.status)) << head;
  if (c.content_range == nullptr) {
    EXPECT_EQ(head.find("Content-Range"), head.npos) << head;
  } else {
    EXPECT_NE(head.find(std::string("Content-Range: ") + c.content_range + "\r\n"), head.npos)
        << head;
  }
  EXPECT_EQ(client.body(c.length), origin.body("/a").text(c.from, c.length));
}

INSTANTIATE_TEST_SUITE_P(
    All, RangeFaults,
    ::testing::Values(
        RangeCase{"ignored", {.ranges = Ranges::ignored}, "200", nullptr, 0, 10000},
        RangeCase{
            "shifted", {.ranges = Ranges::shifted}, "206", "bytes 1001-2000/10000", 1001, 1000},
        RangeCase{"lying", {.ranges = Ranges::lying}, "206", "bytes 1000-1999/10000", 1001, 1000},
        RangeCase{"wider", {.ranges = Ranges::wider}, "206", "bytes 488-2511/10000", 488, 2024},
        RangeCase{
            "shorter", {.ranges = Ranges::shorter}, "206", "bytes 1000-1499/10000", 1000, 500},
        RangeCase{"whole", {.ranges = Ranges::whole}, "206", "bytes 0-9999/10000", 0, 10000},
        RangeCase{"missing", {.content_range = ContentRange::missing}, "206", nullptr, 1000, 1000},
        RangeCase{"malformed",
                  {.content_range = ContentRange::malformed},
                  "206",
                  "bytes=1000-1999",
                  1000,
                  1000},
        RangeCase{"other_total",
                  {.content_range = ContentRange::other_total},
                  "206",
                  "bytes 1000-1999/10001",
                  1000,
                  1000},
        RangeCase{"unknown_total",
                  {.content_range = ContentRange::unknown_total},
                  "206",
                  "bytes 1000-1999/*",
                  1000,
                  1000}),
    [](const auto& fault) { return std::string(fault.param.name); });

TEST(HostileOrigin, CutsABodyWhereItIsTold) {
  HostileOrigin origin;
  origin.add("/a", 100000, {.stop_after = 70000, .ending = Ending::close_unsaid});
  Client client(origin.port());
  client.get("/a");
  client.head();
  EXPECT_EQ(to_the_end(client).size(), 70000u);
}

TEST(HostileOrigin, ResetsAConnectionInTheMiddleOfABody) {
  HostileOrigin origin;
  origin.add("/a", 100000, {.stop_after = 5000, .ending = Ending::reset});
  Client client(origin.port());
  client.get("/a");
  client.head();
  to_the_end(client);
  EXPECT_EQ(client.error(), ECONNRESET);
}

TEST(HostileOrigin, StallsUntilItIsReleasedThenSendsTheRest) {
  HostileOrigin origin;
  origin.add("/a", 1000, {.stop_after = 300, .ending = Ending::stall});
  Client client(origin.port());
  client.get("/a");
  client.head();
  EXPECT_EQ(client.body(300).size(), 300u);
  EXPECT_FALSE(origin.requests()[0].done);
  origin.release();
  EXPECT_EQ(client.body(700), origin.body("/a").text(300, 700));
}

TEST(HostileOrigin, HoldsAnAnswerUntilItIsReleased) {
  HostileOrigin origin;
  origin.add("/a", 10, {.hold = true});
  Client client(origin.port());
  client.get("/a");
  ASSERT_TRUE(origin.await([&] { return origin.count() == 1; }));
  EXPECT_EQ(origin.requests()[0].status, 0);
  origin.release();
  EXPECT_TRUE(client.head().starts_with("HTTP/1.1 200 "));
}

TEST(HostileOrigin, NoticesThatAClientGaveUpWaiting) {
  HostileOrigin origin;
  origin.accept_in_silence(true);
  {
    Client client(origin.port());
    client.get("/a");
    ASSERT_TRUE(origin.await([&] { return origin.count() == 1; }));
  }
  EXPECT_TRUE(origin.await([&] { return origin.connections().open == 0; }));
}

TEST(HostileOrigin, SendsChunksThatAddUp) {
  HostileOrigin origin;
  origin.add("/a", 5, {.length = Length::chunked, .ending = Ending::close});
  Client client(origin.port());
  client.get("/a");
  EXPECT_NE(client.head().find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_EQ(to_the_end(client), "5\r\n" + origin.body("/a").text(0, 5) + "\r\n0\r\n\r\n");
}

TEST(HostileOrigin, AChangeBringsNewBytesAndNewValidatorsARewriteOnlyNewBytes) {
  HostileOrigin origin;
  origin.add("/a", 64);
  const std::string etag = origin.etag("/a"), bytes = origin.body("/a").text(0, 64);
  origin.rewrite("/a");
  EXPECT_EQ(origin.etag("/a"), etag);
  EXPECT_NE(origin.body("/a").text(0, 64), bytes);
  origin.change("/a");
  EXPECT_NE(origin.etag("/a"), etag);
}

TEST(HostileOrigin, AWrongIfMatchIsA412UnlessItIsNotHeeded) {
  HostileOrigin origin;
  origin.add("/a", 64);
  Client client(origin.port());
  client.get("/a", "If-Match: \"other\"\r\nRange: bytes=0-1\r\n");
  EXPECT_TRUE(client.head().starts_with("HTTP/1.1 412 "));
  origin.behave("/a", {.heed_conditions = false});
  Client second(origin.port());
  second.get("/a", "If-Match: \"other\"\r\nRange: bytes=0-1\r\n");
  EXPECT_TRUE(second.head().starts_with("HTTP/1.1 206 "));
}

TEST(HostileOrigin, RefusesConnectionsWhileItDoesNotListen) {
  HostileOrigin origin;
  origin.stop_listening();
  EXPECT_FALSE(Client(origin.port()).connected());
  origin.listen_again();
  EXPECT_TRUE(Client(origin.port()).connected());
}

TEST(HostileOrigin, ServesManyConnectionsAtOnce) {
  HostileOrigin origin;
  origin.add("/a", 1 << 20);
  std::vector<std::thread> clients;
  for (int i = 0; i < 16; ++i) {
    clients.emplace_back([&] {
      Client client(origin.port());
      for (int n = 0; n < 4; ++n) {
        client.get("/a");
        client.head();
        EXPECT_FALSE(origin.body("/a").first_wrong(0, client.body(1 << 20)));
      }
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(origin.count(), 64u);
  EXPECT_LE(origin.connections().peak, 16u);
}

TEST(HostileOrigin, BeginsToMisbehaveAfterSoManyRequests) {
  HostileOrigin origin;
  origin.add("/a", 10);
  origin.behave("/a", {.status = 500}, 1, 2);
  for (const char* status : {"200", "200", "500", "200"}) {
    Client client(origin.port());
    client.get("/a");
    EXPECT_TRUE(client.head().starts_with(std::string("HTTP/1.1 ") + status)) << status;
  }
}

TEST(HostileOrigin, ChangesItsContentAfterSoManyRequests) {
  HostileOrigin origin;
  origin.add("/a", 10);
  const Body old = origin.body("/a");
  origin.change_after("/a", 1, 20);
  Client client(origin.port());
  client.get("/a");
  EXPECT_NE(client.head().find("Content-Length: 10\r\n"), std::string::npos);
  EXPECT_TRUE(old.matches(0, 10, client.body(10)));
  client.get("/a");
  EXPECT_NE(client.head().find("Content-Length: 20\r\n"), std::string::npos);
  EXPECT_TRUE(Body("/a", 1).matches(0, 20, client.body(20)));
}

TEST(HostileOrigin, MisbehavesByChanceAndAgainForTheSameSeed) {
  const auto statuses = [](std::uint64_t seed) {
    HostileOrigin origin;
    origin.add("/a", 10);
    origin.misbehave(seed, 0.3, {{.status = 500}});
    for (int i = 0; i < 100; ++i) {
      Client client(origin.port());
      client.get("/a");
      client.head();
    }
    std::string all;
    for (const auto& request : origin.requests()) all += request.status == 500 ? '5' : '2';
    return all;
  };
  const std::string one = statuses(1);
  EXPECT_EQ(one, statuses(1));
  EXPECT_NE(one, statuses(2));
  EXPECT_GT(std::ranges::count(one, '5'), 10);
  EXPECT_LT(std::ranges::count(one, '5'), 60);
}

TEST(HostileOrigin, APortalAnswersAnythingWithItsPage) {
  HostileOrigin origin;
  origin.add("/a", 1000, {.portal = true});
  Client client(origin.port());
  client.get("/a", "Range: bytes=10-19\r\n");
  const std::string head = client.head();
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 ")) << head;
  EXPECT_NE(head.find("text/html"), head.npos) << head;
}

TEST(HostileOrigin, EmptyFilesAnswerInAllStyles) {
  const std::pair<Empty, const char*> styles[] = {{Empty::ok, "200"},
                                                  {Empty::unsatisfiable, "416"},
                                                  {Empty::bad_request, "400"},
                                                  {Empty::backward_range, "206"}};
  for (const auto& [style, status] : styles) {
    HostileOrigin origin;
    origin.add("/e", 0, {.empty = style});
    Client client(origin.port());
    client.get("/e", "Range: bytes=0-0\r\n");
    EXPECT_TRUE(client.head().starts_with(std::string("HTTP/1.1 ") + status)) << status;
  }
}

}  // namespace
}  // namespace skimfs::test
