// SPDX-License-Identifier: MIT
//
// A server that answers one request late now and then, or nearly stops in the middle of an answer,
// as programs meet it.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <vector>

#include "tests/mount/fixture.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class Hedges : public MountTest {
 protected:
  static constexpr std::uint64_t kPage = 4096, kPages = 4096;

  Hedges() : pages_(kPages) {
    origin_.add("/f", kPages * kPage);
    std::iota(pages_.begin(), pages_.end(), std::uint64_t{0});
    std::shuffle(pages_.begin(), pages_.end(), std::mt19937_64(1));
  }
  // The slowest of so many reads of pages that nobody has read.
  Clock::duration read(const Mount& mount, int count) {
    Clock::duration slowest{};
    for (; count > 0; --count, pages_.pop_back()) {
      const std::uint64_t at = pages_.back() * kPage;
      const auto begin = Clock::now();
      const ReadResult got = read_at(mount / "f", at, kPage, O_DIRECT);
      slowest = std::max(slowest, Clock::now() - begin);
      EXPECT_TRUE(origin_.body("/f").matches(at, kPage, got.bytes)) << at;
    }
    return slowest;
  }

  HostileOrigin origin_;
  FaultProxy server_{origin_.port()};
  std::vector<std::uint64_t> pages_;
};

// S-NET-9
TEST_F(Hedges, OneInFiftyThatIsAnsweredTwoSecondsLateIsNotNoticed) {
  const Mount mount(Manifest(server_.base()).file("/f", kPages * kPage));
  read(mount, 200);
  Clock::duration slowest{};
  for (int i = 0; i < 4; ++i) {
    server_.fault({.delay = 2s}, 1, 40);
    slowest = std::max(slowest, read(mount, 50));
  }
  EXPECT_LT(slowest, 1800ms);
  nlohmann::json fetch;
  const auto won = [&] {  // it may be a moment old
    fetch = nlohmann::json::parse(mount.status()).at("fetch");
    return fetch.at("hedges_won") >= 3;
  };
  EXPECT_TRUE(until(won, 5s)) << fetch;
  EXPECT_LE(fetch.at("hedges"), fetch.at("requests").get<int>() / 50);
  EXPECT_EQ(fetch.at("errors"), 0);
  std::printf("slowest read: %.0f ms\n", std::chrono::duration<double>(slowest).count() * 1e3);
}

// S-NET-10
TEST_F(Hedges, ABodyThatNearlyStandsStillCostsItsReaderASecond) {
  constexpr std::uint64_t kPart = 128 * 1024, kParts = kPages * kPage / kPart;
  const Mount mount(Manifest(server_.base()).file("/f", kPages * kPage));
  Clock::duration slowest{};
  std::vector<std::uint64_t> parts(kParts);
  std::iota(parts.begin(), parts.end(), std::uint64_t{0});
  std::shuffle(parts.begin(), parts.end(), std::mt19937_64(1));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i == 100) server_.fault({.drip_from = 40'000, .drip_every = 1ms}, 1);
    const auto begin = Clock::now();
    const ReadResult got = read_at(mount / "f", parts[i] * kPart, kPart, O_DIRECT);
    slowest = std::max(slowest, Clock::now() - begin);
    ASSERT_EQ(got.bytes.size(), kPart);
    EXPECT_TRUE(origin_.body("/f").matches(parts[i] * kPart, kPart, got.bytes)) << parts[i];
  }
  EXPECT_LT(slowest, 8s) << "15 s until it counts as stuck";
  const auto figure = [&](const char* name) {
    return nlohmann::json::parse(mount.status()).at("fetch").at(name).get<int>();
  };
  // It may be a moment old.
  for (int tries = 0; tries < 200 && figure("hedges_won") == 0; ++tries) ::usleep(10'000);
  EXPECT_GE(figure("hedges_won"), 1);
  EXPECT_EQ(figure("errors"), 0);
  std::printf("slowest read: %.0f ms\n", std::chrono::duration<double>(slowest).count() * 1e3);
}

}  // namespace
}  // namespace skimfs::test
