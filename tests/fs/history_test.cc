// SPDX-License-Identifier: MIT
//
// Everything but sockets and threads, against a model: the file system, its cache, the fetch loop,
// and servers that change their files, lie, break and stall by chance, under a clock of the test's.
//
// The model knows every version ever served.  Each read gives the bytes of one of them, the same
// one for a handle, or an errno that faults may have; and at the end nothing is left.  A history
// that fails names its seed: SKIMFS_HISTORY=SEED runs it alone, SKIMFS_HISTORIES=N that many a
// part.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <utility>

#include "fetch/fetch_loop.h"
#include "fs/errno_map.h"
#include "fs/filesystem.h"
#include "tests/fetch/recording.h"
#include "tests/fs/filesystem_fixture.h"
#include "tests/support/body.h"
#include "tests/support/fake_transport.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using fetch::Fault;

constexpr auto kTimeout = 20s;
constexpr std::uint64_t kMemory = 3 * kMiB;
constexpr unsigned kReads = 4000;  // in one history
// Eight parts of so many histories: a million reads where the code under test is optimised.
#ifdef NDEBUG
constexpr std::uint64_t kHistories = 32;
#else
constexpr std::uint64_t kHistories = 2;
#endif

// From threads of the file system, as it sees them, into the loop's own turn.
class Mailbox final : public fetch::Fetching {
 public:
  fetch::OrderId new_id() noexcept override { return ++last_; }
  void fetch(fetch::RangeOrder order) override { ranges_.push_back(std::move(order)); }
  void probe(fetch::ProbeOrder order) override { probes_.push_back(std::move(order)); }
  void promote(fetch::OrderId id) noexcept override { promoted_.push_back(id); }
  std::shared_ptr<fetch::Pace> pace(const fetch::Object&) override { return pace_; }

  void empty_into(fetch::FetchLoop& loop) {
    while (!ranges_.empty() || !probes_.empty() || !promoted_.empty()) {
      for (auto& order : std::exchange(ranges_, {})) loop.add(std::move(order));
      for (auto& order : std::exchange(probes_, {})) loop.add(std::move(order));
      for (const auto id : std::exchange(promoted_, {})) loop.promote(id);
    }
  }

 private:
  const std::shared_ptr<fetch::Pace> pace_ = std::make_shared<fetch::Pace>();
  fetch::OrderId last_ = 0;
  std::vector<fetch::RangeOrder> ranges_;
  std::vector<fetch::ProbeOrder> probes_;
  std::vector<fetch::OrderId> promoted_;
};

// A file as its server has it, and as it ever was.
struct Served {
  std::string url;
  std::vector<std::uint64_t> sizes;  // of each version
  unsigned version() const { return static_cast<unsigned>(sizes.size()) - 1; }
  std::string etag() const { return "\"v" + std::to_string(version()) + '"'; }
  Body body(unsigned of) const { return {url, of}; }
};

// Small files of unstated size, of which there are two sets under the same names: with each reload
// the other one is shown, and then nothing is known of it.
constexpr unsigned kFirstWalked = 4, kWalked = 16;

std::vector<Served> all_files() {
  std::vector<Served> files{{"http://one.example/0", {900'001}},
                            {"http://one.example/1", {400'000}},
                            {"http://two.example/2", {1'300'000}},
                            {"http://two.example/3", {5'003}}};
  for (unsigned i = 0; i < 2 * kWalked; ++i)
    files.push_back(
        {"http://" + std::string(i % 5 ? "one" : "two") + ".example/w" + std::to_string(i),
         {100 + i * 4001}});
  return files;
}

std::string name_of(unsigned file) {
  if (file >= kFirstWalked) file = kFirstWalked + (file - kFirstWalked) % kWalked;
  return std::string(1, static_cast<char>('a' + file));
}

std::shared_ptr<const fs::manifest::Tree> tree_with(const std::vector<Served>& files,
                                                    unsigned set) {
  std::string text;
  for (unsigned i = 0; i < kFirstWalked + kWalked; ++i) {
    const Served& file = files[i < kFirstWalked ? i : i + set * kWalked];
    const bool stated = i == 0 || i == 3;
    text += "/" + name_of(i) + "\t" + (stated ? std::to_string(file.sizes[0]) : "-") + "\t-\t-\t" +
            file.url + "\n";
  }
  return tree_of(text);
}

struct Handle {
  unsigned file = 0;
  std::shared_ptr<fs::OpenFile> open;
  std::optional<unsigned> version;  // whose bytes it has given
  std::uint64_t next = 0;
};

struct Asked {
  std::shared_ptr<FakeAnswer> answer;
  fetch::TimePoint since;
  unsigned file = 0;
  std::shared_ptr<Handle> handle;  // null: a lookup or an open
  cache::Extent bytes{};
};

class History {
 public:
  explicit History(std::uint64_t seed)
      : random_(seed),
        files_(all_files()),
        cache_(kMemory),
        loop_(fetch_limits(), clock_, observer_, hosts_, transport_, seed),
        system_(std::make_unique<fs::FileSystem>(tree_with(files_, set_), cache_, mail_, clock_,
                                                 file_limits())) {}

  // The number of reads that were answered.
  std::uint64_t run() {
    while (reads_ < kReads && !testing::Test::HasFatalFailure()) step();
    well_ = true;
    for (int turn = 0; !asked_.empty(); ++turn) {
      if (turn > 100'000) throw std::runtime_error("a read is stuck");
      clock_.advance(100ms);
      turn_network();
      settle();
    }
    end();
    return reads_;
  }

 private:
  static fetch::FetchLimits fetch_limits() {
    fetch::FetchLimits limits;
    limits.connections = 6;
    limits.connections_per_host = 4;
    limits.order_timeout = kTimeout;
    return limits;
  }
  static fs::FileSystemLimits file_limits() {
    fs::FileSystemLimits limits;
    limits.spool_max = kMemory / 4;
    limits.window_max = kMemory / 2;
    limits.segment_max = kMiB;
    limits.revalidate = 5s;
    return limits;
  }

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  bool chance(unsigned one_in) { return !well_ && below(one_in) == 0; }

  void step() {
    switch (below(16)) {
      case 0:
        open(static_cast<unsigned>(below(kFirstWalked)));
        break;
      case 1:
        clock_.advance(std::chrono::milliseconds(below(300)));
        break;
      case 2:
        if (!asked_.empty() && below(8) == 0) asked_[below(asked_.size())].answer->take_away();
        break;
      case 3:
        if (below(40) == 0) change(static_cast<unsigned>(below(files_.size())));
        if (below(200) == 0) reload();
        break;
      case 4:
      case 5:
      case 6:
        turn_network();
        break;
      case 7:
      case 8:
        walk();
        break;
      default:
        if (asked_.size() < 40) read();
    }
    settle();
    ASSERT_LE(cache_.status().used, kMemory);
  }

  // Of a stated size a file keeps it: another one would contradict the manifest for good.  Half of
  // the others come, or nearly, with the answer for their size.
  void change(unsigned file) {
    auto& sizes = files_[file].sizes;
    const bool stated = file == 0 || file == 3;
    const std::uint64_t other = below(2) ? 300'000 + below(1'000'000) : 1 + below(80'000);
    sizes.push_back(stated ? sizes[0] : other);
  }

  void reload() {
    set_ = 1 - set_;
    system_->reload(tree_with(files_, set_), {}, {}).value();
  }

  // A program that takes one file after the other, and seldom begins elsewhere.
  void walk() {
    const auto waits = [this](const Asked& asked) { return asked.answer == walk_waits_; };
    if (std::ranges::any_of(asked_, waits)) return;
    walk_at_ = below(30) == 0 ? static_cast<unsigned>(below(kWalked)) : (walk_at_ + 1) % kWalked;
    const auto waiting = asked_.size();
    open(kFirstWalked + set_ * kWalked + walk_at_);
    walk_waits_ = asked_.size() > waiting ? asked_.back().answer : nullptr;
  }

  // As the shell does: from memory, else parked.
  void open(unsigned file) {
    const std::string name = name_of(file);
    const auto found = system_->try_lookup(1, name);
    auto answer = std::make_shared<FakeAnswer>();
    if (!found) {
      system_->lookup(1, name, answer);
      asked_.push_back({answer, clock_.now(), file, nullptr, {}});
      return;
    }
    if (!*found) return check_error(found->error(), fs::Asked::lookup);
    const fs::Inode inode = (**found).attributes.inode;
    if (auto opened = system_->try_open(inode)) {
      if (*opened) keep(file, **opened);
      return;
    }
    system_->open(inode, answer);
    asked_.push_back({answer, clock_.now(), file, nullptr, {}});
  }

  void keep(unsigned file, std::shared_ptr<fs::OpenFile> opened) {
    handles_[below(8)] = std::make_shared<Handle>(Handle{file, std::move(opened), {}, 0});
  }

  void read() {
    const auto handle = handles_[below(8)];
    if (!handle) return;
    const std::uint64_t size = fs::FileSystem::size(*handle->open);
    const std::uint64_t offset = below(3) > 0 ? handle->next % size : below(size);
    const std::uint64_t length = std::min(1 + below(below(4) ? 6'000 : 100'000), size - offset);
    handle->next = offset + length;
    const cache::Extent bytes{offset, length};
    if (const auto view = system_->try_read(*handle->open, bytes)) {
      ++reads_;
      return check_bytes(*handle, bytes, bytes_of(*view));
    }
    auto answer = std::make_shared<FakeAnswer>();
    system_->read(handle->open, bytes, answer);
    asked_.push_back({answer, clock_.now(), handle->file, handle, bytes});
  }

  // What has been answered, or whose time is over.
  void settle() {
    std::erase_if(asked_, [this](const Asked& asked) {
      if (asked.answer->open() && clock_.now() - asked.since >= kTimeout) asked.answer->run_out();
      if (asked.answer->open()) return false;
      judge(asked);
      return true;
    });
  }

  void judge(const Asked& asked) {
    FakeAnswer& answer = *asked.answer;
    if (answer.file) keep(asked.file, answer.file);
    if (asked.handle && !answer.taken_away) ++reads_;
    if (answer.bytes) check_bytes(*asked.handle, asked.bytes, *answer.bytes);
    if (answer.error) check_error(answer.error, asked.handle ? fs::Asked::read : fs::Asked::lookup);
  }

  void check_bytes(Handle& handle, cache::Extent asked, const std::vector<std::byte>& got) {
    const Served& file = files_[handle.file];
    const std::span bytes(reinterpret_cast<const char*>(got.data()), got.size());
    ASSERT_EQ(bytes.size(), asked.length) << file.url;
    if (handle.version) {
      const auto wrong = file.body(*handle.version).first_wrong(asked.offset, bytes);
      ASSERT_FALSE(wrong) << file.url << ": the byte at " << *wrong << " is not of version "
                          << *handle.version << ", as what this handle gave before";
      return;
    }
    for (unsigned version = 0; version <= file.version(); ++version) {
      if (file.sizes[version] != fs::FileSystem::size(*handle.open)) continue;
      if (file.body(version).first_wrong(asked.offset, bytes)) continue;
      if (bytes.size() >= 16) handle.version = version;  // fewer may be those of two versions
      return;
    }
    FAIL() << file.url << ": bytes of no version at " << asked.offset;
  }

  static void check_error(std::error_code why, fs::Asked asked) {
    static const std::set<int> kAllowed{EIO, ETIMEDOUT, ESTALE, EACCES, ENOENT, EFBIG, EOVERFLOW};
    ASSERT_TRUE(kAllowed.contains(fs::errno_for(why, asked))) << why.message();
    ASSERT_TRUE(asked != fs::Asked::read || fs::errno_for(why, asked) != ENOENT);
  }

  void turn_network() {
    mail_.empty_into(loop_);
    loop_.advance();
    const auto live = transport_.live;
    for (const std::size_t i : live) {
      if (transport_.live.contains(i) && (well_ || below(3) > 0)) serve(i);
    }
    mail_.empty_into(loop_);
    loop_.advance();
  }

  Served& served_by(std::size_t i) {
    for (Served& file : files_) {
      if (file.url == transport_.sent[i].request.url) return file;
    }
    throw std::runtime_error("nobody serves " + transport_.sent[i].request.url);
  }

  // One exchange: a part of its life.
  void serve(std::size_t i) {
    auto& begun = exchanges_[i];
    if (begun.stalled) {
      if (well_ || chance(30)) transport_.end(i, Fault::reset), exchanges_.erase(i);
      return;
    }
    if (!begun.connected) {
      begun.connected = true;
      if (chance(60)) return break_off(i);
      if (!transport_.connect(i, below(2) == 0)) return;
    }
    if (!begun.headed && !send_head(i, begun)) {
      exchanges_.erase(i);
      return;
    }
    send_body(i, begun);
  }

  struct Exchanged {
    bool connected = false, headed = false, stalled = false;
    unsigned version = 0;
    std::uint64_t at = 0, end = 0;  // of the body: what is next, where it ends
  };

  void break_off(std::size_t i) {
    constexpr Fault kFaults[] = {Fault::dns,   Fault::connect,  Fault::tls,
                                 Fault::reset, Fault::protocol, Fault::connect_timeout};
    transport_.end(i, kFaults[below(std::size(kFaults))]);
    exchanges_.erase(i);
  }

  // False: the exchange is over.
  bool send_head(std::size_t i, Exchanged& begun) {
    const Served& file = served_by(i);
    const std::uint64_t size = file.sizes.back();
    begun.headed = true;
    begun.version = file.version();
    if (chance(40)) return refuse(i), false;
    const bool ranged = !transport_.sent[i].header("Range").empty();
    const std::string match = transport_.sent[i].header("If-Match");
    if (!match.empty() && match != file.etag() && below(4) > 0)
      return transport_.respond(i, 412, {}, "no"), false;
    fetch::ByteRange range{0, size - 1};
    if (ranged) range = transport_.sent[i].range();
    if (range.first >= size)
      return transport_.respond(i, 416, {{"Content-Range", "bytes */" + std::to_string(size)}}),
             false;
    range.last = std::min(range.last, size - 1);
    const bool ignored = ranged && chance(60);
    if (ignored) range = {0, size - 1};
    if (ranged && !ignored) bend(range, size);
    begun.at = range.first;
    begun.end = range.last + 1;
    Headers headers{{"ETag", file.etag()}};
    if (ranged && !ignored)
      headers.emplace_back("Content-Range", "bytes " + std::to_string(range.first) + '-' +
                                                std::to_string(range.last) + '/' +
                                                std::to_string(size));
    if (below(6) > 0) headers.emplace_back("Content-Length", std::to_string(begun.end - begun.at));
    return transport_.head(i, ranged && !ignored ? 206 : 200, headers);
  }

  // Honest, but not what was asked for.
  void bend(fetch::ByteRange& range, std::uint64_t size) {
    if (chance(30)) range.first -= std::min<std::uint64_t>(range.first, below(5000));
    if (chance(30)) range.last = std::min(range.last + below(5000), size - 1);
    if (chance(30)) range.last = range.first + below(range.length());
    if (chance(80)) range.first += below(range.length());
  }

  void refuse(std::size_t i) {
    constexpr int kStatuses[] = {400, 403, 404, 416, 429, 500, 502, 503, 200, 206};
    Headers headers;
    if (below(2)) headers.emplace_back("Retry-After", std::to_string(below(4)));
    transport_.respond(i, kStatuses[below(std::size(kStatuses))], headers, "an error page");
  }

  void send_body(std::size_t i, Exchanged& begun) {
    const Served& file = served_by(i);
    // What is sent is of the version the head told, whatever the file has become.
    for (unsigned pieces = 0; begun.at < begun.end; ++pieces) {
      if (chance(60)) return break_body(i, begun);
      if (!well_ && pieces == 4) return;  // the rest another time
      const std::uint64_t length = std::min(begun.end - begun.at, 1 + below(64 * 1024));
      const std::string bytes = file.body(begun.version).text(begun.at, length);
      begun.at += length;
      if (!transport_.body(i, bytes)) {
        exchanges_.erase(i);
        return;
      }
    }
    if (chance(60) && !transport_.body(i, "excess")) {
      exchanges_.erase(i);
      return;
    }
    transport_.end(i, Fault::none);
    exchanges_.erase(i);
  }

  void break_body(std::size_t i, Exchanged& begun) {
    if (below(4) == 0) {
      begun.stalled = true;
      return;
    }
    // A body of undeclared length that is cut ends well.
    transport_.end(i, below(2) ? Fault::reset : Fault::short_body);
    exchanges_.erase(i);
  }

  void end() {
    handles_.clear();
    for (int turn = 0; turn < 2000 && (transport_.running() > 0 || turn < 20); ++turn) {
      clock_.advance(1s);
      turn_network();
    }
    EXPECT_EQ(transport_.running(), 0u);
    const auto fetch = loop_.status();
    EXPECT_EQ(fetch.orders_running + fetch.orders_queued, 0u);
    EXPECT_EQ(cache_.status().pinned, 0u);
    EXPECT_EQ(cache_.status().filling, 0u);
    loop_.stop();
  }

  std::mt19937_64 random_;
  bool well_ = false;  // the servers
  std::vector<Served> files_;
  unsigned set_ = 0;  // that is shown
  unsigned walk_at_ = 0;
  std::shared_ptr<FakeAnswer> walk_waits_;
  std::uint64_t reads_ = 0;

  ManualClock clock_;
  RecordingObserver observer_;
  cache::BlockCache cache_;
  fetch::HostTable hosts_{fetch_limits().connections_per_host};
  FakeTransport transport_;
  Mailbox mail_;
  fetch::FetchLoop loop_;
  std::unique_ptr<fs::FileSystem> system_;

  std::map<std::size_t, Exchanged> exchanges_;
  std::map<std::uint64_t, std::shared_ptr<Handle>> handles_;
  std::vector<Asked> asked_;
};

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

class Histories : public testing::TestWithParam<unsigned> {};

// S-READ-1, S-READ-2
TEST_P(Histories, EveryReadIsOfOneVersionOrAnErrorAndNothingStays) {
  const std::uint64_t count = number_from("SKIMFS_HISTORIES", kHistories);
  const std::uint64_t only = number_from("SKIMFS_HISTORY", 0);
  const std::uint64_t from = only > 0 ? only : 1 + GetParam() * count;
  std::uint64_t reads = 0;
  for (std::uint64_t seed = from; seed < from + (only > 0 ? 1 : count); ++seed) {
    SCOPED_TRACE("SKIMFS_HISTORY=" + std::to_string(seed));
    reads += History(seed).run();
    if (testing::Test::HasFailure()) return;
  }
  RecordProperty("reads", std::to_string(reads));
  EXPECT_GE(reads, kReads);
}

INSTANTIATE_TEST_SUITE_P(Parts, Histories, testing::Range(0u, 8u));

}  // namespace
}  // namespace skimfs::test
