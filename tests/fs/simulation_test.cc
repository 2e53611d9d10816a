// SPDX-License-Identifier: MIT
//
// Random programs, a random network, one thread: whatever the order of events, a read gives the
// bytes of its version or an allowed error, exactly once, and at the end nothing is left behind.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "fetch/error.h"
#include "tests/fs/filesystem_fixture.h"

namespace skimfs::test {
namespace {

using fetch::Errc;

constexpr std::uint64_t kSize = 3 * kMiB + 77;
const std::string kUrls[] = {"http://h.example/0", "http://h.example/1", "http://h.example/2"};

class Simulation : public FileSystemTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  Simulation()
      : FileSystemTest("/f0\t3145805\t-\t-\thttp://h.example/0\n"
                       "/f1\t3145805\t-\t-\thttp://h.example/1\n"
                       "/f2\t3145805\t-\t-\thttp://h.example/2\n",
                       kMemory),
        random(GetParam()) {
    for (unsigned i = 0; i < 3; ++i) reopen(i);
  }

  struct Handle {
    unsigned file;
    std::shared_ptr<fs::OpenFile> open;
    std::optional<unsigned> version;  // of the bytes it has seen
    std::uint64_t next = 0;           // for reading in order
  };
  struct Read {
    std::shared_ptr<FakeAnswer> answer;
    std::shared_ptr<Handle> handle;
    std::uint64_t offset, length;
  };

  std::uint64_t below(std::uint64_t n) { return random() % n; }

  void reopen(unsigned file) {
    auto found = filesystem->try_open(inode("f" + std::to_string(file)));
    if (!found || !found->has_value()) return;
    handles[file] = std::make_shared<Handle>(Handle{file, found->value(), {}, 0});
  }

  void start_read() {
    const auto handle = handles[below(3)];
    const bool in_order = below(3) > 0;
    const std::uint64_t offset = in_order ? handle->next % kSize : below(kSize);
    const std::uint64_t length = std::min(1 + below(below(4) ? 128 * 1024 : kMiB), kSize - offset);
    handle->next = offset + length;
    reads.push_back({read(handle->open, offset, length), handle, offset, length});
  }

  // One step of the network: bytes, a break, an end, or a new version upstream.
  void network() {
    if (fetching.orders.empty()) return;
    const std::size_t i = below(fetching.orders.size());
    switch (below(40)) {
      case 0:
        fetching.interrupt(i);
        return;
      case 1:
        fetching.finish(i, below(2) ? Errc::unreachable : Errc::timed_out);
        return;
      case 2:
        fetching.finish(i, std::make_error_code(std::errc::operation_canceled));
        return;
      case 3:
        if (below(8) == 0) fetching.server_version++;
        return;
      default:
        fetching.deliver(i, 1 + below(64 * 1024), kSize, below(10) > 0);
    }
  }

  void check_answers() {
    std::erase_if(reads, [this](const Read& read) {
      if (read.answer->open()) return false;
      if (read.answer->bytes) check_bytes(read);
      return true;
    });
  }

  void check_bytes(const Read& read) {
    const auto& bytes = *read.answer->bytes;
    ASSERT_EQ(bytes.size(), read.length);
    for (unsigned version = 1; version <= fetching.server_version; ++version) {
      if (bytes != body(kUrls[read.handle->file], read.offset, read.length, version)) continue;
      if (read.length < 16) return;  // too few bytes to tell versions apart
      if (!read.handle->version) read.handle->version = version;
      ASSERT_EQ(*read.handle->version, version) << "one handle saw two versions";
      return;
    }
    FAIL() << "bytes of no version at " << read.offset;
  }

  static constexpr std::uint64_t kMemory = 4 * kMiB;
  std::mt19937_64 random;
  std::map<unsigned, std::shared_ptr<Handle>> handles;
  std::vector<Read> reads;
};

TEST_P(Simulation, EveryReadGivesItsBytesOrAnErrorAndNothingStays) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  for (int step = 0; step < 3000 && !HasFatalFailure(); ++step) {
    switch (below(12)) {
      case 0:
        reopen(static_cast<unsigned>(below(3)));
        break;
      case 1:
        if (!reads.empty()) reads[below(reads.size())].answer->take_away();
        break;
      case 2:
      case 3:
      case 4:
        if (reads.size() < 40) start_read();
        break;
      default:
        network();
    }
    check_answers();
    ASSERT_LE(cache.status().used, kMemory);
  }
  for (int step = 0; !fetching.orders.empty() || !reads.empty(); ++step) {
    ASSERT_LT(step, 100000) << "reads are stuck";
    if (!fetching.orders.empty()) fetching.deliver(0, UINT64_MAX, kSize);
    check_answers();
    ASSERT_TRUE(!fetching.orders.empty() || reads.empty()) << "a read nobody works for";
  }
  EXPECT_EQ(cache.status().pinned, 0u);
  EXPECT_EQ(cache.status().filling, 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Simulation, ::testing::Range(1u, 61u));

}  // namespace
}  // namespace skimfs::test
