// SPDX-License-Identifier: MIT
//
// A fetcher of several lanes, on real sockets.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "fetch/sharding.h"
#include "tests/fetch/live_fetcher.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kLanes = 4;

fetch::FetchLimits limits(unsigned connections, unsigned per_host) {
  fetch::FetchLimits limits;
  limits.connections = connections;
  limits.connections_per_host = per_host;
  limits.lanes = kLanes;
  return limits;
}

unsigned lane_of(const HostileOrigin& origin) {
  return fetch::home_lane("127.0.0.1:" + std::to_string(origin.port()), kLanes);
}

// One server at home in each lane.
class Lanes : public testing::Test {
 protected:
  Lanes() {
    while (by_lane_.size() < kLanes) {
      auto origin = std::make_unique<HostileOrigin>();
      origin->add("/f", 1'000'000);
      if (!by_lane_.try_emplace(lane_of(*origin), origin.get()).second) continue;
      origins_.push_back(std::move(origin));
    }
  }

  HostileOrigin& at(unsigned lane) { return *by_lane_.at(lane); }
  static const fetch::HostStatus* find(const fetch::FetchStatus& status,
                                       const HostileOrigin& origin) {
    const std::string name = "127.0.0.1:" + std::to_string(origin.port());
    const auto found = std::ranges::find(status.hosts, name, &fetch::HostStatus::host);
    return found == status.hosts.end() ? nullptr : &*found;
  }

  std::vector<std::unique_ptr<HostileOrigin>> origins_;
  std::map<unsigned, HostileOrigin*> by_lane_;
};

TEST_F(Lanes, EachHostHasAThreadOfItsOwnAndKeepsIt) {
  LiveFetcher fetcher(limits(16, 8));
  std::set<std::thread::id> threads;
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    const auto one = fetcher.fetch(at(lane).url("/f"));
    const auto other = fetcher.fetch(at(lane).url("/f"), {500, 599});
    EXPECT_EQ(one->wait(), std::error_code());
    EXPECT_EQ(other->wait(), std::error_code());
    EXPECT_EQ(one->thread(), other->thread());
    threads.insert(one->thread());
  }
  EXPECT_EQ(threads.size(), std::size_t{kLanes});
}

TEST_F(Lanes, EveryHostIsAskedAndAppearsOnceInTheStatus) {
  LiveFetcher fetcher(limits(16, 8));
  for (unsigned lane = 0; lane < kLanes; ++lane)
    EXPECT_EQ(fetcher.fetch(at(lane).url("/f"))->wait(), std::error_code());
  const fetch::FetchStatus status =
      fetcher.await_status([](const auto& now) { return now.bytes_received >= kLanes * 100u; });
  EXPECT_EQ(status.hosts.size(), std::size_t{kLanes});
  EXPECT_EQ(status.bytes_received, kLanes * 100u);
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    ASSERT_NE(find(status, at(lane)), nullptr);
    EXPECT_EQ(find(status, at(lane))->requests, 1u);
  }
}

// S-CONN-1
TEST_F(Lanes, TogetherHaveNoMoreSocketsToARedirectsTargetThanItsCap) {
  constexpr unsigned kCap = 8;
  for (const auto& origin : origins_) {
    origin->add("/away", 1'000'000, {.location = at(0).url("/slow")});
    origin->add("/slow", 1'000'000, {.drip_bytes = 20'000, .drip_every = 1ms});
  }
  LiveFetcher fetcher(limits(64, kCap));
  std::vector<std::shared_ptr<WaitingSink>> sinks;
  for (int i = 0; i < 10; ++i)
    for (const auto& origin : origins_)
      sinks.push_back(fetcher.fetch(origin->url("/away"), {0, 99'999}));
  for (const auto& sink : sinks) EXPECT_EQ(sink->wait(), std::error_code());
  EXPECT_LE(at(0).connections().peak, kCap);
  EXPECT_GE(at(0).count("/slow"), 40u);
}

TEST_F(Lanes, AHostAbroadIsNeverWithoutASocket) {
  LiveFetcher fetcher(limits(kLanes, kLanes));  // one for each lane
  at(0).add("/g", 1000);
  for (const auto& origin : origins_) origin->add("/away", 1000, {.location = at(0).url("/g")});
  for (int i = 0; i < 3; ++i)
    for (const auto& origin : origins_)
      EXPECT_EQ(fetcher.fetch(origin->url("/away"))->wait(), std::error_code());
}

TEST_F(Lanes, AllEndWithinASecondWhileEveryServerHangs) {
  for (const auto& origin : origins_) origin->add("/held", 1'000'000, {.hold = true});
  LiveFetcher fetcher(limits(16, 4));
  std::vector<std::shared_ptr<WaitingSink>> sinks;
  for (int i = 0; i < 5; ++i)
    for (const auto& origin : origins_) sinks.push_back(fetcher.fetch(origin->url("/held")));
  for (const auto& origin : origins_)
    ASSERT_TRUE(origin->await([&] { return origin->count("/held") > 0; }));
  const auto before = std::chrono::steady_clock::now();
  fetcher.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, 10s);
  for (const auto& sink : sinks)
    EXPECT_EQ(sink->wait(), std::make_error_code(std::errc::operation_canceled));
}

// Asked on the lane's thread.
struct SeesTheMask final : fetch::NetSource {
  explicit SeesTheMask(sigset_t& mask) : mask_(mask) {}
  fetch::NetSight look() noexcept override {
    pthread_sigmask(SIG_BLOCK, nullptr, &mask_);
    return {};
  }
  sigset_t& mask_;
};

struct Deaf final : fetch::FetchObserver {
  void on_event(const fetch::FetchEvent&) noexcept override {}
};

// S-NAME-7: the pages of a mapped index may be gone when a lane looks a name up.
TEST(Lane, HearsOfFaultsAndOfNoOtherSignals) {
  HostileOrigin origin;
  origin.add("/f", 100);
  sigset_t mask;
  sigemptyset(&mask);
  {
    fetch::SteadyClock clock;
    Deaf observer;
    fetch::Fetcher fetcher({}, clock, observer,
                           [&] { return std::make_unique<SeesTheMask>(mask); });
    const auto sink = std::make_shared<WaitingSink>();
    fetcher.fetch({.object = std::make_shared<fetch::Object>(fetch::Object{{origin.url("/f")}}),
                   .range = {0, 99},
                   .sink = sink});
    EXPECT_EQ(sink->wait(), std::error_code());
  }
  EXPECT_EQ(sigismember(&mask, SIGTERM), 1);
  for (const int fault : {SIGBUS, SIGSEGV, SIGFPE, SIGILL})
    EXPECT_EQ(sigismember(&mask, fault), 0) << fault;
}

TEST(Lane, IsPunctualAlsoWhenItHasJustBeenBusy) {
  fetch::FetchLimits one = limits(32, 32);
  one.lanes = 1;
  LiveFetcher fetcher(one);
  HostileOrigin origin, other;
  for (HostileOrigin* each : {&origin, &other}) each->add("/f", 1000);
  origin.add("/held", 1000, {.hold = true});
  std::vector<std::shared_ptr<WaitingSink>> held;
  const auto hold_one = [&] {
    held.push_back(fetcher.fetch(origin.url("/held")));
    ASSERT_TRUE(origin.await([&] { return origin.count("/held") == held.size(); }));
  };
  for (int i = 0; i < 10; ++i) fetcher.time(origin.url("/f"));
  for (int i = 0; i < 3; ++i) hold_one();
  // Speculation waits for one of a few busy connections, for eight round trips: here, for nothing.
  std::vector<fetch::Duration> times;
  for (int i = 0; i < 5; ++i) {
    hold_one();
    fetcher.time(other.url("/f"));
    const auto begin = std::chrono::steady_clock::now();
    const auto sink = std::make_shared<WaitingSink>();
    fetcher.fetch(origin.url("/f"), {0, 99}, sink, fetch::Priority::next);
    EXPECT_EQ(sink->wait(), std::error_code());
    times.push_back(std::chrono::steady_clock::now() - begin);
  }
  // The least: on a busy machine eight round trips are long, too.
  EXPECT_LT(*std::ranges::min_element(times), 40ms);
}

// A sink that orders its next part from the next server when one is there, as a joined file does.
class Chain final : public fetch::RangeSink, public std::enable_shared_from_this<Chain> {
 public:
  Chain(LiveFetcher& fetcher, std::vector<std::string> urls)
      : fetcher_(fetcher), urls_(std::move(urls)) {}
  void order() { fetcher_.fetch(urls_.at(at_), {0, 99}, shared_from_this()); }

  fetch::Version expect(std::size_t) const override { return {}; }
  bool begin(std::size_t, const fetch::Version&, bool) override { return true; }
  Took take(std::span<const std::byte> bytes) noexcept override {
    kept_ += bytes.size();
    return Took::more;
  }
  std::uint64_t kept() const noexcept override { return kept_; }
  bool wanted() const noexcept override { return true; }
  void finish(std::error_code outcome) noexcept override {
    if (outcome || ++at_ == urls_.size()) return end_.finish(outcome);
    kept_ = 0;
    order();
  }
  std::error_code wait() { return end_.wait(); }

 private:
  LiveFetcher& fetcher_;
  const std::vector<std::string> urls_;
  std::size_t at_ = 0;
  std::uint64_t kept_ = 0;
  WaitingSink end_;
};

TEST_F(Lanes, AWorkThatGoesFromLaneToLaneIsOneThreadsAtATimeAlsoWhenAllStop) {
  std::vector<std::string> urls;
  for (int round = 0; round < 50; ++round)
    for (unsigned lane = 0; lane < kLanes; ++lane) urls.push_back(at(lane).url("/f"));
  for (const bool to_the_end : {true, false}) {
    LiveFetcher fetcher(limits(16, 4));
    std::vector<std::shared_ptr<Chain>> chains;
    for (int i = 0; i < 8; ++i) chains.push_back(std::make_shared<Chain>(fetcher, urls));
    for (const auto& chain : chains) chain->order();
    if (!to_the_end) fetcher.stop();
    for (const auto& chain : chains) {
      const auto outcome = chain->wait();
      if (to_the_end) {
        EXPECT_EQ(outcome, std::error_code()) << outcome.message();
      } else if (outcome) {  // else it had come to its end before the stop
        EXPECT_EQ(outcome, std::errc::operation_canceled) << outcome.message();
      }
    }
  }
}

TEST_F(Lanes, AChangeOfTheNetworkIsSeenByEachThatWorks) {
  LiveFetcher fetcher(limits(16, 4));
  for (const auto& origin : origins_) fetcher.time(origin->url("/f"));
  fetcher.change_network();
  std::this_thread::sleep_for(fetch::NetWatch::kSpacing + 100ms);
  for (const auto& origin : origins_) fetcher.time(origin->url("/f"));
  for (const auto& origin : origins_) EXPECT_EQ(origin->connections().total, 2u);
}

}  // namespace
}  // namespace skimfs::test
