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
  EXPECT_EQ(flight.leave("one", 5), (Ages{9, 7}));
  EXPECT_EQ(flight.leave("two", 8), (Ages{}));
}

TEST(SingleFlight, WhoLeadsNeverWaitsForItself) {
  SingleFlight flight;
  EXPECT_TRUE(flight.lead("one", 1));
  EXPECT_TRUE(flight.lead("one", 1));
  EXPECT_EQ(flight.leave("one", 1), (Ages{}));
}

TEST(SingleFlight, AfterWhoLedTheNextOneLeads) {
  SingleFlight flight;
  flight.lead("one", 1);
  flight.leave("one", 1);
  EXPECT_TRUE(flight.lead("one", 2));
}

TEST(SingleFlight, WhoWaitedAndLeftIsNotCalled) {
  SingleFlight flight;
  flight.lead("one", 1);
  flight.lead("one", 2);
  flight.lead("one", 3);
  EXPECT_EQ(flight.leave("one", 2), (Ages{})) << "the first still asks";
  EXPECT_EQ(flight.leave("another", 2), (Ages{}));
  EXPECT_EQ(flight.leave("one", 1), (Ages{3}));
}

}  // namespace
}  // namespace skimfs::fetch
