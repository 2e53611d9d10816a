// SPDX-License-Identifier: MIT
//
// Sinks and an observer that remember what they were told, and a loop to try them on.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "fetch/fetch_loop.h"
#include "tests/support/fake_transport.h"
#include "tests/support/manual_clock.h"

namespace skimfs::test {

class RecordingSink final : public fetch::RangeSink {
 public:
  fetch::Version expect(std::size_t) const override { return expected; }
  fetch::Standing standing(std::size_t source) const override {
    return source < standings.size() ? standings[source] : fetch::Standing::usable;
  }
  void refuse(std::size_t source) noexcept override { refused.push_back(source); }
  bool decides(std::size_t source) const override { return source == decisive; }
  bool begin(std::size_t source, const fetch::Version& version, bool is_counted) override {
    EXPECT_TRUE(outcomes.empty()) << "begin() after finish()";
    seen.push_back(version);
    sources.push_back(source);
    counted = is_counted;
    bytes.resize(kept());
    return agrees;
  }
  Took take(std::span<const std::byte> more) noexcept override {
    EXPECT_TRUE(outcomes.empty()) << "take() after finish()";
    EXPECT_FALSE(more.empty());
    bytes.append(reinterpret_cast<const char*>(more.data()), more.size());
    if (counted && took != Took::corrupt) shown = bytes.size();
    return took;
  }
  std::uint64_t kept() const noexcept override { return shown; }
  bool wanted() const noexcept override { return is_wanted; }
  bool useful() const noexcept override { return is_useful; }
  void finish(std::error_code outcome) noexcept override { outcomes.push_back(outcome); }

  bool finished() const { return !outcomes.empty(); }
  std::error_code outcome() const {
    return outcomes.empty() ? std::error_code(-1, std::generic_category()) : outcomes.front();
  }

  fetch::Version expected;
  bool agrees = true;
  bool is_wanted = true;
  bool is_useful = true;
  Took took = Took::more;
  std::vector<fetch::Standing> standings;
  std::size_t decisive = 0;

  std::vector<fetch::Version> seen;
  std::vector<std::size_t> sources;  // of what was seen
  std::vector<std::size_t> refused;
  bool counted = false;
  std::string bytes;
  std::uint64_t shown = 0;
  std::vector<std::error_code> outcomes;
};

class RecordingProbe final : public fetch::ProbeSink {
 public:
  std::shared_ptr<fetch::RangeSink> taker(std::size_t, const fetch::Version&,
                                          std::uint64_t bytes) noexcept override {
    EXPECT_TRUE(outcomes.empty()) << "taker() after finish()";
    EXPECT_EQ(offered, 0u) << "taker() twice";
    offered = bytes;
    return takes;
  }
  bool wanted() const noexcept override { return is_wanted; }
  bool useful() const noexcept override { return is_useful; }
  void finish(std::error_code why, const fetch::Version& version,
              std::size_t from) noexcept override {
    outcomes.push_back(why);
    seen = version;
    source = from;
  }
  std::error_code outcome() const {
    return outcomes.empty() ? std::error_code(-1, std::generic_category()) : outcomes.front();
  }

  std::shared_ptr<RecordingSink> takes;  // null: nobody does
  std::uint64_t offered = 0;             // bytes; 0: none were
  bool is_wanted = true;
  bool is_useful = true;

  std::vector<std::error_code> outcomes;
  fetch::Version seen;
  std::size_t source = 0;
};

class RecordingObserver final : public fetch::FetchObserver {
 public:
  void on_event(const fetch::FetchEvent& event) noexcept override {
    events.push_back({event.what, std::string(event.url), std::string(event.detail), event.wait,
                      std::string(event.profile)});
  }
  bool saw(std::string_view what) const {
    for (const Event& event : events)
      if (event.what == what) return true;
    return false;
  }
  struct Event {
    std::string what, url, detail;
    std::chrono::milliseconds wait;
    std::string profile;
  };
  std::vector<Event> events;
};

inline std::shared_ptr<const fetch::Object> object_at(std::vector<std::string> urls) {
  return std::make_shared<fetch::Object>(fetch::Object{std::move(urls)});
}
inline std::shared_ptr<const fetch::Object> object_at(std::string url) {
  return object_at(std::vector{std::move(url)});
}

}  // namespace skimfs::test
