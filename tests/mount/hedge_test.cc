// SPDX-License-Identifier: MIT
//
// A server that answers one request late now and then, or nearly stops in the middle of an answer,
// as programs meet it.
#include <fcntl.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <vector>

#include "fetch/hedge_policy.h"
#include "tests/mount/fixture.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class Hedges : public MountTest {
 protected:
  static constexpr std::uint64_t kSize = 64u << 20;

  Hedges() { origin_.add("/f", kSize); }

  // What is read from now on: pieces of the file, in no order.
  void cut(std::uint64_t length) {
    length_ = length;
    unread_.resize(kSize / length);
    std::iota(unread_.begin(), unread_.end(), std::uint64_t{0});
    std::shuffle(unread_.begin(), unread_.end(), std::mt19937_64(1));
  }
  void read(const Mount& mount, int count) {
    for (; count > 0; --count, unread_.pop_back()) {
      ASSERT_FALSE(unread_.empty());
      const std::uint64_t at = unread_.back() * length_;
      const auto begin = Clock::now();
      const ReadResult got = read_at(mount / "f", at, length_, O_DIRECT);
      slowest_ = std::max(slowest_, Clock::now() - begin);
      EXPECT_TRUE(origin_.body("/f").matches(at, length_, got.bytes)) << at;
    }
  }
  // Reads until so many in a row were sent once that a second request is earned, whatever pauses of
  // this machine took before.
  void earn(const Mount& mount) {
    for (unsigned once = 0; once < fetch::HedgePolicy::kEarnedBy && !HasFatalFailure();) {
      const auto before = origin_.count();
      read(mount, 1);
      once = origin_.count() == before + 1 ? once + 1 : 0;
    }
  }
  // The figures, once a second request has won so many times: they may be a moment old.
  static nlohmann::json await_won(const Mount& mount, unsigned times) {
    nlohmann::json fetch;
    const auto won = [&] {
      fetch = nlohmann::json::parse(mount.status()).at("fetch");
      return fetch.at("hedges_won") >= times;
    };
    EXPECT_TRUE(until(won, kAtOnce)) << fetch;
    return fetch;
  }
  void tell_slowest() const {
    std::printf("slowest read: %.0f ms\n", std::chrono::duration<double>(slowest_).count() * 1e3);
  }

  HostileOrigin origin_;
  FaultProxy server_{origin_.port()};
  std::uint64_t length_ = 0;
  std::vector<std::uint64_t> unread_;
  Clock::duration slowest_{};
};

// S-NET-9
TEST_F(Hedges, OneInFiftyThatIsAnsweredLateIsNotNoticed) {
  const Mount mount(Manifest(server_.base()).file("/f", kSize));
  cut(4096);
  read(mount, 200);
  for (int i = 0; i < 4; ++i) {
    earn(mount);
    server_.fault({.delay = 12s}, 1);
    read(mount, 10);
  }
  EXPECT_LT(slowest_, kAtOnce) << "15 s until it counts as stuck";
  const auto fetch = await_won(mount, 3);
  EXPECT_LE(fetch.at("hedges"), fetch.at("requests").get<int>() / 50);
  EXPECT_EQ(fetch.at("errors"), 0);
  tell_slowest();
}

// S-NET-10
TEST_F(Hedges, ABodyThatNearlyStandsStillCostsItsReaderASecond) {
  const Mount mount(Manifest(server_.base()).file("/f", kSize));
  cut(128 * 1024);
  read(mount, 50);
  earn(mount);
  server_.fault({.drip_from = 40'000, .drip_every = 1ms}, 1);
  read(mount, 1);
  EXPECT_LT(slowest_, kAtOnce) << "15 s until it counts as stuck";
  EXPECT_EQ(await_won(mount, 1).at("errors"), 0);
  tell_slowest();
}

}  // namespace
}  // namespace skimfs::test
