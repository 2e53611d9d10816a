// SPDX-License-Identifier: MIT
//
// Who starts next.
#include "fetch/admission.h"

#include <gtest/gtest.h>

#include <vector>

namespace skimfs::fetch {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{1h};

class AdmissionTest : public testing::Test {
 protected:
  std::vector<Admission::Age> start_all(TimePoint now = kNow) {
    std::vector<Admission::Age> started;
    while (const auto age = queue.next(now)) started.push_back(*age);
    return started;
  }

  HostTable hosts{4};
  Host& a = hosts.at("a:80");
  Host& b = hosts.at("b:80");
  Admission queue{8};
};

using Ages = std::vector<Admission::Age>;

TEST_F(AdmissionTest, TheOldestOfThemMostUrgentStartsFirst) {
  queue.enqueue(5, a, Priority::next);
  queue.enqueue(3, b, Priority::demand);
  queue.enqueue(1, a, Priority::sibling);
  queue.enqueue(2, a, Priority::demand);
  queue.enqueue(4, b, Priority::next);
  EXPECT_EQ(start_all(), (Ages{2, 3, 4, 5, 1}));
}

TEST_F(AdmissionTest, AHostGetsNoMoreThanItsLimit) {
  for (Admission::Age age = 1; age <= 6; ++age) queue.enqueue(age, a, Priority::demand);
  EXPECT_EQ(start_all(), (Ages{1, 2, 3, 4}));
  queue.ended(a);
  EXPECT_EQ(start_all(), (Ages{5}));
}

TEST_F(AdmissionTest, AllHostsTogetherGetNoMoreThanTheSlots) {
  Host& c = hosts.at("c:80");
  Admission::Age age = 1;
  for (Host* host : {&a, &b, &c})
    for (int i = 0; i < 4; ++i) queue.enqueue(age++, *host, Priority::demand);
  EXPECT_EQ(start_all().size(), 8u);
  EXPECT_EQ(a.running() + b.running() + c.running(), 8u);
}

TEST_F(AdmissionTest, AnotherExchangeTakesASlotLikeAnOrder) {
  for (Admission::Age age = 1; age <= 3; ++age) queue.enqueue(age, a, Priority::demand);
  start_all();
  EXPECT_TRUE(queue.take(a, kNow));
  EXPECT_EQ(a.running(), 4u);
  EXPECT_FALSE(queue.take(a, kNow)) << "the host is full";
  b.pause(kNow + 1s);
  EXPECT_FALSE(queue.take(b, kNow));
  EXPECT_TRUE(queue.take(b, kNow + 1s));
  queue.ended(b);
  for (int i = 0; i < 4; ++i) queue.ended(a);
  EXPECT_EQ(a.running() + b.running(), 0u);
  EXPECT_EQ(queue.part(), 8u) << "of no host";
}

TEST_F(AdmissionTest, AnotherExchangeFindsNoSlotWhereAllAreTaken) {
  Admission::Age age = 1;
  for (Host* host : {&a, &b})
    for (int i = 0; i < 4; ++i) queue.enqueue(age++, *host, Priority::demand);
  start_all();
  EXPECT_FALSE(queue.take(hosts.at("c:80"), kNow));
}

TEST_F(AdmissionTest, AQuarterOfAHostIsKeptForDemand) {
  for (Admission::Age age = 1; age <= 4; ++age) queue.enqueue(age, a, Priority::window);
  EXPECT_EQ(start_all(), (Ages{1, 2, 3}));
  queue.enqueue(9, a, Priority::demand);
  EXPECT_EQ(start_all(), (Ages{9}));
}

TEST_F(AdmissionTest, AQuarterOfAllSlotsIsKeptForDemand) {
  Host& c = hosts.at("c:80");
  Admission::Age age = 1;
  for (Host* host : {&a, &b, &c})
    for (int i = 0; i < 3; ++i) queue.enqueue(age++, *host, Priority::sibling);
  EXPECT_EQ(start_all().size(), 6u);
}

TEST_F(AdmissionTest, APausedHostWaitsAndHoldsNobodyUp) {
  a.pause(kNow + 5s);
  queue.enqueue(1, a, Priority::demand);
  queue.enqueue(2, b, Priority::sibling);
  EXPECT_EQ(start_all(), (Ages{2}));
  EXPECT_EQ(queue.wake_at(kNow), kNow + 5s);
  EXPECT_EQ(start_all(kNow + 5s), (Ages{1}));
  EXPECT_EQ(queue.wake_at(kNow), std::nullopt);
}

TEST_F(AdmissionTest, APromotedOrderKeepsItsAge) {
  queue.enqueue(1, a, Priority::sibling);
  queue.enqueue(2, a, Priority::demand);
  queue.promote(1, a, Priority::sibling);
  EXPECT_EQ(start_all(), (Ages{1, 2}));
}

TEST_F(AdmissionTest, ARemovedOrderNeverStarts) {
  queue.enqueue(1, a, Priority::demand);
  queue.enqueue(2, a, Priority::demand);
  queue.remove(1, a, Priority::demand);
  EXPECT_EQ(start_all(), (Ages{2}));
  EXPECT_EQ(queue.waiting_for(a, 0), std::nullopt);
}

TEST_F(AdmissionTest, AHostCutWhileRunningStartsNothingUntilItIsBelow) {
  for (Admission::Age age = 1; age <= 5; ++age) queue.enqueue(age, a, Priority::demand);
  start_all();
  a.pushed_back(Host::Why::busy, kNow, kNow + 1s);
  queue.ended(a);
  queue.ended(a);
  EXPECT_EQ(start_all(), (Ages{}));
  queue.ended(a);
  EXPECT_EQ(start_all(), (Ages{5}));
}

// ------------------------------------------------------------------------- hosts share the slots

class SharedAdmissionTest : public AdmissionTest {
 protected:
  SharedAdmissionTest() {
    for (Host* host : {&big_a, &big_b}) host->breaker().alive(kNow - 1s);
  }
  void enqueue(Host& host, Admission::Age first, unsigned count) {
    for (unsigned i = 0; i < count; ++i) queue.enqueue(first + i, host, Priority::demand);
  }

  HostTable roomy{8};
  Host& big_a = roomy.at("a:80");
  Host& big_b = roomy.at("b:80");
};

TEST_F(SharedAdmissionTest, AHostThatIsAloneMayHaveAllSlots) {
  enqueue(big_a, 1, 10);
  EXPECT_EQ(start_all().size(), 8u);
  EXPECT_EQ(queue.part(), 8u);
}

TEST_F(SharedAdmissionTest, AHostWithLessThanItsPartGoesFirstHoweverLateItComes) {
  enqueue(big_a, 1, 7);
  enqueue(big_b, 50, 4);
  EXPECT_EQ(start_all(), (Ages{1, 2, 3, 4, 50, 51, 52, 53}));
}

TEST_F(SharedAdmissionTest, SlotsThatComeFreeGoToWhoHasLess) {
  enqueue(big_a, 1, 20);
  start_all();
  enqueue(big_b, 50, 2);
  queue.ended(big_a);
  queue.ended(big_a);
  EXPECT_EQ(start_all(), (Ages{50, 51}));
}

TEST_F(SharedAdmissionTest, AHostThatHasNotAnsweredFillsNoMoreThanHalf) {
  Host& silent = roomy.at("silent:80");
  enqueue(silent, 1, 10);
  EXPECT_EQ(start_all().size(), 4u);
  silent.breaker().alive(kNow);
  EXPECT_EQ(start_all().size(), 4u);
}

TEST_F(SharedAdmissionTest, SomebodyIsStarvedWhileAllSlotsAreElsewhere) {
  enqueue(big_a, 1, 20);
  start_all();
  EXPECT_FALSE(queue.starved(kNow)) << "it queues behind itself";
  enqueue(big_b, 50, 1);
  EXPECT_TRUE(queue.starved(kNow));
  big_b.pause(kNow + 1s);
  EXPECT_FALSE(queue.starved(kNow)) << "it could not start anyway";
  EXPECT_TRUE(queue.starved(kNow + 1s));
  queue.ended(big_a);
  EXPECT_FALSE(queue.starved(kNow + 1s)) << "there is a slot";
}

TEST_F(SharedAdmissionTest, SpeculationIsNeverStarved) {
  enqueue(big_a, 1, 8);
  start_all();
  queue.enqueue(50, big_b, Priority::next);
  EXPECT_FALSE(queue.starved(kNow));
}

TEST_F(AdmissionTest, BehindABreakerOneGoesAtATime) {
  for (int i = 0; i < 3; ++i) a.breaker().failed({}, false, kNow - 1s, kNow);
  for (Admission::Age age = 1; age <= 3; ++age) queue.enqueue(age, a, Priority::demand);
  EXPECT_EQ(start_all(), (Ages{}));
  EXPECT_EQ(queue.wake_at(kNow), kNow + 200ms);
  EXPECT_EQ(start_all(kNow + 200ms), (Ages{1}));
  EXPECT_EQ(queue.wake_at(kNow + 200ms), std::nullopt) << "its end will tell";
  EXPECT_EQ(queue.waiting_for(a, 0), 2u);
  EXPECT_EQ(queue.waiting_for(a, 2), 3u);
  EXPECT_EQ(queue.waiting_for(a, 3), std::nullopt);
  a.breaker().alive(kNow + 300ms);
  EXPECT_EQ(start_all(kNow + 300ms), (Ages{2, 3}));
}

}  // namespace
}  // namespace skimfs::fetch
