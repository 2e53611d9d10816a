// SPDX-License-Identifier: MIT
//
// A loop on a scripted transport, with time moved by hand, and the honest answers of a server.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "fetch/fetch_loop.h"
#include "tests/fetch/recording.h"

namespace skimfs::test {

inline constexpr std::string_view kTag = "\"v1\"";
inline constexpr std::uint64_t kTotal = 1000;

inline const std::error_code kCanceled = std::make_error_code(std::errc::operation_canceled);

// "abc..." so that the byte at each offset tells its place.
inline std::string text(std::uint64_t first, std::uint64_t last) {
  std::string bytes;
  for (std::uint64_t i = first; i <= last; ++i) bytes += static_cast<char>('a' + i % 26);
  return bytes;
}

inline Headers part(std::uint64_t first, std::uint64_t last, std::string_view tag = kTag,
                    std::uint64_t total = kTotal) {
  return {{"Content-Range", "bytes " + std::to_string(first) + '-' + std::to_string(last) + '/' +
                                std::to_string(total)},
          {"ETag", std::string(tag)},
          {"Content-Length", std::to_string(last - first + 1)}};
}

class FetchLoopTest : public testing::Test {
 protected:
  static fetch::FetchLimits limits_of(unsigned total, unsigned per_host) {
    fetch::FetchLimits limits;
    limits.connections = total;
    limits.connections_per_host = per_host;
    return limits;
  }

  explicit FetchLoopTest(fetch::FetchLimits limits = limits_of(8, 4))
      : hosts(limits.connections_per_host), loop(limits, clock, observer, hosts, transport, 1) {}

  std::shared_ptr<RecordingSink> want(std::uint64_t first, std::uint64_t last,
                                      fetch::Priority priority = fetch::Priority::demand,
                                      std::string url = "http://one/file", bool whole = false,
                                      fetch::OrderId id = 0) {
    auto sink = std::make_shared<RecordingSink>();
    sink->expected.total = kTotal;
    sink->expected.etag = kTag;
    add(sink, first, last, priority, std::move(url), whole, id);
    return sink;
  }

  void add(std::shared_ptr<RecordingSink> sink, std::uint64_t first, std::uint64_t last,
           fetch::Priority priority = fetch::Priority::demand, std::string url = "http://one/file",
           bool whole = false, fetch::OrderId id = 0) {
    loop.add({.id = id,
              .object = object_at(std::move(url)),
              .range = {first, last},
              .whole = whole,
              .priority = priority,
              .sink = std::move(sink)});
    loop.advance();
  }

  std::shared_ptr<RecordingProbe> probe(std::string url = "http://one/file") {
    auto sink = std::make_shared<RecordingProbe>();
    loop.add(fetch::ProbeOrder{.id = 0, .object = object_at(std::move(url)), .sink = sink});
    loop.advance();
    return sink;
  }

  static constexpr fetch::OrderId kEarly = 9;
  std::shared_ptr<RecordingProbe> early_probe() {
    auto sink = std::make_shared<RecordingProbe>();
    loop.add(fetch::ProbeOrder{.id = kEarly,
                               .object = object_at("http://one/early"),
                               .sink = sink,
                               .priority = fetch::Priority::sibling});
    loop.advance();
    return sink;
  }

  // The honest answer to request `i`.
  void answer(std::size_t i) {
    const fetch::ByteRange range = transport.sent.at(i).range();
    transport.respond(i, 206, part(range.first, range.last), text(range.first, range.last));
    loop.advance();
  }

  void fault(std::size_t i, fetch::Fault why, bool reused = false) {
    transport.connect(i, reused);
    transport.end(i, why);
    loop.advance();
  }

  // Moves time until the next request is sent, at most `most`.
  void await_request(std::size_t count, fetch::Duration most = std::chrono::seconds(60)) {
    for (const fetch::TimePoint until = clock.now() + most;
         transport.count() < count && clock.now() < until;)
      pass(std::chrono::milliseconds(50));
    ASSERT_GE(transport.count(), count);
  }

  void pass(fetch::Duration time) {
    clock.advance(time);
    loop.advance();
  }

  ManualClock clock;
  RecordingObserver observer;
  fetch::HostTable hosts;
  FakeTransport transport;
  fetch::FetchLoop loop;
};

}  // namespace skimfs::test
