// SPDX-License-Identifier: MIT
//
// Many reads of one file from one server that misbehaves by chance.  The model is the file: each
// read gets its own bytes, in order, and whatever it is given beyond that fails the test.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "tests/fetch/loop_fixture.h"
#include "tests/support/body.h"
#include "tests/support/manual_clock.h"

namespace skimfs::test {

// The parameter is the seed.  A derived test says how the server answers.
class LoopByChance : public testing::TestWithParam<std::uint64_t> {
 protected:
  struct Shape {
    std::uint64_t file = 0;     // bytes
    std::uint64_t longest = 0;  // read, bytes
    unsigned reads = 0;
  };
  explicit LoopByChance(Shape shape) : shape_(shape) {}

  // A request was sent; `i` of the transport.
  virtual void on_sent(std::size_t i) = 0;
  // Some milliseconds have passed.
  virtual void serve() = 0;

  std::uint64_t pick(std::uint64_t from, std::uint64_t to) {
    return std::uniform_int_distribution<std::uint64_t>(from, to)(random_);
  }
  bool chance(unsigned one_in) { return pick(1, one_in) == 1; }
  std::chrono::milliseconds time_between(unsigned from, unsigned to) {
    return std::chrono::milliseconds(pick(from, to));
  }

  Headers part_of_file(std::uint64_t first, std::uint64_t last) const {
    return part(first, last, kTag, shape_.file);
  }

  // Until all reads are done and the server is idle again.
  void run() {
    while (reads_.size() < shape_.reads || open() > 0) {
      if (reads_.size() < shape_.reads && open() < 6) read();
      loop_.advance();
      look();
      clock_.advance(time_between(0, 5));
      serve();
      const auto status = loop_.status();
      ASSERT_LE(status.hedges * 50, status.requests - status.hedges);
    }
    for (int i = 0; i < 4; ++i, clock_.advance(std::chrono::seconds(10))) loop_.advance();
    EXPECT_EQ(transport_.running(), 0u);
    EXPECT_EQ(hosts_.at("one:80").running(), 0u);
  }

  // Result: bytes taken in all.
  std::uint64_t expect_right_bytes() {
    std::uint64_t taken = 0;
    for (const Read& read : reads_) {
      EXPECT_EQ(read.sink->outcomes.size(), 1u);
      EXPECT_EQ(body_.first_wrong(read.range.first, read.sink->bytes), std::nullopt);
      EXPECT_LE(read.sink->bytes.size(), read.range.length());
      taken += read.sink->bytes.size();
      if (!read.sink->outcome()) {
        EXPECT_EQ(read.sink->bytes.size(), read.range.length());
      }
      if (HasFailure()) break;
    }
    return taken;
  }

  const Shape shape_;
  std::mt19937_64 random_{GetParam()};
  const Body body_{"file", 1};
  ManualClock clock_;
  RecordingObserver observer_;
  fetch::HostTable hosts_{8};
  FakeTransport transport_;
  fetch::FetchLimits limits_;
  fetch::FetchLoop loop_{limits_, clock_, observer_, hosts_, transport_, GetParam()};

 private:
  struct Read {
    fetch::ByteRange range;
    std::shared_ptr<RecordingSink> sink;
  };

  unsigned open() const {
    const auto status = loop_.status();
    return status.orders_running + status.orders_queued;
  }
  void read() {
    const std::uint64_t from = pick(0, shape_.file - 1);
    auto sink = std::make_shared<RecordingSink>();
    sink->expected = {shape_.file, std::string(kTag), {}};
    const auto last = std::min(from + pick(0, shape_.longest - 1), shape_.file - 1);
    reads_.push_back({{from, last}, sink});
    loop_.add(
        fetch::RangeOrder{.object = object_at("http://one/file"),
                          .range = reads_.back().range,
                          .priority = chance(4) ? fetch::Priority::window : fetch::Priority::demand,
                          .sink = sink});
  }
  void look() {
    for (; seen_ < transport_.count(); ++seen_) on_sent(seen_);
    ASSERT_LE(transport_.running("one:80"), 8u);
  }

  std::vector<Read> reads_;
  std::size_t seen_ = 0;
};

}  // namespace skimfs::test
