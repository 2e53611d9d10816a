// SPDX-License-Identifier: MIT
//
// One asks, the others wait.
#include "fetch/single_flight.h"

#include <gtest/gtest.h>

namespace skimfs::fetch {
namespace {

using Ages = std::vector<SingleFlight::Age>;

TEST(SingleFlight, TheFirstLeadsAndTheOthersWaitInTheirOrder) {
  SingleFlight flight;
  EXPECT_TRUE(flight.lead("one", 5));
  EXPECT_FALSE(flight.lead("one", 9));
  EXPECT_FALSE(flight.lead("one", 7));
  EXPECT_TRUE(flight.lead("two", 8)) << "another question";
  EXPECT_EQ(flight.end("one"), (Ages{9, 7}));
  EXPECT_EQ(flight.end("two"), (Ages{}));
}

TEST(SingleFlight, AfterItsEndTheNextOneLeads) {
  SingleFlight flight;
  flight.lead("one", 1);
  flight.end("one");
  EXPECT_TRUE(flight.lead("one", 2));
}

TEST(SingleFlight, WhoLeavesIsNotCalled) {
  SingleFlight flight;
  flight.lead("one", 1);
  flight.lead("one", 2);
  flight.lead("one", 3);
  flight.leave("one", 2);
  flight.leave("another", 2);
  EXPECT_EQ(flight.end("one"), (Ages{3}));
}

}  // namespace
}  // namespace skimfs::fetch
