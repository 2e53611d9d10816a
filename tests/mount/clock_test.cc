// SPDX-License-Identifier: MIT
//
// A wall clock that jumps: row 56 of the fault matrix.
#include <fcntl.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "tests/mount/fixture.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSize = 4u << 20;
constexpr int kSmall = 30;
constexpr std::int64_t kYear = 365 * 86400;

class WallClock : public MountTest {
 protected:
  WallClock() {
    set(0);
    origin.add("/f", kSize);
    for (int i = 0; i < kSmall; ++i) {
      origin.add("/" + std::to_string(i), 4096);
      manifest.file("/" + std::to_string(i), 4096);
    }
    origin.add("/held", kSize, {.hold = true});
    manifest.file("/f", kSize).file("/held", kSize);
  }

  void start(const std::string& options = {}) {
    mount.emplace(manifest, options,
                  // A sanitizer's library otherwise insists on being the first.
                  Command{"env", "ASAN_OPTIONS=verify_asan_link_order=0",
                          "LD_PRELOAD=" WALL_CLOCK_LIBRARY, "WALL_CLOCK=" + scratch / "ahead"});
  }

  void set(std::int64_t ahead) {
    std::fstream file(scratch / "ahead", std::ios::in | std::ios::out | std::ios::binary |
                                             (written ? std::ios::openmode{} : std::ios::trunc));
    file.write(reinterpret_cast<const char*>(&ahead), sizeof ahead);
    written = true;
  }
  void expect_good(std::uint64_t offset) {
    const auto got = read_at(*mount / "f", offset, 65536, O_DIRECT);
    EXPECT_EQ(got.error, 0);
    EXPECT_TRUE(origin.body("/f").matches(offset, 65536, got.bytes));
  }

  void expect_deadline_at(std::int64_t ahead) {
    start("timeout=3");
    const auto begin = std::chrono::steady_clock::now();
    auto reader = std::async(std::launch::async,
                             [&] { return read_at(*mount / "held", 0, 4096, O_DIRECT).error; });
    EXPECT_TRUE(mount->await_waiting(1, kAtOnce));
    set(ahead);
    EXPECT_EQ(reader.get(), ETIMEDOUT);
    const auto took = std::chrono::steady_clock::now() - begin;
    EXPECT_GT(took, 2900ms);
    EXPECT_LT(took, 3s + kAtOnce);
  }

  const Scratch scratch;
  bool written = false;
  HostileOrigin origin;
  Manifest manifest{origin.base()};
  std::optional<Mount> mount;
};

TEST_F(WallClock, ReadsGoOnWhenItJumps) {
  start();
  expect_good(0);
  std::uint64_t at = 0;
  for (const std::int64_t ahead : {10 * kYear, -40 * kYear, std::int64_t{0}, 100 * kYear}) {
    set(ahead);
    expect_good(at += 1u << 19);
  }
}

// S-WAIT-1
TEST_F(WallClock, ADeadlineIsNoNearerWhenItGoesAhead) { expect_deadline_at(10 * kYear); }
TEST_F(WallClock, ADeadlineIsNoFartherWhenItGoesBack) { expect_deadline_at(-40 * kYear); }

// It costs idle connections, no reader.
TEST_F(WallClock, AJumpIsSeen) {
  start();
  const auto changes = [&] {
    return nlohmann::json::parse(mount->status()).at("fetch").at("network_changes").get<int>();
  };
  expect_good(0);
  EXPECT_EQ(changes(), 0);
  set(kYear);
  // It is looked for once a second, when there is something to fetch.  From the last to the first:
  // nothing is fetched ahead.
  for (int i = kSmall; i > 0 && changes() == 0; --i) {
    std::this_thread::sleep_for(100ms);
    EXPECT_EQ(mount->text(std::to_string(i - 1)).size(), 4096u);
  }
  EXPECT_GT(changes(), 0);
}

}  // namespace
}  // namespace skimfs::test
