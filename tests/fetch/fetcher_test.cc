// SPDX-License-Identifier: MIT
//
// The fetcher as the file system uses it: threads, a real transport, a real server on loopback.
#include "fetch/fetcher.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "fetch/error.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using fetch::Errc;

const std::error_code kCanceled = std::make_error_code(std::errc::operation_canceled);

// Any thread.
class Outcome {
 public:
  void set(std::error_code outcome) {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(outcome_) << "finished twice";
    outcome_ = outcome;
    set_.notify_all();
  }
  std::error_code wait() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(set_.wait_for(lock, 60s, [this] { return outcome_.has_value(); }));
    return outcome_.value_or(std::make_error_code(std::errc::timed_out));
  }

 private:
  std::mutex mutex_;
  std::condition_variable set_;
  std::optional<std::error_code> outcome_;
};

struct TextSink final : fetch::RangeSink {
  fetch::Version expect(std::size_t) const override { return expected; }
  bool begin(std::size_t, const fetch::Version&, bool is_counted) override {
    counted = is_counted;
    text.resize(shown);
    return true;
  }
  Took take(std::span<const std::byte> bytes) noexcept override {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (counted) shown = text.size();
    return Took::more;
  }
  std::uint64_t kept() const noexcept override { return shown; }
  bool wanted() const noexcept override { return true; }
  void finish(std::error_code why) noexcept override { outcome.set(why); }

  fetch::Version expected;
  std::string text;
  std::size_t shown = 0;
  bool counted = false;
  Outcome outcome;
};

struct SizeSink final : fetch::ProbeSink {
  void finish(std::error_code why, const fetch::Version& version, std::size_t) noexcept override {
    seen = version;
    outcome.set(why);
  }
  fetch::Version seen;
  Outcome outcome;
};

struct DeafObserver final : fetch::FetchObserver {
  void on_event(const fetch::FetchEvent&) noexcept override {}
};

class FetcherTest : public testing::Test {
 protected:
  explicit FetcherTest(std::chrono::seconds idle = 30s) : fetcher(limits(idle), clock, observer) {}

  static fetch::FetchLimits limits(std::chrono::seconds idle) {
    fetch::FetchLimits limits;
    limits.connections = 4;
    limits.connections_per_host = 4;
    limits.idle_timeout = idle;
    limits.user_agent = "skimfs/test";
    return limits;
  }

  std::shared_ptr<TextSink> fetch(const std::string& path, fetch::ByteRange range,
                                  bool whole = false, std::optional<std::uint64_t> total = {}) {
    auto sink = std::make_shared<TextSink>();
    sink->expected.total = total;
    sink->expected.etag = origin.etag(path);
    fetcher.fetch({.id = fetcher.new_id(),
                   .object = object(path),
                   .range = range,
                   .whole = whole,
                   .priority = fetch::Priority::demand,
                   .sink = sink});
    return sink;
  }

  std::shared_ptr<SizeSink> probe(const std::string& path) {
    auto sink = std::make_shared<SizeSink>();
    fetcher.probe({.id = fetcher.new_id(), .object = object(path), .sink = sink});
    return sink;
  }

  std::shared_ptr<const fetch::Object> object(const std::string& path) const {
    auto object = std::make_shared<fetch::Object>();
    object->urls.push_back(origin.url(path));
    return object;
  }

  HostileOrigin origin;
  fetch::SteadyClock clock;
  DeafObserver observer;
  fetch::Fetcher fetcher;
};

TEST_F(FetcherTest, FetchesExactlyTheRange) {
  origin.add("/f", 10'000'000);
  const auto sink = fetch("/f", {1234, 7'654'321});
  EXPECT_EQ(sink->outcome.wait(), std::error_code());
  EXPECT_EQ(sink->text.size(), 7'654'321u - 1234 + 1);
  EXPECT_EQ(origin.body("/f").first_wrong(1234, sink->text), std::nullopt);
  EXPECT_EQ(origin.count(), 1u);
  EXPECT_EQ(origin.requests().at(0).header("user-agent"), "skimfs/test");
}

TEST_F(FetcherTest, ProbesSizeAndValidators) {
  origin.add("/f", 1000);
  const auto sink = probe("/f");
  EXPECT_EQ(sink->outcome.wait(), std::error_code());
  EXPECT_EQ(sink->seen.total, 1000u);
  EXPECT_EQ(sink->seen.etag, origin.etag("/f"));
  EXPECT_EQ(sink->seen.last_modified, origin.last_modified("/f"));
  EXPECT_EQ(origin.requests().at(0).range(), "bytes=0-0");
}

TEST_F(FetcherTest, AProbeAndAFetchShareAConnection) {
  origin.add("/f", 1000);
  probe("/f")->outcome.wait();
  // The head answers a probe; its connection is free once the rest has come.
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (fetcher.status().connections_idle == 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), until);
    std::this_thread::yield();
  }
  fetch("/f", {0, 99})->outcome.wait();
  EXPECT_EQ(origin.connections().total, 1u);
}

TEST_F(FetcherTest, NoServerStyleOfAnEmptyFileIsMistaken) {
  for (const Empty style :
       {Empty::ok, Empty::unsatisfiable, Empty::bad_request, Empty::backward_range}) {
    const std::string path = "/empty" + std::to_string(int(style));
    origin.add(path, 0, {.empty = style});
    const auto sink = probe(path);
    EXPECT_EQ(sink->outcome.wait(), std::error_code()) << path;
    EXPECT_EQ(sink->seen.total, 0u) << path;
  }
}

TEST_F(FetcherTest, AServerThatIgnoresRangesServesTheWholeObject) {
  origin.add("/f", 100'000, {.ranges = Ranges::ignored});
  EXPECT_EQ(fetch("/f", {5, 9})->outcome.wait(), Errc::ranges_ignored);
  const auto sink = fetch("/f", {0, 99'999}, true);
  EXPECT_EQ(sink->outcome.wait(), std::error_code());
  EXPECT_TRUE(origin.body("/f").matches(0, 100'000, sink->text));
}

TEST_F(FetcherTest, NotOneWrongByteFromAnyKindOfRange) {
  origin.add("/f", 100'000);
  for (const Ranges kind : {Ranges::ignored, Ranges::shifted, Ranges::wider, Ranges::shorter,
                            Ranges::whole, Ranges::multipart, Ranges::refused}) {
    origin.behave("/f", {.ranges = kind});
    const auto sink = fetch("/f", {1000, 50'000});
    const bool useful = kind == Ranges::wider || kind == Ranges::shorter || kind == Ranges::whole;
    EXPECT_EQ(!sink->outcome.wait(), useful) << int(kind);
    EXPECT_EQ(sink->text.size(), useful ? 49'001u : 0u) << int(kind);
    EXPECT_EQ(origin.body("/f").first_wrong(1000, sink->text), std::nullopt) << int(kind);
  }
}

TEST_F(FetcherTest, NotOneWrongByteFromAnyKindOfHead) {
  origin.add("/f", 100'000);
  const Behaviour refused[] = {{.content_range = ContentRange::missing},
                               {.content_range = ContentRange::malformed},
                               {.content_range = ContentRange::twice},
                               {.content_range = ContentRange::other_total},
                               {.length = Length::one_less},
                               {.length = Length::one_more},
                               {.length = Length::huge},
                               {.length = Length::negative},
                               {.length = Length::hexadecimal},
                               {.length = Length::twice},
                               {.validators = Validators::none},
                               {.encoding = "gzip"}};
  for (const Behaviour& behaviour : refused) {
    origin.behave("/f", behaviour);
    const auto sink = fetch("/f", {0, 999}, false, 100'000);
    EXPECT_TRUE(sink->outcome.wait());
    EXPECT_EQ(sink->text, "");
  }
}

TEST_F(FetcherTest, ABodyOfAnyKindOfLengthIsRight) {
  origin.add("/f", 100'000);
  for (const Length kind : {Length::exact, Length::absent, Length::chunked}) {
    origin.behave("/f", {.length = kind});
    const auto sink = fetch("/f", {1, 99'999});
    EXPECT_EQ(sink->outcome.wait(), std::error_code());
    EXPECT_EQ(sink->text.size(), 99'999u);
    EXPECT_EQ(origin.body("/f").first_wrong(1, sink->text), std::nullopt);
  }
}

TEST_F(FetcherTest, ABrokenConnectionIsResumedAtTheFirstMissingByte) {
  origin.add("/f", 100'000);
  origin.behave("/f", {.stop_after = 30'000, .ending = Ending::close_unsaid}, 1);
  const auto sink = fetch("/f", {0, 99'999});
  EXPECT_EQ(sink->outcome.wait(), std::error_code());
  EXPECT_TRUE(origin.body("/f").matches(0, 100'000, sink->text));
  EXPECT_EQ(origin.requests().at(1).range(), "bytes=30000-99999");
}

TEST_F(FetcherTest, AChangedObjectIsChangedAndNeverMixed) {
  origin.add("/f", 100'000);
  const auto sink = std::make_shared<TextSink>();
  sink->expected.etag = origin.etag("/f");
  origin.change("/f");
  fetcher.fetch({.id = 1,
                 .object = object("/f"),
                 .range = {0, 999},
                 .whole = false,
                 .priority = fetch::Priority::demand,
                 .sink = sink});
  EXPECT_EQ(sink->outcome.wait(), Errc::changed);
  EXPECT_EQ(sink->text, "");
  EXPECT_EQ(origin.count(), 2u);
}

TEST_F(FetcherTest, ManyOrdersNeverOpenMoreConnectionsThanTheCap) {
  // After fifty answers one that is late would be asked for again.
  constexpr std::uint64_t kOrders = 48;
  origin.add("/f", 1'000'000);
  std::vector<std::shared_ptr<TextSink>> sinks;
  for (std::uint64_t i = 0; i < kOrders; ++i)
    sinks.push_back(fetch("/f", {i * 1000, i * 1000 + 999}));
  for (std::uint64_t i = 0; i < kOrders; ++i) {
    EXPECT_EQ(sinks[i]->outcome.wait(), std::error_code());
    EXPECT_TRUE(origin.body("/f").matches(i * 1000, 1000, sinks[i]->text));
  }
  EXPECT_LE(origin.connections().peak, 4u);
  EXPECT_LE(origin.connections().total, 4u);
  EXPECT_EQ(origin.count(), kOrders);
}

struct FetcherThatIdles : FetcherTest {
  FetcherThatIdles() : FetcherTest(1s) {}
};

TEST_F(FetcherThatIdles, ClosesConnectionsAndTheStatusSaysSo) {
  origin.add("/f", 1000);
  fetch("/f", {0, 99})->outcome.wait();
  EXPECT_TRUE(origin.await([&] { return origin.connections().open == 0; }));
  // A status may be a little old.
  const auto until = std::chrono::steady_clock::now() + 10s;
  fetch::FetchStatus status = fetcher.status();
  while (status.hosts.empty() || status.connections_open > 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), until);
    std::this_thread::yield();
    status = fetcher.status();
  }
  EXPECT_EQ(status.connections_idle, 0u);
  EXPECT_EQ(status.connections_opened, 1u);
  EXPECT_EQ(status.connections_peak, 1u);
  EXPECT_EQ(status.requests, 1u);
  EXPECT_EQ(status.bytes_received, 100u);
  EXPECT_EQ(status.hosts.at(0).closed, 1u);
}

TEST_F(FetcherTest, StopsAtOnceWhileEveryServerHangs) {
  origin.add("/held", 1'000'000, {.hold = true});
  origin.add("/stalled", 1'000'000, {.stop_after = 10, .ending = Ending::stall});
  std::vector<std::shared_ptr<TextSink>> sinks;
  for (int i = 0; i < 20; ++i) sinks.push_back(fetch(i % 2 ? "/held" : "/stalled", {0, 999'999}));
  const auto size = probe("/held");
  ASSERT_TRUE(origin.await([&] { return origin.count() == 4; }));
  const auto before = std::chrono::steady_clock::now();
  fetcher.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, 10s) << "they time out after 15 s";
  for (const auto& sink : sinks) EXPECT_EQ(sink->outcome.wait(), kCanceled);
  EXPECT_EQ(size->outcome.wait(), kCanceled);
}

TEST_F(FetcherTest, WhatComesAfterStopIsFinishedToo) {
  origin.add("/f", 1000);
  fetcher.stop();
  EXPECT_EQ(fetch("/f", {0, 9})->outcome.wait(), kCanceled);
  EXPECT_EQ(probe("/f")->outcome.wait(), kCanceled);
}

TEST_F(FetcherTest, ManyThreadsMayOrderPromoteAskAndStop) {
  origin.add("/f", 100'000);
  origin.add("/bad", 100'000, {.stop_after = 10, .ending = Ending::reset});
  std::mutex mutex;
  std::vector<std::shared_ptr<TextSink>> sinks;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 50; ++i) {
        auto sink =
            fetch(random() % 4 ? "/f" : "/bad", {random() % 50'000, 50'000 + random() % 50'000});
        fetcher.promote(random() % 100);
        (void)fetcher.status();
        const std::lock_guard lock(mutex);
        sinks.push_back(std::move(sink));
      }
    });
  }
  for (int i = 0; i < 3; ++i) fetch("/f", {0, 9})->outcome.wait();
  fetcher.stop();
  for (std::thread& thread : threads) thread.join();
  for (const auto& sink : sinks) sink->outcome.wait();
  EXPECT_EQ(sinks.size(), 200u);
}

}  // namespace
}  // namespace skimfs::test
