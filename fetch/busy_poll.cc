// SPDX-License-Identifier: MIT
//
// See busy_poll.h.
#include "fetch/busy_poll.h"

#include <algorithm>

namespace skimfs::fetch {
namespace {

// Looks from here on.  A wait that was short adds one, one that was not halves: looking goes on
// past an exception, and ends where less than two of three waits are short.
constexpr unsigned kEnough = 4;
constexpr unsigned kMost = 8;
// Who slept was woken late, by about as much as is looked for.
constexpr Duration kSleptShortly = 2 * BusyPoll::kLook;

std::uint64_t counted(std::uint64_t wants) noexcept {
  return std::min(wants, BusyPoll::kBrief + 1);
}

}  // namespace

void BusyPoll::started(std::uint64_t wants) noexcept {
  ++running_;
  wanted_ += counted(wants);
  judge();
}

void BusyPoll::ended(std::uint64_t wants) noexcept {
  --running_;
  wanted_ -= counted(wants);
  if (running_ > 0) judge();
}

TimePoint BusyPoll::look_until(TimePoint now) noexcept {
  kind_ = running_ > 0 ? for_answer : for_order;
  began_ = now;
  looking_ = spare_ && brief_ && trust_[kind_] >= kEnough;
  return looking_ ? now + kLook : now;
}

void BusyPoll::waited(TimePoint now) noexcept {
  if (!brief_) return;
  unsigned& trust = trust_[kind_];
  const bool brief = now - began_ <= (looking_ ? kLook : kSleptShortly);
  trust = brief ? std::min(trust + 1, kMost) : trust / 2;
}

}  // namespace skimfs::fetch
