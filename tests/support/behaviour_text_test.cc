// SPDX-License-Identifier: MIT
#include "tests/support/behaviour_text.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace skimfs::test {
namespace {

std::string complaint(const char* text) {
  try {
    parse_behaviour(text);
  } catch (const std::invalid_argument& wrong) {
    return wrong.what();
  }
  return "none";
}

TEST(BehaviourText, SetsWhatItNamesAndNothingElse) {
  const auto [behaviour, spell] =
      parse_behaviour("ranges=ignored,stop_after=5000,ending=reset,drip_every=20,times=3,after=1");
  EXPECT_EQ(behaviour.ranges, Ranges::ignored);
  EXPECT_EQ(behaviour.stop_after, 5000u);
  EXPECT_EQ(behaviour.ending, Ending::reset);
  EXPECT_EQ(behaviour.drip_every, std::chrono::milliseconds(20));
  EXPECT_EQ(behaviour.status, 0);
  EXPECT_EQ(spell.times, 3u);
  EXPECT_EQ(spell.after, 1u);
}

TEST(BehaviourText, ASwitchAloneIsOn) {
  EXPECT_TRUE(parse_behaviour("hold").behaviour.hold);
  EXPECT_FALSE(parse_behaviour("heed_conditions=off").behaviour.heed_conditions);
}

TEST(BehaviourText, NothingIsACorrectServer) {
  EXPECT_EQ(parse_behaviour("").spell.times, ~0u);
  EXPECT_EQ(parse_fault("").fault, ProxyFault{});
}

TEST(BehaviourText, SaysWhatIsWrongWithIt) {
  EXPECT_EQ(complaint("rages=ignored"), "there is no switch \"rages\"");
  EXPECT_EQ(complaint("status=2x"), "status: \"2x\" is no number");
  EXPECT_EQ(complaint("hold=maybe"), "hold: \"maybe\" is neither on nor off");
  EXPECT_EQ(complaint("ending=bang"),
            "ending: \"bang\" is none of keep|close|close_unsaid|reset|stall");
}

TEST(BehaviourText, SetsFaultsOfTheProxyToo) {
  const auto [fault, spell] = parse_fault("stop_after=10,ending=half_close,corrupt_at=7,times=1");
  EXPECT_EQ(fault.stop_after, 10u);
  EXPECT_EQ(fault.corrupt_at, 7u);
  EXPECT_EQ(fault.ending, ProxyFault::Ending::half_close);
  EXPECT_EQ(spell.times, 1u);
}

}  // namespace
}  // namespace skimfs::test
