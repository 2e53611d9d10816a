// SPDX-License-Identifier: MIT
//
// See mirror_choice.h.
#include "fetch/mirror_choice.h"

#include <algorithm>
#include <tuple>

namespace skimfs::fetch {
namespace {

// What a reader would hardly notice, and a measurement hardly tell.
constexpr std::chrono::milliseconds kUnnoticed{20};

auto trouble(const Prospect& prospect) noexcept {
  return std::tuple(prospect.failures, prospect.ailing, prospect.doubtful);
}

bool much_slower(Duration expected, Duration fastest) noexcept {
  return expected > 2 * fastest + kUnnoticed;
}

}  // namespace

std::optional<Choice> choose(std::span<const Prospect> prospects, TimePoint now) noexcept {
  const auto ready = [now](const Prospect& each) { return !each.out && each.ready <= now; };
  const Prospect* best = nullptr;   // with the least trouble
  const Prospect* first = nullptr;  // to be ready, when none is
  for (const Prospect& each : prospects) {
    if (each.out) continue;
    if (!first || each.ready < first->ready) first = &each;
    if (ready(each) && (!best || trouble(each) < trouble(*best))) best = &each;
  }
  const auto place = [&](const Prospect& each) {
    return static_cast<std::size_t>(&each - prospects.data());
  };
  if (!first) return std::nullopt;
  if (!best) return Choice{place(*first), first->ready};

  const auto equal = [&](const Prospect& each) {
    return ready(each) && trouble(each) == trouble(*best);
  };
  Duration fastest = Duration::max();
  for (const Prospect& each : prospects)
    if (equal(each) && each.expected) fastest = std::min(fastest, *each.expected);
  for (const Prospect& each : prospects)
    if (equal(each) && (!each.expected || !much_slower(*each.expected, fastest)))
      return Choice{place(each), now};
  return Choice{place(*best), now};
}

std::optional<std::size_t> much_sooner(std::span<const Prospect> prospects, Duration left,
                                       TimePoint now) noexcept {
  const auto better = std::ranges::find_if(prospects, [&](const Prospect& each) {
    return !each.out && each.ready <= now && trouble(each) == trouble({}) && each.expected &&
           much_slower(left, *each.expected);
  });
  if (better == prospects.end()) return std::nullopt;
  return static_cast<std::size_t>(better - prospects.begin());
}

bool worth_comparing(std::optional<Duration> expected) noexcept {
  return expected && much_slower(*expected, Duration::zero());
}

}  // namespace skimfs::fetch
