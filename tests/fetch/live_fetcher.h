// SPDX-License-Identifier: MIT
//
// A fetcher on real sockets, for tests of what happens to connections: sinks one can wait for, and
// a network that changes when the test says so.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "fetch/fetcher.h"

namespace skimfs::test {

// Drops the bytes, remembers how many.  Any thread.
class WaitingSink final : public fetch::RangeSink {
 public:
  fetch::Version expect(std::size_t) const override { return {}; }
  bool begin(std::size_t, const fetch::Version&, bool) override { return true; }
  Took take(std::span<const std::byte> bytes) noexcept override {
    kept_ += bytes.size();
    return Took::more;
  }
  std::uint64_t kept() const noexcept override { return kept_; }
  bool wanted() const noexcept override { return true; }
  void finish(std::error_code outcome) noexcept override {
    const std::lock_guard lock(mutex_);
    thread_ = std::this_thread::get_id();
    outcome_ = outcome;
    ended_.notify_all();
  }

  // That finished it; once it is.
  std::thread::id thread() const noexcept { return thread_; }

  std::error_code wait(std::chrono::seconds at_most = std::chrono::seconds(60)) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(ended_.wait_for(lock, at_most, [this] { return outcome_.has_value(); }));
    return outcome_.value_or(std::make_error_code(std::errc::timed_out));
  }

 private:
  std::atomic<std::uint64_t> kept_{0};
  std::mutex mutex_;
  std::condition_variable ended_;
  std::optional<std::error_code> outcome_;
  std::thread::id thread_;
};

class LiveFetcher {
 public:
  explicit LiveFetcher(fetch::FetchLimits limits = {})
      : fetcher_(limits, clock_, observer_, [this] { return std::make_unique<Network>(moves_); }) {}

  std::shared_ptr<WaitingSink> fetch(const std::string& url, fetch::ByteRange range = {0, 99}) {
    auto sink = std::make_shared<WaitingSink>();
    fetch(url, range, sink);
    return sink;
  }
  void fetch(const std::string& url, fetch::ByteRange range, std::shared_ptr<fetch::RangeSink> sink,
             fetch::Priority priority = fetch::Priority::demand) {
    auto object = std::make_shared<fetch::Object>();
    object->urls.push_back(url);
    fetcher_.fetch({.id = fetcher_.new_id(),
                    .object = std::move(object),
                    .range = range,
                    .whole = false,
                    .priority = priority,
                    .sink = std::move(sink)});
  }
  // How long one takes, which must succeed.
  std::chrono::milliseconds time(const std::string& url, fetch::ByteRange range = {0, 99}) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(fetch(url, range)->wait(), std::error_code()) << url;
    return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  }
  // The machine is on another network; the fetcher may need a second to look.
  void change_network() { ++moves_; }
  fetch::FetchStatus status() const { return fetcher_.status(); }
  // Of which something `holds` that must become true: a lane tells its counts a little late.
  template <class Holds>
  fetch::FetchStatus await_status(Holds holds) const {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    fetch::FetchStatus status = fetcher_.status();
    for (; !holds(status) && std::chrono::steady_clock::now() < until; status = fetcher_.status())
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_TRUE(holds(status));
    return status;
  }
  void stop() { fetcher_.stop(); }

 private:
  struct Network final : fetch::NetSource {
    explicit Network(std::atomic<unsigned>& counter) : moves(counter) {}
    fetch::NetSight look() noexcept override { return {.moves = moves}; }
    std::atomic<unsigned>& moves;
  };
  struct Deaf final : fetch::FetchObserver {
    void on_event(const fetch::FetchEvent&) noexcept override {}
  };

  fetch::SteadyClock clock_;
  Deaf observer_;
  std::atomic<unsigned> moves_{0};
  fetch::Fetcher fetcher_;
};

}  // namespace skimfs::test
