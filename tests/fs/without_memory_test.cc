// SPDX-License-Identifier: MIT
//
// Each allocation in turn fails while something is answered: nobody is left without an answer, and
// nothing leaves a function that must not throw.  Replaces operator new in its whole process.
#include <cstdlib>
#include <functional>
#include <new>

#include "fetch/error.h"
#include "tests/fs/filesystem_fixture.h"
#include "tests/support/digests_of.h"

namespace {

constexpr long kNever = -1;
long until_failure = kNever;  // allocations that still succeed

}  // namespace

// Not inlined, or GCC takes the one's free() for a mistake about the other.
[[gnu::noinline]] void* operator new(std::size_t size) {
  const bool fails = until_failure != kNever && until_failure-- == 0;
  void* const memory = fails ? nullptr : std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace skimfs::test {
namespace {

using fetch::Errc;

const std::string kUnstated = "http://h.example/a-rather-long-name-of-a-file";
const std::string kStated = "http://h.example/another-long-name-of-a-file";
const std::string kPieced = "http://h.example/pieces-of-a-rather-long-name";
const std::string kList = "http://h.example/list-of-a-rather-long-name";
constexpr std::uint64_t kSize = 8 * kMiB;
constexpr std::uint64_t kPiece = 64 * 1024;
constexpr std::uint64_t kPiecedSize = 10 * kPiece + 1234;
// Longer than what a string holds in itself.
const fetch::Version kVersion{300u, "\"an-entity-tag-longer-than-fifteen-bytes\"", std::nullopt};
const fetch::Version kOther{300u, "\"another-entity-tag-longer-than-fifteen\"", std::nullopt};

std::string entries() {
  return "/u\t-\t-\t-\t" + kUnstated + "\n/k\t" + std::to_string(kSize) + "\t-\t-\t" + kStated +
         "\n/p\t" + std::to_string(kPiecedSize) + "\t-\t-\t" + kPieced +
         "\tpieces=sha256:65536:" + kList + "\n";
}

// Needs no memory to be answered.
struct LeanAnswer final : fs::Answer {
  bool open() const noexcept override { return answers == 0; }
  void work(std::weak_ptr<fs::Operation> /*behind*/) noexcept override {}
  void read(const fs::ReadView& /*view*/) noexcept override { ++answers; }
  void entry(const fs::Node& /*node*/) noexcept override { ++answers; }
  void opened(std::shared_ptr<fs::OpenFile> answer) noexcept override {
    ++answers;
    file = std::move(answer);
  }
  void fail(std::error_code why) noexcept override {
    ++answers;
    error = why;
  }

  int answers = 0;
  std::error_code error;
  std::shared_ptr<fs::OpenFile> file;
};

// One file system of many, each with a failure of its own.
class World : public FileSystemTest {
 public:
  explicit World(bool immutable) : FileSystemTest(entries()) {
    fetching.contents[kList] = pieces();
    limits.immutable = limits.tell_ended = immutable;
    filesystem = std::make_unique<fs::FileSystem>(tree, cache, fetching, clock, limits);
  }
  ~World() override { until_failure = kNever; }
  void TestBody() override {}

  std::shared_ptr<LeanAnswer> answer() {
    answers.push_back(std::make_shared<LeanAnswer>());
    return answers.back();
  }
  std::shared_ptr<LeanAnswer> read(const std::string& name, std::uint64_t offset) {
    file = open(name);
    const auto to = answer();
    filesystem->read(file, {offset, 4096}, to);
    return to;
  }
  void learn_size() {
    filesystem->lookup(1, "u", answer());
    take_probe()->finish({}, kVersion, 0);
  }
  std::shared_ptr<fetch::ProbeSink> take_probe() {
    auto sink = std::move(fetching.probes.at(0).sink);
    fetching.probes.erase(fetching.probes.begin());
    return sink;
  }
  fetch::RangeOrder take_order() {
    auto order = std::move(fetching.orders.at(0).order);
    fetching.orders.erase(fetching.orders.begin());
    return order;
  }
  std::uint64_t total(std::size_t order) const {
    return fetching.orders[order].order.object->urls.front() == kPieced ? kPiecedSize : kSize;
  }
  // With memory again: the servers answer what they have been asked.
  void finish_all() {
    until_failure = kNever;
    for (int i = 0; i < 1000 && !fetching.orders.empty(); ++i)
      fetching.deliver(0, UINT64_MAX, total(0));
    while (!fetching.probes.empty()) take_probe()->finish({}, kOther, 0);
  }

  using FileSystemTest::cache;
  using FileSystemTest::clock;
  using FileSystemTest::fetching;
  using FileSystemTest::filesystem;
  using FileSystemTest::inode;
  using FileSystemTest::open;

  std::vector<std::shared_ptr<LeanAnswer>> answers;
  std::shared_ptr<fs::OpenFile> file;

 private:
  static const std::vector<std::byte>& pieces() {
    static const auto list = piece_list(body(kPieced, 0, kPiecedSize), kPiece);
    return list;
  }
};

class WithoutMemory : public ::testing::Test {
 protected:
  using Step = std::function<void(World&)>;

  // `act` does, with each of its allocations failing once, what no caller can be told of.
  void sweep(
      const Step& prepare, const Step& act, const Step& check = [](World&) {}) {
    bool failed = true;
    for (long n = 0; failed && !HasFailure(); ++n) {
      SCOPED_TRACE(testing::Message() << "allocation " << n);
      World world(immutable);
      prepare(world);
      until_failure = n;
      act(world);
      failed = until_failure == kNever;
      world.finish_all();
      for (const auto& each : world.answers) EXPECT_EQ(each->answers, 1);
      check(world);
      world.file.reset();
      world.finish_all();
      EXPECT_EQ(world.cache.status().pinned, 0u);
    }
  }

  bool immutable = false;
};

void two_lookups(World& world) {
  for (int i = 0; i < 2; ++i) world.filesystem->lookup(1, "u", world.answer());
}

TEST_F(WithoutMemory, ASizeThatComesAnswersAllWhoWait) {
  sweep(two_lookups, [](World& world) { world.take_probe()->finish({}, kVersion, 0); });
}

TEST_F(WithoutMemory, ASizeThatCannotBeHadAnswersAllWhoWait) {
  sweep(two_lookups, [](World& world) { world.take_probe()->finish(Errc::missing, {}, 0); });
}

void revalidate(World& world) {
  world.learn_size();
  world.clock.advance(std::chrono::seconds(100));
  world.filesystem->open(world.inode("u"), world.answer());
}

TEST_F(WithoutMemory, AnOpenHearsThatNothingHasChanged) {
  sweep(revalidate, [](World& world) { world.take_probe()->finish({}, kVersion, 0); });
}

TEST_F(WithoutMemory, AnOpenHearsThatTheFirstAnswerWasAnother) {
  sweep(revalidate, [](World& world) { world.take_probe()->finish({}, kOther, 0); });
}

// The name must not go on leading to a version that has ended.
void expect_another_inode(World& world, const std::string& name, fs::Inode before) {
  const auto opened = world.filesystem->try_open(before);
  ASSERT_TRUE(opened);
  ASSERT_FALSE(*opened);
  EXPECT_EQ(opened->error(), Errc::changed);
  const auto now = world.filesystem->try_lookup(1, name);
  EXPECT_TRUE(!now || now->value().attributes.inode != before);
}

TEST_F(WithoutMemory, AVersionThatEndsAtAnOpenIsNotOpenedAgain) {
  fs::Inode before = 0;
  sweep(
      [&](World& world) {
        revalidate(world);
        before = world.inode("u");
        world.take_probe()->finish({}, kOther, 0);
      },
      [](World& world) { world.take_probe()->finish({}, kOther, 0); },
      [&](World& world) {
        if (world.answers.back()->error == Errc::changed) expect_another_inode(world, "u", before);
      });
}

class WithoutMemoryOrQuestions : public WithoutMemory {
 protected:
  WithoutMemoryOrQuestions() { immutable = true; }
};

// With revalidate=immutable nobody asks again whether it has ended.
TEST_F(WithoutMemoryOrQuestions, AVersionThatEndsWhileItIsReadIsNotOpenedAgain) {
  fs::Inode before = 0;
  sweep(
      [&](World& world) {
        const auto first = world.read("k", 0);
        world.finish_all();
        before = world.inode("k");
        world.read("k", 4 * kMiB);
      },
      [](World& world) { world.take_order().sink->finish(Errc::changed); },
      [&](World& world) {
        EXPECT_TRUE(world.answers.back()->error);
        expect_another_inode(world, "k", before);
        EXPECT_EQ(world.filesystem->take_ended().attributes, std::vector{before}) << "told once";
      });
}

void two_reads(World& world) {
  world.read("k", kMiB);
  world.read("k", kMiB);
}

// What an order that ends brings about.
class FillWithoutMemory : public WithoutMemory {
 protected:
  void sweep_end(const Step& prepare, std::error_code outcome) {
    sweep(prepare, [outcome](World& world) { world.take_order().sink->finish(outcome); });
  }
};

TEST_F(FillWithoutMemory, ThatIsGivenUpAnswersAllWhoWait) {
  sweep_end(two_reads, std::make_error_code(std::errc::operation_canceled));
}

TEST_F(FillWithoutMemory, OfAServerWithoutRangesAnswersAllWhoWait) {
  sweep_end(two_reads, Errc::ranges_ignored);
}

TEST_F(FillWithoutMemory, ThatFailsAnswersAllWhoWait) { sweep_end(two_reads, Errc::unreachable); }

TEST_F(FillWithoutMemory, OfAListAnswersAllWhoWait) {
  sweep(
      [](World& world) {
        world.read("p", 4 * kPiece);
        world.read("p", 6 * kPiece);
        fetch::RangeSink& sink = *world.fetching.orders.at(0).order.sink;
        sink.begin(0, world.fetching.version(11 * 32), true);
      },
      [list = piece_list(body(kPieced, 0, kPiecedSize), kPiece)](World& world) {
        const auto order = world.take_order();
        order.sink->take(std::span(list).subspan(order.range.first, order.range.length()));
        order.sink->finish({});
      });
}

// Bytes that are there are given out, whether or not there is memory to fetch others.
TEST(ReadWithoutMemory, OfBytesThatAreThereIsAnswered) {
  for (std::uint64_t at = kMiB; at < 4 * kMiB; at += 128 * 1024) {
    bool failed = true;
    for (long n = 0; failed; ++n) {
      SCOPED_TRACE(testing::Message() << "read at " << at << ", allocation " << n);
      World world(false);
      const auto file = world.open("k");
      for (std::uint64_t before = 0; before < at; before += 128 * 1024) {
        if (world.filesystem->try_read(*file, {before, 128 * 1024})) continue;
        world.filesystem->read(file, {before, 128 * 1024}, world.answer());
        world.finish_all();
      }
      if (!world.cache.find(file->remote()->version(), {at, 128 * 1024})) break;
      // What the view itself needs.
      constexpr long kEnough = 1000;
      until_failure = kEnough;
      { const auto pins = world.cache.find(file->remote()->version(), {at, 128 * 1024}); }
      const long view = kEnough - until_failure + 1;
      until_failure = view + n;
      const bool answered = world.filesystem->try_read(*file, {at, 128 * 1024}).has_value();
      failed = until_failure == kNever;
      EXPECT_TRUE(answered);
      world.finish_all();
    }
  }
}

}  // namespace
}  // namespace skimfs::test
