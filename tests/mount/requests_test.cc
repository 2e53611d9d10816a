// SPDX-License-Identifier: MIT
//
// What a mount asks of servers, counted at the server: requests, bytes, sockets.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <span>
#include <thread>

#include "fetch/hedge_policy.h"
#include "tests/mount/fixture.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

using Requests = MountTest;

// So many answers tell no host's usual time, so no request is sent twice however long this machine
// pauses, and each can be counted.
constexpr unsigned kUnhedged = fetch::HedgePolicy::kLeastTimed - 1;

std::uint64_t bytes_sent(const HostileOrigin& origin) {
  std::uint64_t sum = 0;
  for (const auto& request : origin.requests()) sum += request.body_sent;
  return sum;
}

// S-NAME-3
TEST_F(Requests, ListingFilesOfKnownSizeMakesNone) {
  HostileOrigin origin;
  Manifest manifest(origin.base());
  for (int i = 0; i < 3000; ++i) {
    const std::string name = "/d" + std::to_string(i % 30) + "/f" + std::to_string(i);
    manifest.line(name + "\t" + std::to_string(i) + "\t2024-01-02T03:04:05Z\t-\t=");
  }
  const Mount mount(manifest);
  const Scratch scratch;
  const Outcome outcome = shell("cd " + mount.dir() +
                                "; ls -lR >/dev/null; find . -ls | wc -l; du -a . >/dev/null\n"
                                "rsync -na . " +
                                (scratch / "nowhere") +
                                "/; df . >/dev/null\n"
                                "getfattr -d d1/f1 >/dev/null; stat d2/f2 >/dev/null");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
  EXPECT_EQ(outcome.out, "3031\n");
  EXPECT_EQ(origin.count(), 0u);
  EXPECT_EQ(origin.connections().total, 0u);
}

// S-READ-5
TEST_F(Requests, AThousandReadersOfOneColdBlockMakeOne) {
  constexpr unsigned kReaders = 1000;
  constexpr std::uint64_t kOffset = 3u << 20;
  HostileOrigin origin;
  origin.add("/f", 16u << 20, {.hold = true});
  const Mount mount(Manifest(origin.base()).file("/f", 16u << 20));
  std::vector<std::thread> readers;
  std::atomic<unsigned> right{0};
  for (unsigned i = 0; i < kReaders; ++i) {
    readers.emplace_back([&] {
      const auto got = read_at(mount / "f", kOffset, 4096, O_DIRECT);
      right += origin.body("/f").matches(kOffset, 4096, got.bytes);
    });
  }
  EXPECT_TRUE(mount.await_waiting(kReaders, 30s)) << mount.waiting() << " readers wait";
  origin.release();
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(right, kReaders);
  EXPECT_EQ(origin.count("/f"), 1u);
}

// S-READ-3
TEST_F(Requests, ARandomReadFetchesItsPagesAndNoMore) {
  HostileOrigin origin;
  origin.add("/f", 64u << 20);
  const Mount mount(Manifest(origin.base()).file("/f", 64u << 20));
  const auto got = read_at(mount / "f", 40u << 20, 4096, O_DIRECT);
  EXPECT_TRUE(origin.body("/f").matches(40u << 20, 4096, got.bytes));
  ASSERT_EQ(origin.count("/f"), 1u);
  EXPECT_EQ(origin.requests()[0].range(), "bytes=41943040-41947135");
}

TEST_F(Requests, ASequentialReadFetchesEveryByteOnce) {
  constexpr std::uint64_t kSize = 8u << 20;
  HostileOrigin origin;
  origin.add("/f", kSize);
  const Mount mount(Manifest(origin.base()).file("/f", kSize));
  EXPECT_TRUE(origin.body("/f").matches(0, kSize, mount.text("f")));
  EXPECT_TRUE(origin.await([&] { return bytes_sent(origin) == kSize; })) << bytes_sent(origin);
  EXPECT_LT(origin.count(), kSize / (256 * 1024)) << "more than a block at a time";
}

TEST_F(Requests, WhatIsCachedIsNotAskedForAgain) {
  HostileOrigin origin;
  origin.add("/f", 1u << 20);
  const Mount mount(Manifest(origin.base()).file("/f", 1u << 20));
  mount.text("f");
  const auto before = origin.count();
  const ReadResult got = read_at(mount / "f", 0, 1u << 20, O_DIRECT);
  EXPECT_TRUE(origin.body("/f").matches(0, 1u << 20, got.bytes));
  EXPECT_EQ(origin.count(), before);
}

TEST_F(Requests, RangesAreAskedForByTheRules) {
  HostileOrigin origin;
  origin.add("/f", 1u << 20);
  const Mount mount(Manifest(origin.base()).file("/f", 1u << 20));
  mount.text("f");
  EXPECT_GT(origin.count("/f"), 0u);
  for (const auto& request : origin.requests()) {
    EXPECT_EQ(request.method, "GET");
    EXPECT_EQ(request.header("accept-encoding"), "identity");
    EXPECT_EQ(request.header("if-range"), "");
    EXPECT_TRUE(request.range().starts_with("bytes=")) << request.range();
  }
}

// S-CONN-1
class Sockets : public MountTest {
 protected:
  // A server accepts the next connection before it hears of the end of one.
  static constexpr unsigned kHeardLater = 2;

  // Files of `origins` in turn, all read at once while each answer takes its time.
  static void read_at_once(std::span<HostileOrigin* const> origins, const std::string& options) {
    constexpr unsigned kFiles = 24;
    constexpr std::uint64_t kSize = 1u << 20;
    Manifest manifest(origins[0]->base());
    for (unsigned i = 0; i < kFiles; ++i) {
      const std::string path = "/" + std::to_string(i);
      HostileOrigin& origin = *origins[i % origins.size()];
      origin.add(path, kSize, {.drip_bytes = 65536, .drip_every = 2ms});
      manifest.line(path + "\t" + std::to_string(kSize) + "\t-\t-\t" + origin.url(path));
    }
    const Mount mount(manifest, options);
    std::vector<std::thread> readers;
    for (unsigned i = 0; i < kFiles; ++i) {
      readers.emplace_back([&, i] {
        const std::string path = "/" + std::to_string(i);
        const Body body = origins[i % origins.size()]->body(path);
        EXPECT_TRUE(body.matches(0, kSize, mount.text(path)));
      });
    }
    for (auto& reader : readers) reader.join();
  }
};

TEST_F(Sockets, AreNeverMoreThanTheCapOfAHost) {
  HostileOrigin one, two;
  read_at_once(std::array{&one, &two}, "connections=64,connections_per_host=4");
  EXPECT_LE(one.connections().peak, 4u + kHeardLater);
  EXPECT_LE(two.connections().peak, 4u + kHeardLater);
  EXPECT_GE(one.connections().peak, 2u);
}

TEST_F(Sockets, AreNeverMoreThanTheCapOfAll) {
  HostileOrigin origin;
  read_at_once(std::array{&origin}, "connections=3,connections_per_host=16");
  EXPECT_LE(origin.connections().peak, 3u + kHeardLater);
}

TEST_F(Sockets, AreSharedByMoreHostsThanThereAreSockets) {
  HostileOrigin a, b, c, d, e;
  read_at_once(std::array{&a, &b, &c, &d, &e}, "connections=2,connections_per_host=2,timeout=30");
  for (const HostileOrigin* origin : {&a, &b, &c, &d, &e}) {
    EXPECT_LE(origin->connections().peak, 2u + kHeardLater);
  }
}

// S-CONN-1
TEST_F(Requests, IdleConnectionsAreClosed) {
  HostileOrigin origin;
  origin.add("/f", 1u << 20);
  const Mount mount(Manifest(origin.base()).file("/f", 1u << 20), "idle_timeout=5");
  mount.text("f");
  EXPECT_GT(origin.connections().open, 0u);
  EXPECT_TRUE(origin.await([&] { return origin.connections().open == 0; }, 20s));
}

TEST_F(Requests, AnIdleConnectionTheServerDroppedIsNotNoticed) {
  HostileOrigin origin;
  origin.add("/f", 4u << 20);
  const Mount mount(Manifest(origin.base()).file("/f", 4u << 20));
  for (std::uint64_t at = 0; at < 4u << 20; at += 1u << 20) {
    const auto got = read_at(mount / "f", at, 4096, O_DIRECT);
    EXPECT_EQ(got.error, 0);
    EXPECT_TRUE(origin.body("/f").matches(at, 4096, got.bytes));
    origin.drop_idle_connections();
  }
}

TEST_F(Requests, RetryAfterIsObeyed) {
  HostileOrigin origin;
  origin.add("/f", 4096);
  origin.behave("/f", {.status = 503, .retry_after = 2}, 1);
  const Mount mount(Manifest(origin.base()).file("/f", 4096));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(origin.body("/f").matches(0, 4096, mount.text("f")));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 2s);
  EXPECT_EQ(origin.count(), 2u);
}

// S-NAME-4
TEST_F(Requests, SmallFilesOfUnstatedSizeNeedOneEach) {
  HostileOrigin origin;
  Manifest manifest(origin.base());
  for (int i = 0; i < 30; ++i) {
    const std::string name = "/f" + std::to_string(i);
    origin.add(name, i * 400u);
    manifest.file(name, {});
  }
  const Mount mount(manifest);
  const Scratch scratch;
  const Outcome outcome = shell("cp -r " + mount.dir() + "/. " + scratch.path());
  EXPECT_TRUE(outcome.ok()) << outcome.all();
  for (int i = 0; i < 30; ++i) {
    const std::string name = "/f" + std::to_string(i);
    EXPECT_TRUE(origin.body(name).matches(0, i * 400u, contents(scratch.path() + name))) << name;
  }
  EXPECT_EQ(origin.count(), 30u);
}

// S-NAME-4
TEST_F(Requests, LookingAtFilesOfUnstatedSizeBringsFourBeginnings) {
  constexpr unsigned kFiles = kUnhedged;
  HostileOrigin origin;
  Manifest manifest(origin.base());
  for (unsigned i = 0; i < kFiles; ++i) {
    const std::string name = "/f" + std::to_string(i);
    origin.add(name, 1u << 20);
    manifest.file(name, {});
  }
  const Mount mount(manifest);
  EXPECT_EQ(shell("find " + mount.dir() + " -type f -size 1M | wc -l").out,
            std::to_string(kFiles) + "\n");
  EXPECT_EQ(origin.count(), kFiles);
  EXPECT_TRUE(origin.await([&] { return bytes_sent(origin) == 4 * 16384 + (kFiles - 4); }))
      << bytes_sent(origin);
}

// S-NAME-4
TEST_F(Requests, OneFileOfUnstatedSizeLookedAtIsOneRequestAndNamesAreNone) {
  HostileOrigin origin;
  Manifest manifest(origin.base());
  for (unsigned i = 0; i < 100; ++i) {
    const std::string name = "/f" + std::to_string(i);
    origin.add(name, 1000);
    manifest.file(name, {});
  }
  const Mount mount(manifest);
  EXPECT_EQ(shell("ls " + mount.dir() + " | wc -l; find " + mount.dir() + " -type f | wc -l").out,
            "100\n100\n");
  EXPECT_EQ(origin.count(), 0u);
  EXPECT_TRUE(shell("ls -l " + (mount / "f50") + "; stat " + (mount / "f50")).ok());
  EXPECT_EQ(origin.count(), 1u);
}

// S-NAME-4
TEST_F(Requests, SizesAreAskedForAheadOfWhoLooksAtOneFileAfterTheOther) {
  constexpr unsigned kFiles = kUnhedged, kAnswered = 20, kHeld = 8;
  HostileOrigin origin;
  Manifest manifest(origin.base());
  for (unsigned i = 0; i < kFiles; ++i) {
    const std::string name = "/f" + std::to_string(i);
    origin.add(name, 1000, {.hold = i >= kAnswered && i < kAnswered + kHeld});
    manifest.file(name, {});
  }
  const Mount mount(manifest);
  std::string listed;
  std::thread ls([&] { listed = shell("ls -l " + mount.dir() + " | grep -c ' 1000 '").out; });
  const auto all_asked_for = [&origin] {
    for (unsigned i = 0; i < kHeld; ++i)
      if (origin.count("/f" + std::to_string(kAnswered + i)) == 0) return false;
    return true;
  };
  EXPECT_TRUE(origin.await(all_asked_for)) << origin.count() << " were asked for";
  origin.release();
  ls.join();
  EXPECT_EQ(listed, std::to_string(kFiles) + "\n");
  EXPECT_EQ(origin.count(), kFiles);
}

TEST_F(Requests, ARedirectedFileIsReadFromWhereItIs) {
  HostileOrigin front, back;
  back.add("/real", 300000);
  front.add("/f", 300000, {.location = back.url("/real?signed=1")});
  const Mount mount(Manifest(front.base()).file("/f", 300000));
  EXPECT_TRUE(back.body("/real").matches(0, 300000, mount.text("f")));
  EXPECT_GT(front.count("/f"), 0u);
}

// S-HTTP-2
TEST_F(Requests, AServerThatIgnoresRangesIsReadOnceAsAWhole) {
  constexpr std::uint64_t kSize = 3u << 20;
  HostileOrigin origin;
  origin.add("/f", kSize, {.ranges = Ranges::ignored});
  const Mount mount(Manifest(origin.base()).file("/f", kSize));
  for (const std::uint64_t at : {2u << 20, 0u, 1u << 20, 12345u * 4096u / 64u}) {
    const std::uint64_t page = at / 4096 * 4096;
    const auto got = read_at(mount / "f", page, 4096, O_DIRECT);
    EXPECT_EQ(got.error, 0) << page;
    EXPECT_TRUE(origin.body("/f").matches(page, 4096, got.bytes)) << page;
  }
  EXPECT_TRUE(origin.body("/f").matches(0, kSize, mount.text("f")));
  EXPECT_LE(origin.count("/f"), 2u) << "a first answer to learn it from, and the whole";
  EXPECT_LE(bytes_sent(origin), 2 * kSize);
}

TEST_F(Requests, AnIgnoredRangeOfAFileTooLargeToHoldIsAnError) {
  constexpr std::uint64_t kSize = 64u << 20;
  HostileOrigin origin;
  origin.add("/f", kSize, {.ranges = Ranges::ignored});
  const Mount mount(Manifest(origin.base()).file("/f", kSize), "memory=32M,timeout=10");
  EXPECT_EQ(read_at(mount / "f", 40u << 20, 4096, O_DIRECT).error, EIO);
}

}  // namespace
}  // namespace skimfs::test
