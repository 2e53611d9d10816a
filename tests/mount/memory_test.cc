// SPDX-License-Identifier: MIT
//
// The daemon's memory at its highest, under each kind of load.  Only the optimised build: what a
// sanitizer holds is not the program's.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <thread>

#include "tests/mount/fixture.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

// S-MEM-1
class Memory : public MountTest {
 protected:
  static constexpr std::uint64_t kBudget = 32u << 20, kAllowance = 24u << 20;
  static constexpr const char* kOptions = "memory=32M,connections=32,connections_per_host=16";

  static void expect_bounded(const Mount& mount) {
    const std::uint64_t peak = mount.memory("VmHWM");
    RecordProperty("peak_rss_MiB", static_cast<int>(peak >> 20));
    EXPECT_LE(peak, kBudget + kAllowance) << mount.status();
  }

  HostileOrigin origin_;
};

TEST_F(Memory, IsBoundedUnderOneSequentialReader) {
  constexpr std::uint64_t kSize = 256u << 20;
  origin_.add("/f", kSize);
  const Mount mount(Manifest(origin_.base()).file("/f", kSize), kOptions);
  const int fd = ::open((mount / "f").c_str(), O_RDONLY | O_CLOEXEC);
  for (std::uint64_t at = 0; at < kSize; at += 1u << 20) {
    ASSERT_TRUE(origin_.body("/f").matches(at, 1u << 20, read_at(fd, at, 1u << 20).bytes)) << at;
  }
  ::close(fd);
  expect_bounded(mount);
}

TEST_F(Memory, IsBoundedUnderParallelReaders) {
  constexpr std::uint64_t kSize = 16u << 20;
  Manifest manifest(origin_.base());
  for (int i = 0; i < 12; ++i) {
    origin_.add("/" + std::to_string(i), kSize);
    manifest.file("/" + std::to_string(i), kSize);
  }
  const Mount mount(manifest, kOptions);
  std::vector<std::thread> readers;
  for (int i = 0; i < 12; ++i) {
    readers.emplace_back([&, i] {
      const std::string path = "/" + std::to_string(i);
      EXPECT_TRUE(origin_.body(path).matches(0, kSize, mount.text(path)));
    });
  }
  for (auto& reader : readers) reader.join();
  expect_bounded(mount);
}

TEST_F(Memory, IsBoundedUnderManySmallFiles) {
  constexpr int kFiles = 3000;
  Manifest manifest(origin_.base());
  for (int i = 0; i < kFiles; ++i) {
    const std::string path = "/" + std::to_string(i);
    origin_.add(path, 20000);
    manifest.file(path, 20000);
  }
  const Mount mount(manifest, kOptions);
  std::atomic<int> next{0};
  std::vector<std::thread> readers;
  for (int n = 0; n < 8; ++n) {
    readers.emplace_back([&] {
      for (int i = next++; i < kFiles; i = next++) {
        const std::string path = "/" + std::to_string(i);
        ASSERT_TRUE(origin_.body(path).matches(0, 20000, mount.text(path))) << path;
      }
    });
  }
  for (auto& reader : readers) reader.join();
  expect_bounded(mount);
}

TEST_F(Memory, IsBoundedUnderRandomReaders) {
  constexpr std::uint64_t kSize = 1u << 30;
  origin_.add("/f", kSize);
  const Mount mount(Manifest(origin_.base()).file("/f", kSize), kOptions);
  std::vector<std::thread> readers;
  for (unsigned seed = 0; seed < 32; ++seed) {
    readers.emplace_back([&, seed] {
      std::mt19937_64 random(seed);
      for (int n = 0; n < 150; ++n) {
        const std::uint64_t length = 4096 << random() % 9;
        const std::uint64_t at = random() % (kSize - length) / 4096 * 4096;
        const ReadResult got = read_at(mount / "f", at, length, n % 2 == 0 ? O_DIRECT : 0);
        ASSERT_TRUE(origin_.body("/f").matches(at, length, got.bytes))
            << "seed " << seed << ", errno " << got.error;
      }
    });
  }
  for (auto& reader : readers) reader.join();
  expect_bounded(mount);
}

TEST_F(Memory, IsBoundedWhenReadersWaitForRoom) {
  constexpr std::uint64_t kSize = 4u << 20;
  Manifest manifest(origin_.base());
  for (int i = 0; i < 64; ++i) {
    origin_.add("/" + std::to_string(i), kSize, {.hold = true});
    manifest.file("/" + std::to_string(i), kSize);
  }
  const Mount mount(manifest, "memory=16M,connections=64,connections_per_host=64");
  std::vector<std::thread> readers;
  for (int i = 0; i < 64; ++i) {
    readers.emplace_back([&, i] {
      const std::string path = "/" + std::to_string(i);
      const ReadResult got = read_at(mount / path, 0, 1u << 20, O_DIRECT);
      EXPECT_TRUE(origin_.body(path).matches(0, 1u << 20, got.bytes)) << got.error;
    });
  }
  EXPECT_TRUE(mount.await_waiting(64, std::chrono::seconds(20)));
  for (int i = 0; i < 64; ++i) origin_.behave("/" + std::to_string(i), {});
  origin_.release();
  for (auto& reader : readers) reader.join();
  EXPECT_LE(mount.memory("VmHWM"), (16u << 20) + kAllowance) << mount.status();
}

}  // namespace
}  // namespace skimfs::test
