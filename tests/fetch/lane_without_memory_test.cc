// SPDX-License-Identifier: MIT
//
// A lane on real sockets whose allocations fail one after the other.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/fetch/failing_memory.h"
#include "tests/fetch/live_fetcher.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

// Asked on the lane's thread, before anything starts there.
struct ArmsItsThread final : fetch::NetSource {
  fetch::NetSight look() noexcept override {
    Memory::armed = true;
    return {};
  }
};
struct Deaf final : fetch::FetchObserver {
  void on_event(const fetch::FetchEvent&) noexcept override {}
};

// S-ERR-2
TEST(LaneWithoutMemory, LivesAndServesWhoeverComesNext) {
  HostileOrigin origin;
  origin.add("/f", 1 << 20);
  fetch::SteadyClock clock;
  Deaf observer;
  fetch::Fetcher fetcher({}, clock, observer, [] { return std::make_unique<ArmsItsThread>(); });
  const auto fetch = [&](const std::string& path) {
    auto sink = std::make_shared<WaitingSink>();
    fetcher.fetch({.object = std::make_shared<fetch::Object>(fetch::Object{{origin.url(path)}}),
                   .range = {0, 99},
                   .sink = sink});
    return sink;
  };
  const auto serve = [&] {
    const std::vector sinks{fetch("/f"), fetch("/f"), fetch("/missing")};
    unsigned without = 0;
    for (const auto& sink : sinks) without += sink->wait() == std::errc::not_enough_memory;
    return without;
  };

  unsigned without = 0;
  for (long n = 0; n < 300; ++n) {
    SCOPED_TRACE("allocation " + std::to_string(n));
    Memory::left = n;
    without += serve();
    ASSERT_FALSE(HasFailure());
  }
  Memory::left = -1;
  EXPECT_GT(Memory::failures, 0u);
  EXPECT_GT(without, 0u);
  EXPECT_EQ(serve(), 0u);
  EXPECT_EQ(fetch("/f")->wait(), std::error_code());
}

}  // namespace
}  // namespace skimfs::test
