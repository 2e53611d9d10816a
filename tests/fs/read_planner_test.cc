// SPDX-License-Identifier: MIT
#include "fs/read_planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <random>
#include <vector>

namespace skimfs::fs {
namespace {

using cache::Extent;
using cache::kBlock;
using cache::kGrain;
using Found = ReadPlanner::Found;
using namespace std::chrono_literals;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;
constexpr std::uint64_t kUnearned = 128 * kKiB;
constexpr std::uint64_t kFirst = kMiB + 128 * kKiB;

// A set of bytes.
class Bytes {
 public:
  // Adds them; how many of them are new.
  std::uint64_t add(Extent bytes) {
    std::uint64_t first = bytes.offset, last = bytes.end(), had = 0;
    auto at = runs_.upper_bound(bytes.offset);
    if (at != runs_.begin() && std::prev(at)->second >= first) --at;
    while (at != runs_.end() && at->first <= last) {
      const std::uint64_t begin = std::max(at->first, bytes.offset);
      const std::uint64_t end = std::min(at->second, bytes.end());
      if (end > begin) had += end - begin;
      first = std::min(first, at->first);
      last = std::max(last, at->second);
      at = runs_.erase(at);
    }
    runs_[first] = last;
    total_ += bytes.length - had;
    return bytes.length - had;
  }
  bool has(Extent bytes) const {
    auto at = runs_.upper_bound(bytes.offset);
    return at != runs_.begin() && std::prev(at)->second >= bytes.end();
  }
  std::uint64_t total() const { return total_; }

 private:
  std::map<std::uint64_t, std::uint64_t> runs_;
  std::uint64_t total_ = 0;
};

// A reader with a cache that forgets nothing and a network: one request for each gap of a plan.
class ReadPlannerTest : public testing::Test {
 protected:
  ReadPlanner::Plan read(Extent bytes) {
    const Extent grains = ReadPlanner::grains(bytes, size_);
    const Found found = fetched_.has(grains) ? found_ : Found::absent;
    const ReadPlanner::Plan plan = planner_.on_read(bytes, found, size_, now_, limits_, pace_);
    EXPECT_LE(plan.demand.offset, bytes.offset);
    EXPECT_GE(plan.demand.end(), bytes.end());
    EXPECT_EQ(plan.demand.offset % kGrain, 0u);
    EXPECT_TRUE(plan.demand.end() % kGrain == 0 || plan.demand.end() == size_);
    EXPECT_LE(plan.demand.end(), size_);
    std::uint64_t last = plan.demand.end();
    for (const Extent& segment : plan.ahead) {
      EXPECT_TRUE(!plan.in_order || segment.offset >= last);
      EXPECT_FALSE(segment.empty());
      EXPECT_EQ(segment.offset % kGrain, 0u);
      EXPECT_TRUE(segment.end() % kGrain == 0 || segment.end() == size_);
      EXPECT_LE(segment.end(), size_);
      EXPECT_LE(segment.length, limits_.segment_max);
      last = segment.end();
    }
    if (found == Found::absent) fetch(plan.demand);
    for (const Extent& segment : plan.ahead) {
      if (room_) {
        fetch(segment);
      } else {
        planner_.refused(segment);
      }
    }
    read_.add(bytes);
    return plan;
  }

  void read_through(std::uint64_t from, std::uint64_t to, std::uint64_t step) {
    for (std::uint64_t at = from; at < to; at += step) read({at, std::min(step, to - at)});
  }

  void fetch(Extent bytes) {
    if (fetched_.add(bytes) > 0) ++requests_;
  }

  ReadPlanner planner_;
  PlannerLimits limits_{.window_max = 64 * kMiB, .segment_max = 16 * kMiB};
  fetch::HostPace pace_;  // not known
  std::uint64_t size_ = kGiB;
  fetch::TimePoint now_{1h};
  Found found_ = Found::coming;  // of what has been asked for before
  bool room_ = true;
  Bytes fetched_, read_;
  int requests_ = 0;
};

TEST_F(ReadPlannerTest, ASmallFileComesWholeWithItsFirstRead) {
  size_ = 300'001;
  const ReadPlanner::Plan plan = read({0, 4096});
  EXPECT_EQ(plan.demand, (Extent{0, 300'001}));
  EXPECT_TRUE(plan.ahead.empty());
}

TEST_F(ReadPlannerTest, ALargeFileBeginsWithOneFirstSegment) {
  EXPECT_EQ(read({0, 128 * kKiB}).demand, (Extent{0, kFirst}));
  EXPECT_EQ(requests_, 1);
}

TEST_F(ReadPlannerTest, AFirstReadLargerThanTheFirstSegmentIsWholeDemand) {
  EXPECT_EQ(read({0, 2 * kMiB}).demand, (Extent{0, 2 * kMiB}));
}

TEST_F(ReadPlannerTest, AFileWhoseBeginningIsInMemoryGetsTheRestOfItsFirstSegment) {
  fetched_.add({0, 128 * kKiB});
  found_ = Found::ready;
  const ReadPlanner::Plan plan = read({0, 128 * kKiB});
  EXPECT_EQ(plan.demand, (Extent{0, 128 * kKiB}));
  EXPECT_EQ(plan.ahead, (std::vector<Extent>{{128 * kKiB, kFirst - 128 * kKiB}}));
}

TEST_F(ReadPlannerTest, AWindowLostToAFailureIsNotFetchedAgainPageByPage) {
  read_through(4 * kMiB, 6 * kMiB, 128 * kKiB);
  fetched_ = {};  // the transfer failed; the kernel goes back and asks for single pages
  requests_ = 0;
  read_through(5 * kMiB, 6 * kMiB, kGrain);
  EXPECT_LE(requests_, 8);
}

TEST_F(ReadPlannerTest, ALoneReadElsewhereCostsItsGrainsAndNothingMore) {
  const ReadPlanner::Plan plan = read({500 * kMiB + 100, 4096});
  EXPECT_EQ(plan.demand, (Extent{500 * kMiB, 2 * kGrain}));
  EXPECT_TRUE(plan.ahead.empty());
}

TEST_F(ReadPlannerTest, TheLastGrainEndsWithTheFile) {
  size_ = 10 * kMiB + 5;
  EXPECT_EQ(read({10 * kMiB + 1, 4}).demand, (Extent{10 * kMiB, 5}));
}

TEST_F(ReadPlannerTest, TheSecondReadInOrderStartsSpeculation) {
  EXPECT_TRUE(read({100 * kMiB, 128 * kKiB}).ahead.empty());
  const ReadPlanner::Plan second = read({100 * kMiB + 128 * kKiB, 128 * kKiB});
  ASSERT_FALSE(second.ahead.empty());
  EXPECT_EQ(second.ahead.front().offset, second.demand.end());
  EXPECT_TRUE(second.in_order);
}

TEST_F(ReadPlannerTest, AGibibyteInOrderTakesAtMostEightyRequests) {
  for (const std::uint64_t step : {128 * kKiB, 256 * kKiB, kMiB}) {
    planner_ = {};
    fetched_ = {};
    requests_ = 0;
    read_through(0, kGiB, step);
    EXPECT_LE(requests_, 80) << "reads of " << step;
    EXPECT_EQ(fetched_.total(), kGiB);
  }
}

TEST_F(ReadPlannerTest, AnUnboundReaderSettlesAtTwoFullSegmentsInFlight) {
  now_ = fetch::TimePoint{1h};
  std::uint64_t most_ahead = 0;
  for (std::uint64_t at = 0; at < kGiB; at += kMiB) {
    now_ += 1ms;  // 1 GiB/s, whatever is in flight
    read({at, kMiB});
    most_ahead = std::max(most_ahead, fetched_.total() - read_.total());
  }
  EXPECT_LE(most_ahead, 2 * limits_.segment_max);
}

TEST_F(ReadPlannerTest, TheWindowGrowsOnWhileThatMakesTheReaderFaster) {
  std::uint64_t most_ahead = 0;
  for (std::uint64_t at = 0; at < kGiB; at += kMiB) {
    const std::uint64_t ahead = fetched_.total() - read_.total();
    now_ +=
        std::chrono::microseconds(20'000 * kMiB / (kMiB + ahead));  // each request adds its rate
    read({at, kMiB});
    most_ahead = std::max(most_ahead, ahead);
  }
  EXPECT_GT(most_ahead, 3 * limits_.segment_max);
  EXPECT_LE(most_ahead, limits_.window_max);
}

TEST_F(ReadPlannerTest, AReaderThatNeverWaitsKeepsASmallWindow) {
  found_ = Found::ready;
  std::uint64_t most_ahead = 0;
  for (std::uint64_t at = 0; at < 64 * kMiB; at += 128 * kKiB) {
    read({at, 128 * kKiB});
    most_ahead = std::max(most_ahead, fetched_.total() - read_.total());
  }
  EXPECT_LE(most_ahead, 2 * kMiB);
}

TEST_F(ReadPlannerTest, SegmentsBeginOnBlockBounds) {
  read_through(0, 8 * kMiB, 128 * kKiB);
  for (std::uint64_t at = 8 * kMiB; at < 64 * kMiB; at += 128 * kKiB) {
    for (const Extent& segment : read({at, 128 * kKiB}).ahead) {
      EXPECT_EQ(segment.offset % kBlock, 0u);
    }
  }
}

TEST_F(ReadPlannerTest, TheKernelsReorderingNeitherResetsNorStarvesAStream) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::deque<Extent> queue;
  for (std::uint64_t at = 0; at < 256 * kMiB || !queue.empty();) {
    while (queue.size() < 5 && at < 256 * kMiB) {
      queue.push_back({at, 128 * kKiB});
      at += 128 * kKiB;
    }
    // Any of the next three, so at most 256 KiB back; none is left behind for long.
    const std::size_t pick = std::min<std::size_t>(random() % 3, queue.size() - 1);
    read(queue[pick]);
    queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(pick));
    if (queue.size() > 2 && queue[1].offset - queue[0].offset > 512 * kKiB) {
      read(queue.front());
      queue.pop_front();
    }
  }
  EXPECT_LE(requests_, 60);
  EXPECT_LE(fetched_.total(), 2 * read_.total());
}

TEST_F(ReadPlannerTest, RandomReadsNeverSpeculate) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 2000; ++i) read({kMiB + random() % (kGiB / kGrain - 256) * kGrain, kGrain});
  EXPECT_LE(fetched_.total(), read_.total() + 2 * kUnearned);  // two may touch by chance
}

TEST_F(ReadPlannerTest, RandomReadsInASmallFileOverReadAtMostTwice) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  size_ = 64 * kMiB;
  std::uint64_t asked = 0;
  for (int i = 0; i < 2000; ++i) {
    read({kMiB + random() % (63 * 256) * kGrain, kGrain});
    asked += kGrain;
  }
  EXPECT_LE(fetched_.total(), 2 * asked);
}

TEST_F(ReadPlannerTest, TwoInterleavedStreamsBothReadAhead) {
  for (std::uint64_t at = 0; at < 128 * kMiB; at += 128 * kKiB) {
    read({at, 128 * kKiB});
    read({500 * kMiB + at, 128 * kKiB});
  }
  EXPECT_LE(requests_, 60);
  EXPECT_LE(fetched_.total(), 2 * read_.total());
}

TEST_F(ReadPlannerTest, AStreamSurvivesRandomReadsBesideIt) {
  std::mt19937_64 random(1);
  read_through(0, kMiB, 128 * kKiB);
  int stream_waits = 0;
  for (std::uint64_t at = kMiB; at < 128 * kMiB; at += 128 * kKiB) {
    for (int i = 0; i < 20; ++i) read({500 * kMiB + random() % 100'000 * kGrain, kGrain});
    stream_waits += fetched_.has({at, 128 * kKiB}) ? 0 : 1;
    read({at, 128 * kKiB});
  }
  EXPECT_EQ(stream_waits, 0);
}

TEST_F(ReadPlannerTest, ASeekInsideTheWindowKeepsTheWindowAndPlansNothingTwice) {
  read_through(0, 32 * kMiB, kMiB);
  for (std::uint64_t at = 36 * kMiB; at < 68 * kMiB; at += kMiB) {
    for (const Extent& segment : read({at, kMiB}).ahead) {
      EXPECT_GE(segment.offset, 48 * kMiB);
    }
  }
  EXPECT_GE(fetched_.total() - read_.total(), 16 * kMiB);
}

TEST_F(ReadPlannerTest, AShortStepBackIsNoNewStream) {
  read_through(0, 32 * kMiB, kMiB);
  const Extent back{31 * kMiB + 256 * kKiB, 128 * kKiB};
  EXPECT_TRUE(read(back).ahead.empty());
  EXPECT_FALSE(read({back.end(), back.length}).in_order);
  EXPECT_TRUE(read({32 * kMiB, kMiB}).in_order);
}

TEST_F(ReadPlannerTest, ASeekFarAwayStartsSmall) {
  read_through(0, 32 * kMiB, kMiB);
  read({700 * kMiB, 128 * kKiB});
  const ReadPlanner::Plan second = read({700 * kMiB + 128 * kKiB, 128 * kKiB});
  std::uint64_t ahead = 0;
  for (const Extent& segment : second.ahead) ahead += segment.length;
  EXPECT_LE(ahead, 256 * kKiB);
}

TEST_F(ReadPlannerTest, ASecondPassFromTheStartIsAStreamOfItsOwn) {
  read_through(0, 64 * kMiB, kMiB);
  const int first_pass = requests_;
  fetched_ = {};
  requests_ = 0;
  read_through(0, 64 * kMiB, kMiB);
  EXPECT_LE(requests_, first_pass + 1);
}

TEST_F(ReadPlannerTest, BackwardReadsOverReadAtMostTwice) {
  for (std::uint64_t at = 64 * kMiB; at > 0; at -= kMiB) {
    read_through(kMiB + at - kMiB, kMiB + at, 128 * kKiB);
  }
  EXPECT_LE(fetched_.total(), read_.total() + kFirst + kMiB);
}

TEST_F(ReadPlannerTest, ABackwardReaderFindsFetchedWhatItComesFor) {
  for (const std::uint64_t step : {128 * kKiB, kMiB}) {
    planner_ = {};
    fetched_ = read_ = {};
    int waited = 0;
    for (std::uint64_t at = 256 * kMiB; at > 192 * kMiB; at -= step) {
      waited += fetched_.has({at - step, step}) ? 0 : 1;
      read({at - step, step});
    }
    EXPECT_LE(waited, 4) << step;
    EXPECT_LE(fetched_.total(), 2 * read_.total()) << step;
  }
}

TEST_F(ReadPlannerTest, SoDoesOneThatReadsAColumnOfATable) {
  int waited = 0;
  for (std::uint64_t at = 5 * kMiB; at < 900 * kMiB; at += 10 * kMiB) {
    waited += fetched_.has({at, 64 * kKiB}) ? 0 : 1;
    read_through(at, at + 64 * kKiB, 32 * kKiB);  // each in two reads
  }
  EXPECT_LE(waited, 4);
  EXPECT_LE(fetched_.total(), 4 * read_.total());
}

TEST_F(ReadPlannerTest, ARefusedSegmentIsPlannedAgainAtTheNextRead) {
  read_through(0, 64 * kMiB, kMiB);
  room_ = false;
  std::uint64_t at = 64 * kMiB;
  ReadPlanner::Plan refused;
  for (; refused.ahead.empty(); at += kMiB) refused = read({at, kMiB});
  room_ = true;
  for (int i = 0; i < 64; ++i, at += kMiB) {  // the window is smaller now
    const ReadPlanner::Plan plan = read({at, kMiB});
    if (plan.ahead.empty()) continue;
    EXPECT_EQ(plan.ahead.front().offset, refused.ahead.front().offset);
    return;
  }
  FAIL() << "never planned again";
}

TEST_F(ReadPlannerTest, SequentialReadsWithoutRoomNeverDecayIntoSingleGrainRequests) {
  room_ = false;
  read_through(0, 32 * kMiB, 16 * kKiB);
  EXPECT_LE(requests_, 32 * 4 + 8);  // blocks
}

TEST_F(ReadPlannerTest, RefusalShrinksTheWindowToWhatFoundRoom) {
  read_through(0, 64 * kMiB, kMiB);
  const std::uint64_t before = fetched_.total() - read_.total();
  found_ = Found::ready;
  room_ = false;
  read_through(64 * kMiB, 64 * kMiB + before / 4 * 3, kMiB);
  room_ = true;
  const std::uint64_t at = 64 * kMiB + before / 4 * 3;
  read_through(at, at + 64 * kMiB, kMiB);
  EXPECT_LE(fetched_.total() - read_.total(), before / 2);
}

TEST_F(ReadPlannerTest, ButNotFurther) {
  read_through(0, 64 * kMiB, kMiB);
  found_ = Found::ready;
  std::uint64_t at = 64 * kMiB;
  ReadPlanner::Plan refused;
  room_ = false;
  for (; refused.ahead.empty(); at += kMiB) refused = read({at, kMiB});
  room_ = true;
  const std::uint64_t granted = refused.ahead.front().offset - at;
  ASSERT_GT(granted, limits_.segment_max);
  std::uint64_t most = 0;
  for (; at < 128 * kMiB; at += kMiB) {
    read({at, kMiB});
    most = std::max(most, fetched_.total() - read_.total());
  }
  EXPECT_GE(most + kMiB, granted);
  EXPECT_LE(most, granted + kMiB);
}

TEST_F(ReadPlannerTest, BytesThatWereLostAreFetchedWithTheirNeighbours) {
  read_through(0, 32 * kMiB, kMiB);
  fetched_ = {};  // evicted before they were read
  requests_ = 0;
  read_through(32 * kMiB, 48 * kMiB, 128 * kKiB);
  EXPECT_LE(requests_, 8);
}

TEST_F(ReadPlannerTest, AnIdleStreamStartsSmallerAndADeadOneAfresh) {
  read_through(0, 64 * kMiB, kMiB);
  const std::uint64_t busy = fetched_.total() - read_.total();
  now_ += 5s;  // two halvings
  fetched_ = read_;
  read_through(64 * kMiB, 66 * kMiB, kMiB);
  EXPECT_LE(fetched_.total() - read_.total(), busy / 4 + kMiB);
  now_ += 10s;
  EXPECT_FALSE(read({66 * kMiB, 128 * kKiB}).in_order);
}

TEST_F(ReadPlannerTest, HugeOffsetsDoNotOverflow) {
  size_ = (std::uint64_t{1} << 63) - 1;
  const std::uint64_t from = size_ - 8 * kMiB;
  read_through(from / kGrain * kGrain, size_, 128 * kKiB);
  EXPECT_TRUE(fetched_.has({size_ - kMiB, kMiB}));
  EXPECT_LE(fetched_.total(), 9 * kMiB);
}

TEST_F(ReadPlannerTest, ASmallBudgetMakesSmallSegments) {
  limits_ = {.window_max = 512 * kKiB, .segment_max = 256 * kKiB};
  size_ = 16 * kMiB;
  for (std::uint64_t at = 0; at < size_; at += 128 * kKiB) {
    read({at, 128 * kKiB});
    if (at > 2 * kMiB) {
      EXPECT_LE(fetched_.total() - read_.total(), 512 * kKiB);
    }
  }
}

TEST_F(ReadPlannerTest, ShortRunsEarnLittle) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  std::uint64_t asked = 0;
  constexpr int runs = 200;
  for (int run = 0; run < runs; ++run) {
    const std::uint64_t from = kMiB + random() % (1000 * 64) * 16 * kKiB;
    read_through(from, from + 64 * kKiB, 16 * kKiB);
    asked += 64 * kKiB;
  }
  EXPECT_LE(fetched_.total(), asked + runs * kUnearned + kBlock);
}

// ---------------------------------------------------------------------------- hosts far and near

constexpr fetch::HostPace kNear{.first_byte = 200us, .rate = 1e9, .settled = true};
constexpr fetch::HostPace kFar{.first_byte = 50ms, .rate = 1e9, .settled = true};
constexpr fetch::HostPace kFarCapped{.first_byte = 50ms, .rate = 25e6, .settled = true};

TEST_F(ReadPlannerTest, ANearHostIsReadAheadByLittleInFewRequests) {
  limits_.segment_max = 15 * kMiB;
  std::uint64_t most_ahead = 0;
  pace_ = kNear;
  for (std::uint64_t at = 0; at < kGiB; at += kMiB) {
    now_ += 1ms;
    read({at, kMiB});
    most_ahead = std::max(most_ahead, fetched_.total() - read_.total());
  }
  EXPECT_LE(most_ahead, 18 * kMiB);
  EXPECT_LE(requests_, 80);
}

TEST_F(ReadPlannerTest, WhoAsksForTheFirstMebibyteGetsMoreThanItEarnedInSeveralRequests) {
  const ReadPlanner::Plan plan = read({0, kMiB});
  EXPECT_GE(plan.ahead.size(), 3u);
  EXPECT_GE(fetched_.total(), 4 * kMiB);
  EXPECT_LE(fetched_.total(), 6 * kMiB);
}

TEST_F(ReadPlannerTest, FromANearHostItGetsWhatItEarned) {
  pace_ = kNear;
  read({0, kMiB});
  EXPECT_LE(fetched_.total(), 2 * kMiB);
}

TEST_F(ReadPlannerTest, AGlanceAtALargeFileOfANearHostFetchesLittle) {
  pace_ = kNear;
  EXPECT_EQ(read({0, 16 * kKiB}).demand, (Extent{0, 256 * kKiB}));
  planner_ = {};
  EXPECT_EQ(planner_.on_read({0, 16 * kKiB}, Found::absent, kFirst, now_, limits_, pace_).demand,
            (Extent{0, kFirst}))
      << "a small file comes whole";
  planner_ = {};
  EXPECT_EQ(planner_.on_read({0, 128 * kKiB}, Found::absent, kGiB, now_, limits_, pace_).demand,
            (Extent{0, kFirst}))
      << "who asks for so much reads on";
  planner_ = {};
  pace_ = kFar;
  EXPECT_EQ(planner_.on_read({0, 16 * kKiB}, Found::absent, kGiB, now_, limits_, pace_).demand,
            (Extent{0, kFirst}))
      << "a second request would cost a round trip";
}

TEST_F(ReadPlannerTest, AReaderThatBeginsSmallReadsOnInFewRequests) {
  pace_ = kNear;
  limits_.segment_max = 15 * kMiB;
  for (std::uint64_t at = 0; at < 64 * kMiB; at += 64 * kKiB) {
    now_ += 50us;
    read({at, 64 * kKiB});
  }
  EXPECT_LE(requests_, 20);
}

TEST_F(ReadPlannerTest, FromADistantOneWhatTheLineBringsInSomeRoundTrips) {
  pace_ = kFarCapped;
  read({0, kMiB});
  EXPECT_GE(fetched_.total(), 5 * kMiB);
  EXPECT_LE(fetched_.total(), 7 * kMiB);  // 4 x 50 ms x 25 MB/s, and what it asked for
  planner_ = {};
  fetched_ = {};
  pace_ = kFar;
  read({0, kMiB});
  EXPECT_GE(fetched_.total(), 13 * kMiB);
  EXPECT_LE(fetched_.total(), 18 * kMiB);
}

TEST_F(ReadPlannerTest, WhatAPathBearsIsNotAskedForAgainWhereItFoundNoRoom) {
  pace_ = kFar;
  read({0, kMiB});
  room_ = false;
  read_through(kMiB, 64 * kMiB, kMiB);
  room_ = true;
  found_ = Found::ready;
  read_through(64 * kMiB, 72 * kMiB, kMiB);
  EXPECT_LE(fetched_.total() - read_.total(), 4 * kMiB);
}

TEST_F(ReadPlannerTest, WhatAPathBearsIsAskedForAsSoonAsItIsKnown) {
  read({0, kMiB});
  pace_ = kFar;
  found_ = Found::ready;  // its first bytes came together with what is known of the path
  now_ += 100ms;
  read({kMiB, kMiB});
  EXPECT_GE(fetched_.total() - read_.total(), 12 * kMiB);
}

// What was asked for within a round trip comes within a moment, then nothing for the rest of it.
TEST_F(ReadPlannerTest, BytesThatComeInBurstsDoNotShrinkTheWindow) {
  pace_ = kFar;
  std::uint64_t come = 0, late = 0;
  for (std::uint64_t at = 0; at < 512 * kMiB; at += kMiB) {
    found_ = at < come ? Found::ready : Found::coming;
    if (at >= come) {
      now_ += kFar.first_byte;
      come = std::max(fetched_.total(), at + kMiB);
    }
    now_ += 10us;
    read({at, kMiB});
    if (at > 256 * kMiB) late = std::max(late, fetched_.total() - read_.total());
  }
  EXPECT_GE(late, 48 * kMiB);
}

TEST_F(ReadPlannerTest, OnlyAtTheBeginningOfAFileIsAnythingUnearned) {
  pace_ = kFar;
  read({100 * kMiB, kMiB});
  EXPECT_LE(fetched_.total(), kMiB);
  read({101 * kMiB, kMiB});
  EXPECT_LE(fetched_.total(), 4 * kMiB);
}

// A reader of a host each of whose connections brings 25 MB/s, as many as there are up to `most`.
TEST_F(ReadPlannerTest, CappedConnectionsAreUsedSideBySideAsLongAsTheyBringMore) {
  limits_.segment_max = 15 * kMiB;
  for (const bool more : {true, false}) {
    planner_ = {};
    fetched_ = read_ = {};
    pace_ = kFarCapped;
    std::uint64_t ahead = 0, late = 0;
    for (std::uint64_t at = 0; at < kGiB; at += kMiB) {
      ahead = fetched_.total() - read_.total();
      const std::uint64_t useful = more ? ahead : std::min(ahead, 8 * kMiB);
      now_ += std::chrono::microseconds(40'000 * kMiB / (kMiB + useful));
      read({at, kMiB});
      if (at > 512 * kMiB) late = std::max(late, ahead);
    }
    if (more)
      EXPECT_GE(late, 32 * kMiB);
    else
      EXPECT_LE(late, 20 * kMiB) << "a window that brought nothing shrinks again";
  }
}

// Who asks the time and then waits for the planner's lock comes with an older one.
TEST_F(ReadPlannerTest, AReadThatWasHeldUpIsNotTakenForAnIdleReader) {
  read_through(0, 64 * kMiB, kMiB);
  const std::uint64_t ahead = fetched_.total() - read_.total();
  ASSERT_GT(ahead, 4 * kMiB);
  now_ -= 5s;
  found_ = Found::ready;  // gives the window no reason to grow
  read_through(64 * kMiB, 96 * kMiB, 128 * kKiB);
  EXPECT_GE(fetched_.total() - read_.total(), ahead / 4 * 3);
}

TEST_F(ReadPlannerTest, ADistantHostIsAskedInQuartersOfTheWindow) {
  pace_ = kFar;
  read_through(0, 64 * kMiB, kMiB);
  for (std::uint64_t at = 64 * kMiB; at < 128 * kMiB; at += kMiB)
    for (const Extent& segment : read({at, kMiB}).ahead) EXPECT_LE(segment.length, 16 * kMiB);
  requests_ = 0;
  read_through(128 * kMiB, 192 * kMiB, kMiB);
  EXPECT_GE(requests_, 4);
}

// Readers of every kind on one file: streams in any step, jumps, random reads, idling, refusals.
TEST_F(ReadPlannerTest, SpeculationIsNeverMoreThanWasEarned) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 50 && !HasFailure(); ++round) {
    planner_ = {};
    fetched_ = {};
    read_ = {};
    size_ = 1 + random() % (1 << (10 + random() % 20));
    pace_ = round % 3 == 0 ? fetch::HostPace{} : round % 3 == 1 ? kNear : kFarCapped;
    const std::uint64_t at_least = 2 * kFirst + 5 * kMiB;
    std::uint64_t runs = 0, at = 0, asked = 0;
    for (int i = 0; i < 2000; ++i) {
      if (random() % 50 == 0 || at >= size_) {
        at = random() % size_;
        ++runs;
      }
      room_ = random() % 8 != 0;
      found_ = random() % 2 == 0 ? Found::ready : Found::coming;
      now_ += std::chrono::milliseconds(random() % 400 == 0 ? 4000 : random() % 10);
      const std::uint64_t length = std::min(1 + random() % (300 * kKiB), size_ - at);
      read({at, length});
      asked += length;
      at += length;
    }
    // Each jump may leave one unearned stretch and the grains at its ends behind.
    EXPECT_LE(fetched_.total(), 2 * asked + runs * (kUnearned + 2 * kGrain) + at_least);
  }
}

}  // namespace
}  // namespace skimfs::fs
