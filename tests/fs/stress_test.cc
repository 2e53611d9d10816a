// SPDX-License-Identifier: MIT
//
// Many threads read, interrupt and fill at once.  Run under ThreadSanitizer.
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <random>
#include <thread>

#include "fetch/error.h"
#include "tests/fs/filesystem_fixture.h"
#include "tests/support/digests_of.h"

namespace skimfs::test {
namespace {

constexpr std::uint64_t kSize = 6 * kMiB + 77;
const std::string kUrl = "http://h.example/0";
const std::string kListUrl = "http://h.example/list";
constexpr std::uint64_t kPiece = 256 * 1024;

const std::vector<std::byte>& list() {
  static const auto digests = piece_list(body(kUrl, 0, kSize), kPiece, fs::Algorithm::crc32c);
  return digests;
}

// A lane of its own that serves orders at once, some of them badly.
class BusyFetching final : public fetch::Fetching {
 public:
  BusyFetching() : lane_([this] { run(); }) {}
  ~BusyFetching() { stop(); }

  // Serves what has been ordered and ends its thread: before the file system whose sinks it calls.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    if (lane_.joinable()) lane_.join();
  }

  fetch::OrderId new_id() noexcept override { return ++last_id_; }
  void fetch(fetch::RangeOrder order) override {
    {
      const std::lock_guard lock(mutex_);
      orders_.push_back(std::move(order));
    }
    wake_.notify_one();
  }
  void probe(fetch::ProbeOrder) override {}
  void promote(fetch::OrderId) noexcept override {}
  std::shared_ptr<fetch::Pace> pace(const fetch::Object&) override { return pace_; }

 private:
  void run() {
    std::mt19937 random(7);
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stop_ || !orders_.empty(); });
      if (orders_.empty()) return;
      const fetch::RangeOrder order = std::move(orders_.front());
      orders_.pop_front();
      lock.unlock();
      serve(order, random);
      lock.lock();
    }
  }

  const std::shared_ptr<fetch::Pace> pace_ = std::make_shared<fetch::Pace>();

  static void serve(const fetch::RangeOrder& order, std::mt19937& random) {
    fetch::RangeSink& sink = *order.sink;
    if (random() % 50 == 0) return sink.finish(fetch::Errc::unreachable);
    const bool data = order.object->urls.front() == kUrl;
    sink.begin(0, {data ? kSize : list().size(), "\"v1\"", std::nullopt}, random() % 10 > 0);
    std::vector<std::byte> bytes;
    for (std::uint64_t at = order.range.first; at <= order.range.last; at += bytes.size()) {
      const std::uint64_t count = std::min<std::uint64_t>(16 * 1024, order.range.last - at + 1);
      const auto* const from = list().data() + at;
      bytes = data ? body(kUrl, at, count) : std::vector<std::byte>(from, from + count);
      const auto took = sink.take(bytes);
      if (took == fetch::RangeSink::Took::corrupt) return sink.finish(fetch::Errc::digest_mismatch);
      if (took == fetch::RangeSink::Took::enough)
        return sink.finish(std::make_error_code(std::errc::operation_canceled));
    }
    sink.finish({});
  }

  std::atomic<fetch::OrderId> last_id_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<fetch::RangeOrder> orders_;  // guarded by mutex_
  bool stop_ = false;                     // guarded by mutex_
  std::thread lane_;
};

// An answer one thread waits for and another may take away.
class WaitedAnswer final : public fs::ReadAnswer {
 public:
  bool open() const noexcept override { return !closed_; }
  void work(std::weak_ptr<fs::Operation> behind) noexcept override { behind_ = behind; }
  void read(const fs::ReadView& view) noexcept override {
    if (closed_.exchange(true)) return;
    bytes = bytes_of(view);
    done();
  }
  void fail(std::error_code) noexcept override {
    if (!closed_.exchange(true)) done();
  }
  void take_away() {
    if (closed_.exchange(true)) return;
    if (const auto operation = behind_.lock()) operation->abandon();
    done();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(told_.wait_for(lock, std::chrono::seconds(60), [this] { return done_; }))
        << "a reader waits for ever";
  }
  std::vector<std::byte> bytes;

 private:
  void done() {
    const std::lock_guard lock(mutex_);
    done_ = true;
    told_.notify_all();
  }
  std::atomic<bool> closed_{false};
  std::weak_ptr<fs::Operation> behind_;
  std::mutex mutex_;
  std::condition_variable told_;
  bool done_ = false;
};

// The file's digest column and attributes.
struct Stated {
  std::string digest, attributes;
};

class Stress : public ::testing::TestWithParam<int> {
 protected:
  // Nothing is verified, or pieces are, or the whole as it passes.
  static Stated stated() {
    if (GetParam() == 1) return {"-", "\tpieces=crc32c:" + std::to_string(kPiece) + ":" + kListUrl};
    if (GetParam() == 2) return {digest_of(body(kUrl, 0, kSize), fs::Algorithm::crc32c), ""};
    return {"-", ""};
  }
};

TEST_P(Stress, ReadersFillersAndInterruptsAgree) {
  const Stated says = stated();
  const auto tree =
      tree_of("/f\t6291533\t-\t" + says.digest + "\t" + kUrl + says.attributes + "\n");
  cache::BlockCache cache(4 * kMiB);
  ManualClock clock;
  {
    BusyFetching fetching;
    fs::FileSystemLimits limits;
    limits.window_max = 2 * kMiB;
    limits.segment_max = kMiB;
    limits.verify.whole_max = kMiB;
    fs::FileSystem filesystem(tree, cache, fetching, clock, limits);
    const auto inode = filesystem.try_lookup(1, "f").value().value().attributes.inode;
    std::vector<std::thread> readers;
    for (unsigned id = 0; id < 4; ++id) {
      readers.emplace_back([&, id] {
        std::mt19937 random(id);
        const auto file = filesystem.try_open(inode).value().value();
        std::uint64_t next = 0;
        for (int i = 0, reads = GetParam() == 0 ? 400 : 200; i < reads; ++i) {
          const bool in_order = id % 2 == 0 || random() % 3 > 0;
          const std::uint64_t offset = in_order ? next % kSize : random() % kSize;
          const std::uint64_t length =
              std::min<std::uint64_t>(1 + random() % (128 * 1024), kSize - offset);
          next = offset + length;
          const auto answer = std::make_shared<WaitedAnswer>();
          if (const auto view = filesystem.try_read(*file, {offset, length})) {
            answer->read(*view);
          } else {
            filesystem.read(file, {offset, length}, answer);
            if (random() % 8 == 0) answer->take_away();
          }
          answer->wait();
          if (answer->bytes.empty()) continue;
          ASSERT_EQ(answer->bytes, body(kUrl, offset, length)) << offset;
        }
      });
    }
    for (std::thread& reader : readers) reader.join();
    fetching.stop();
    EXPECT_EQ(filesystem.status().digest_mismatches, 0u) << "every byte was right";
  }
  EXPECT_EQ(cache.status().pinned, 0u);
  EXPECT_EQ(cache.status().filling, 0u);
}

INSTANTIATE_TEST_SUITE_P(Verified, Stress, ::testing::Range(0, 3));

}  // namespace
}  // namespace skimfs::test
