// SPDX-License-Identifier: MIT
//
// Thousands of random histories: whatever servers do, every sink is finished once, every byte was
// accepted, and nothing is left.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "tests/fetch/recording.h"
#include "tests/support/body.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using fetch::Fault;

constexpr std::uint64_t kTotal = 20'000;
constexpr unsigned kHosts = 3;

class History {
 public:
  explicit History(std::uint64_t seed)
      : random_(seed), loop_(limits(), clock_, observer_, hosts_, transport_, seed) {
    if (chance(2)) know_hosts();
    transport_.pipelines = true;
  }

  void run() {
    for (int step = 0; step < 200; ++step) {
      if (step < 120 && chance(3)) order();
      serve();
      if (chance(4)) clock_.advance(std::chrono::milliseconds(pick(0, 3000)));
      if (chance(20)) loop_.promote(pick(1, next_id_));
      if (chance(60)) loop_.network_changed("resume");
      loop_.advance();
      ASSERT_LE(transport_.running(), limits().connections);
      for (unsigned host = 0; host < kHosts; ++host)
        ASSERT_LE(transport_.running(name(host) + ":80"), limits().connections_per_host);
    }
    if (chance(2)) loop_.stop();
    for (int i = 0; i < 30; ++i) {
      clock_.advance(5s);
      loop_.advance();
    }
    check();
  }
  // Requests sent behind others.
  auto pipelined() const {
    return std::ranges::count_if(transport_.sent,
                                 [](const auto& each) { return each.behind.has_value(); });
  }

 private:
  struct Wanted {
    fetch::ByteRange range;
    std::shared_ptr<RecordingSink> sink;
  };

  static fetch::FetchLimits limits() {
    fetch::FetchLimits limits;
    limits.connections = 5;
    limits.connections_per_host = 3;
    return limits;
  }
  static std::string name(unsigned host) { return "host" + std::to_string(host); }

  std::uint64_t pick(std::uint64_t from, std::uint64_t to) {
    return std::uniform_int_distribution<std::uint64_t>(from, to)(random_);
  }
  bool chance(unsigned one_in) { return pick(1, one_in) == 1; }

  void order() {
    std::vector<std::string> urls;
    do urls.push_back("http://" + name(unsigned(pick(0, kHosts - 1))) + "/file");
    while (chance(2) && urls.size() < 3);
    const bool goes_on = last_ && next_ < kTotal && chance(2);
    const bool whole = !goes_on && chance(8);
    if (!goes_on && chance(6)) {
      probes_.push_back(std::make_shared<RecordingProbe>());
      loop_.add(fetch::ProbeOrder{++next_id_, object_at(urls), probes_.back()});
      return;
    }
    const std::uint64_t first = whole ? 0 : goes_on ? next_ : pick(0, kTotal - 1);
    const std::uint64_t last = whole ? kTotal - 1 : pick(first, std::min(first + 5000, kTotal - 1));
    auto sink = std::make_shared<RecordingSink>();
    sink->expected = {kTotal, "\"v1\"", {}};
    sink->is_wanted = !chance(4);
    if (chance(20)) sink->took = fetch::RangeSink::Took::enough;
    if (chance(20)) sink->took = fetch::RangeSink::Took::corrupt;
    if (chance(20)) sink->agrees = false;
    if (chance(4)) sink->decisive = pick(0, 3);
    if (chance(4))
      sink->standings = {fetch::Standing::usable, fetch::Standing(pick(0, 2)),
                         fetch::Standing(pick(0, 2))};
    wanted_.push_back({{first, last}, sink});
    if (!goes_on) last_ = object_at(urls);
    next_ = last + 1;
    loop_.add(fetch::RangeOrder{
        ++next_id_, last_, {first, last}, whole, fetch::Priority(pick(0, 3)), sink});
  }

  // Their answers have been timed, and late ones are asked for again.
  void know_hosts() {
    for (unsigned host = 0; host < kHosts; ++host) {
      fetch::HedgePolicy& hedging = hosts_.at(name(host) + ":80").hedging;
      for (int i = 0; i < 200; ++i) hedging.sent();
      for (int i = 0; i < 50; ++i) hedging.answered(1ms);
    }
  }

  // Lets one running exchange meet its fate, wholly or partly.
  void serve() {
    const auto& live = transport_.live;
    if (live.empty() || chance(5)) return;
    const std::size_t i = *std::next(live.begin(), std::ptrdiff_t(pick(0, live.size() - 1)));
    if (stalled_.contains(i)) {
      if (chance(20)) transport_.end(i, any_fault());
      return;
    }
    if (heads_.contains(i)) return bring(i);
    const auto behind = transport_.sent[i].behind;
    if (behind && live.contains(*behind)) return;  // it is not its turn
    if (chance(8)) return transport_.end(i, any_fault());
    if (connected_.insert(i).second) {
      const bool reused = behind ? transport_.sent[*behind].well : chance(2);
      if (behind && !reused) transport_.lose(i);
      if (chance(8)) return transport_.end(i, any_fault());
      if (!transport_.connect(i, reused) || chance(3)) return;
      if (reused && chance(8)) {
        transport_.lose(i);
        transport_.connect(i);
      }
    }
    if (chance(8)) return transport_.end(i, any_fault());
    if (chance(5)) return refuse(i);
    respond(i);
  }

  void refuse(std::size_t i) {
    constexpr int kStatuses[] = {301, 302, 400, 403, 404, 412, 416, 429, 500, 503, 200, 204};
    const int status = kStatuses[pick(0, std::size(kStatuses) - 1)];
    Headers headers;
    if (chance(2)) headers.emplace_back("Location", "http://" + name(unsigned(pick(0, 2))) + "/to");
    if (chance(2)) headers.emplace_back("Retry-After", std::to_string(pick(0, 5)));
    if (chance(2)) headers.emplace_back("Content-Range", "bytes */" + std::to_string(pick(0, 9)));
    transport_.respond(i, status, headers, "an error page that must never be data");
  }

  // A 206, honest in a few of its ways and broken in others, but whose bytes are what its head
  // says.
  void respond(std::size_t i) {
    fetch::ByteRange range{0, kTotal - 1};
    if (!transport_.sent[i].header("Range").empty()) range = transport_.sent[i].range();
    if (chance(6)) range.first -= std::min<std::uint64_t>(range.first, pick(0, 3));
    if (chance(6)) range.last = std::min(range.last + pick(0, 9), kTotal - 1);
    if (chance(6)) range.last = pick(range.first, range.last);
    if (chance(12)) range.first = pick(range.first, range.last);
    const bool other = chance(8);
    Headers headers = {
        {"ETag", other ? "\"v" + std::to_string(pick(2, 3)) + '"' : "\"v1\""},
        {"Content-Range", "bytes " + std::to_string(range.first) + '-' +
                              std::to_string(range.last) + '/' + std::to_string(kTotal)}};
    if (chance(4))
      headers.emplace_back("Transfer-Encoding", "chunked");
    else
      headers.emplace_back("Content-Length",
                           std::to_string(range.length() + (chance(12) ? pick(0, 2) : 0)));
    if (!transport_.head(i, 206, headers)) return;
    heads_[i] = range;
    if (!chance(3)) bring(i);
  }

  // The body behind a head.
  void bring(std::size_t i) {
    const fetch::ByteRange range = heads_.extract(i).mapped();
    const std::string bytes = body_.text(range.first, range.length());
    const std::size_t end = chance(4) ? pick(0, bytes.size()) : bytes.size();
    for (std::size_t at = 0; at < end;) {
      const std::size_t length = pick(1, std::min<std::size_t>(end - at, 2048));
      if (!transport_.body(i, std::string_view(bytes).substr(at, length))) return;
      at += length;
    }
    if (end == bytes.size() && chance(12) && !transport_.body(i, "excess")) return;
    if (chance(10)) {
      stalled_.insert(i);
      return;
    }
    transport_.end(i, chance(6) ? any_fault() : Fault::none);
  }

  Fault any_fault() {
    constexpr Fault kFaults[] = {Fault::none,     Fault::dns,   Fault::connect,
                                 Fault::tls,      Fault::reset, Fault::short_body,
                                 Fault::protocol, Fault::local, Fault::connect_timeout};
    return kFaults[pick(0, std::size(kFaults) - 1)];
  }

  void check() const {
    for (const Wanted& wanted : wanted_) {
      ASSERT_EQ(wanted.sink->outcomes.size(), 1u);
      const std::string& got = wanted.sink->bytes;
      ASSERT_LE(got.size(), wanted.range.length());
      ASSERT_EQ(body_.first_wrong(wanted.range.first, got), std::nullopt);
      if (!wanted.sink->outcomes[0]) {
        ASSERT_EQ(got.size(), wanted.range.length());
      }
      for (const fetch::Version& seen : wanted.sink->seen) ASSERT_EQ(seen.etag, "\"v1\"");
    }
    for (const auto& probe : probes_) ASSERT_EQ(probe->outcomes.size(), 1u);
    EXPECT_EQ(transport_.running(), 0u);
    EXPECT_EQ(loop_.wake_at(), fetch::TimePoint::max());
    const fetch::FetchStatus status = loop_.status();
    EXPECT_EQ(status.orders_running + status.orders_queued, 0u);
    for (const auto& [host, state] : hosts_.all()) {
      EXPECT_EQ(state.running(), 0u);
      EXPECT_EQ(state.orders, 0u);
    }
  }

  std::mt19937_64 random_;
  const Body body_{"file", 1};
  ManualClock clock_;
  RecordingObserver observer_;
  fetch::HostTable hosts_{limits().connections_per_host};
  FakeTransport transport_;
  fetch::FetchLoop loop_;
  std::vector<Wanted> wanted_;
  std::vector<std::shared_ptr<RecordingProbe>> probes_;
  std::set<std::size_t> connected_;
  std::map<std::size_t, fetch::ByteRange> heads_;  // whose bodies are to come
  std::set<std::size_t> stalled_;  // exchanges that go on only to break or to be given up
  fetch::OrderId next_id_ = 0;
  std::shared_ptr<const fetch::Object> last_;  // that was asked for
  std::uint64_t next_ = 0;                     // its first byte behind that
};

// A thousand, in parts that a sanitizer's slowness does not bring near the time limit.
class FetchLoopHistories : public testing::TestWithParam<std::uint64_t> {};

TEST_P(FetchLoopHistories, EverySinkIsFinishedOnceWithAcceptedBytesOnly) {
  std::ptrdiff_t pipelined = 0;
  for (std::uint64_t seed = GetParam(); seed < GetParam() + 125; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History history(seed);
    history.run();
    if (testing::Test::HasFailure()) return;
    pipelined += history.pipelined();
  }
  EXPECT_GT(pipelined, 10);
}

INSTANTIATE_TEST_SUITE_P(FromSeed, FetchLoopHistories, testing::Range<std::uint64_t>(1, 1001, 125),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace skimfs::test
