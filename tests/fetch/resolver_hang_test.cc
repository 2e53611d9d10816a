// SPDX-License-Identifier: MIT
//
// Names that do not resolve, and a resolver that hangs.
//
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "fetch/error.h"
#include "fetch/fetcher.h"
#include "tests/fetch/fake_names.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

struct Probe final : fetch::ProbeSink {
  void finish(std::error_code why, const fetch::Version&, std::size_t) noexcept override {
    const std::lock_guard lock(mutex);
    outcome = why;
    moved.notify_all();
  }
  std::error_code wait() {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(moved.wait_for(lock, 60s, [this] { return outcome.has_value(); }));
    return outcome.value_or(std::error_code());
  }
  std::mutex mutex;
  std::condition_variable moved;
  std::optional<std::error_code> outcome;
};

struct DeafObserver final : fetch::FetchObserver {
  void on_event(const fetch::FetchEvent&) noexcept override {}
};

std::shared_ptr<Probe> probe(fetch::Fetcher& fetcher, const char* url) {
  auto object = std::make_shared<fetch::Object>();
  object->urls.push_back(url);
  auto sink = std::make_shared<Probe>();
  fetcher.probe({.id = 0, .object = std::move(object), .sink = sink});
  return sink;
}

TEST(Resolver, AHangingOneKeepsNeitherStopNorOthersWaiting) {
  const fetch::SteadyClock clock;
  DeafObserver observer;
  fetch::FetchLimits limits;
  limits.connect_timeout = 30s;
  {
    fetch::Fetcher fetcher(limits, clock, observer);
    const auto stuck = probe(fetcher, "http://hangs.test/f");
    ASSERT_TRUE(FakeNames::await_hanging(1));
    const auto before = std::chrono::steady_clock::now();
    fetcher.stop();
    EXPECT_LT(std::chrono::steady_clock::now() - before, 10s);
    EXPECT_EQ(stuck->wait(), std::errc::operation_canceled);
  }
  EXPECT_EQ(FakeNames::hanging(), 1) << "the fetcher is gone, the resolver still hangs";
  FakeNames::let_go();
}

TEST(Resolver, AHangingOneCountsAgainstTheConnectTimeout) {
  const fetch::SteadyClock clock;
  DeafObserver observer;
  fetch::FetchLimits limits;
  limits.connect_timeout = 1s;
  limits.order_timeout = 2s;
  {
    fetch::Fetcher fetcher(limits, clock, observer);
    EXPECT_EQ(probe(fetcher, "http://hangs.test/f")->wait(), fetch::Errc::timed_out);
  }
  FakeNames::let_go();
}

TEST(Resolver, AnUnknownNameIsUnreachableNotMissing) {
  const fetch::SteadyClock clock;
  DeafObserver observer;
  fetch::FetchLimits limits;
  limits.order_timeout = 5s;
  fetch::Fetcher fetcher(limits, clock, observer);
  EXPECT_EQ(probe(fetcher, "http://unknown.test/f")->wait(), fetch::Errc::unreachable);
}

}  // namespace
}  // namespace skimfs::test
