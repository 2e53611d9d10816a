// SPDX-License-Identifier: MIT
//
// A loop that ends when there is no memory.
#include "tests/fetch/failing_memory.h"
#include "tests/fetch/loop_fixture.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using fetch::Priority;

class StopWithoutMemory : public FetchLoopTest {
 protected:
  StopWithoutMemory() : FetchLoopTest(limits_of(16, 4)) {}
  void order(std::uint64_t place, Priority priority = Priority::demand) {
    sinks.push_back(want(place * 10, place * 10 + 9, priority));
    sinks.back()->outcomes.reserve(1);
  }
  void stop() {
    Memory::gone = true;
    loop.stop();
    Memory::gone = false;
  }
  ~StopWithoutMemory() override {
    for (const auto& sink : sinks) EXPECT_EQ(sink->outcomes, std::vector{kCanceled});
    EXPECT_EQ(transport.running(), 0u);
  }

  std::vector<std::shared_ptr<RecordingSink>> sinks;
};

TEST_F(StopWithoutMemory, EndsWhatRunsAndWhatWaitsForASlot) {
  for (std::uint64_t i = 0; i < 8; ++i) order(i);
  ASSERT_EQ(transport.running(), 4u);
  stop();
}

TEST_F(StopWithoutMemory, EndsThoseWhoWaitForWhoAsksTheOrigin) {
  want(0, 9);
  transport.respond(0, 302, {{"Location", "http://cdn/x"}});
  loop.advance();
  answer(1);
  for (std::uint64_t i = 0; i < 3; ++i) order(i);
  for (std::size_t i = 2; i < 5; ++i) transport.respond(i, 403);
  loop.advance();
  ASSERT_EQ(transport.running(), 1u);
  stop();
}

TEST_F(StopWithoutMemory, EndsThoseWhoWaitForAConnection) {
  hosts.at("one:80").pace->note_first_byte(50ms, clock.now());
  for (std::uint64_t i = 0; i < 6; ++i) order(i, Priority::next);
  stop();
}

}  // namespace
}  // namespace skimfs::test
