// SPDX-License-Identifier: MIT
//
// The breaker of connections, seen from both ends.
#include "tests/support/fault_proxy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "tests/support/hostile_origin.h"
#include "tests/support/raw_client.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using Ending = ProxyFault::Ending;

class FaultProxyTest : public ::testing::Test {
 protected:
  FaultProxyTest() : proxy(origin.port()) { origin.add("/a", kSize); }

  // All that comes of one request, head included.
  std::string whole() {
    Client client(origin.port());
    client.get("/a");
    std::string text = client.head();
    return timeless(text += client.body(kSize));
  }
  // Two answers differ in their date, which is always as long.
  static std::string timeless(std::string text) {
    const auto date = text.find("\r\nDate: ");
    if (date == text.npos) return text;
    const auto end = std::min(text.find("\r\n", date + 2), text.size());
    std::fill(text.begin() + static_cast<std::ptrdiff_t>(date) + 8,
              text.begin() + static_cast<std::ptrdiff_t>(end), 'x');
    return text;
  }

  static constexpr std::size_t kSize = 200000;
  HostileOrigin origin;
  FaultProxy proxy;
};

TEST_F(FaultProxyTest, PassesOnWhatBothSay) {
  Client client(proxy.port());
  for (int i = 0; i < 3; ++i) {
    client.get("/a");
    client.head();
    EXPECT_TRUE(origin.body("/a").matches(0, kSize, client.body(kSize)));
  }
  ASSERT_TRUE(proxy.await([&] { return proxy.connections()[0].to_client > 3 * kSize; }));
  EXPECT_EQ(proxy.connections()[0].exchanges, 3u);
  EXPECT_EQ(proxy.connections()[0].faulty, 0u);
}

TEST_F(FaultProxyTest, CutsAtTheByteItIsTold) {
  const std::string text = whole();
  proxy.fault({.stop_after = 1234});
  Client client(proxy.port());
  client.get("/a");
  EXPECT_EQ(timeless(to_the_end(client)), text.substr(0, 1234));
  EXPECT_EQ(client.error(), 0);
}

TEST_F(FaultProxyTest, CutsBeforeTheFirstByteToo) {
  proxy.fault({.stop_after = 0});
  Client client(proxy.port());
  client.get("/a");
  EXPECT_EQ(to_the_end(client), "");
  EXPECT_EQ(client.error(), 0);
}

TEST_F(FaultProxyTest, ResetsAtTheByteItIsTold) {
  proxy.fault({.stop_after = 100, .ending = Ending::reset});
  Client client(proxy.port());
  client.get("/a");
  EXPECT_LE(to_the_end(client).size(), 100u);
  EXPECT_EQ(client.error(), ECONNRESET);
}

TEST_F(FaultProxyTest, AHalfClosedConnectionIsOpenUntilTheClientCloses) {
  proxy.fault({.stop_after = 100, .ending = Ending::half_close});
  {
    Client client(proxy.port());
    client.get("/a");
    EXPECT_EQ(to_the_end(client).size(), 100u);
    client.get("/a");
    EXPECT_TRUE(proxy.connections()[0].open);
  }
  EXPECT_TRUE(proxy.await([&] { return !proxy.connections()[0].open; }));
  EXPECT_EQ(origin.count(), 1u);
}

TEST_F(FaultProxyTest, AStalledConnectionGoesOnWhenReleased) {
  proxy.fault({.stop_after = 100, .ending = Ending::stall});
  const std::string text = whole();
  Client client(proxy.port());
  client.get("/a");
  EXPECT_EQ(client.body(100), text.substr(0, 100));
  EXPECT_TRUE(proxy.await([&] { return proxy.connections()[0].to_client == 100; }));
  proxy.release();
  EXPECT_EQ(client.body(kSize).size(), std::min(kSize, text.size() - 100));
}

TEST_F(FaultProxyTest, TurnsOverOneByteAndOnlyThat) {
  const std::string text = whole();
  proxy.fault({.corrupt_at = text.size() - 5});
  Client client(proxy.port());
  client.get("/a");
  std::string got = timeless(client.body(text.size()));
  EXPECT_EQ(got[text.size() - 5], static_cast<char>(~text[text.size() - 5]));
  got[text.size() - 5] = text[text.size() - 5];
  EXPECT_TRUE(got == text);
}

TEST_F(FaultProxyTest, SendsOneByteTwice) {
  std::string text = whole();
  proxy.fault({.duplicate_at = 70000});
  Client client(proxy.port());
  client.get("/a");
  const std::string got = timeless(client.body(text.size() + 1));
  EXPECT_TRUE(got == text.insert(70000, 1, text[70000]));
}

TEST_F(FaultProxyTest, DripsFromWhereItIsTold) {
  const std::string text = whole();
  proxy.fault({.drip_from = text.size() - 4, .drip_every = 5ms});
  const auto begin = std::chrono::steady_clock::now();
  Client client(proxy.port());
  client.get("/a");
  EXPECT_TRUE(timeless(client.body(text.size())) == text);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 20ms);
}

TEST_F(FaultProxyTest, DelaysAnAnswer) {
  proxy.fault({.delay = 60ms}, 1);
  const auto begin = std::chrono::steady_clock::now();
  Client client(proxy.port());
  client.get("/a", "Range: bytes=0-9\r\n");
  client.head();
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 60ms);
}

TEST_F(FaultProxyTest, RefusesInsteadOfAnAnswer) {
  proxy.fault({.refuse = true}, 1);
  Client client(proxy.port());
  client.get("/a");
  EXPECT_EQ(to_the_end(client), "");
  EXPECT_EQ(client.error(), ECONNRESET);
  EXPECT_EQ(origin.count(), 0u);
}

TEST_F(FaultProxyTest, AFaultIsForSoManyExchangesAndThenNoMore) {
  proxy.fault({.stop_after = 0}, 2);
  for (const std::size_t length : {0u, 0u, 10u}) {
    Client client(proxy.port());
    client.get("/a", "Range: bytes=0-9\r\n");
    client.head();
    EXPECT_EQ(client.body(10).size(), length);
  }
}

TEST_F(FaultProxyTest, APlanMayFailTheThirdExchangeOfAConnection) {
  proxy.plan([](std::uint64_t, std::uint64_t exchange) {
    return exchange == 2 ? ProxyFault{.stop_after = 0} : ProxyFault{};
  });
  Client client(proxy.port());
  for (const std::size_t length : {10u, 10u, 0u}) {
    client.get("/a", "Range: bytes=0-9\r\n");
    client.head();
    EXPECT_EQ(client.body(10).size(), length);
  }
  EXPECT_TRUE(proxy.await([&] { return proxy.connections()[0].faulty == 1; }));
}

TEST_F(FaultProxyTest, RefusesConnectionsWhileItDoesNotListen) {
  proxy.stop_listening();
  EXPECT_FALSE(Client(proxy.port()).connected());
  proxy.listen_again();
  EXPECT_TRUE(Client(proxy.port()).connected());
}

TEST_F(FaultProxyTest, LeadsNewConnectionsElsewhere) {
  HostileOrigin other;
  other.add("/b", 10);
  proxy.lead_to(other.port());
  Client client(proxy.port());
  client.get("/b");
  client.head();
  EXPECT_TRUE(other.body("/b").matches(0, 10, client.body(10)));
}

TEST_F(FaultProxyTest, CutsEverythingThatIsOpen) {
  proxy.fault({.stop_after = 100, .ending = Ending::stall});
  Client client(proxy.port());
  client.get("/a");
  EXPECT_EQ(client.body(100).size(), 100u);
  proxy.cut_all();
  EXPECT_EQ(to_the_end(client), "");
  EXPECT_EQ(client.error(), ECONNRESET);
}

TEST_F(FaultProxyTest, EndsWithConnectionsOfEveryKindOpen) {
  proxy.plan([](std::uint64_t connection, std::uint64_t) {
    if (connection % 3 == 0) return ProxyFault{.stop_after = 10, .ending = Ending::stall};
    if (connection % 3 == 1) return ProxyFault{.drip_from = 10, .drip_every = 1h};
    return ProxyFault{};
  });
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 9; ++i) {
    clients.push_back(std::make_unique<Client>(proxy.port()));
    clients.back()->get("/a");
    EXPECT_EQ(clients.back()->body(10).size(), 10u);
  }
  // The destructor must come back.
}

TEST(RandomFaults, ComeAsOftenAsToldAndAgainForTheSameSeed) {
  const RandomFaults one(1, 0.01), again(1, 0.01), two(2, 0.01);
  unsigned faulty = 0, differ = 0;
  for (std::uint64_t connection = 1; connection <= 100; ++connection) {
    for (std::uint64_t exchange = 0; exchange < 1000; ++exchange) {
      const ProxyFault fault = one(connection, exchange);
      EXPECT_EQ(fault, again(connection, exchange));
      EXPECT_FALSE(fault.corrupt_at || fault.duplicate_at);
      faulty += fault != ProxyFault{};
      differ += fault != two(connection, exchange);
    }
  }
  EXPECT_NEAR(faulty, 1000, 150);
  EXPECT_GT(differ, 1000u);
}

}  // namespace
}  // namespace skimfs::test
