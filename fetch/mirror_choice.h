// SPDX-License-Identifier: MIT
//
// Which of an object's sources is asked next?  Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "fetch/clock.h"

namespace skimfs::fetch {

// One source as an order sees it now.
struct Prospect {
  bool out = false;                       // of no use for this order
  TimePoint ready{};                      // not before, for this order
  unsigned failures = 0;                  // in this order
  bool ailing = false;                    // its host failed lately, or asked to be left in peace
  bool doubtful = false;                  // lately it did not have this version
  std::optional<Duration> expected = {};  // how long the request would take there; empty: not known
};

struct Choice {
  std::size_t source;
  TimePoint at;  // now, or later when every source must be left in peace until then
};

// Sources with which less went wrong come first: in this order, then at their hosts, then with this
// version.  Among equals the first that is not much slower than the fastest: preference decides
// unless speed speaks clearly.  Empty when all are out.
//
// `prospects`: preferred first.
std::optional<Choice> choose(std::span<const Prospect> prospects, TimePoint now) noexcept;

// Which source would bring much sooner what takes `left` where it is?  Only of those with which
// nothing went wrong and whose speed is known.
std::optional<std::size_t> much_sooner(std::span<const Prospect> prospects, Duration left,
                                       TimePoint now) noexcept;

// Could another source be so much faster than this one that it would be chosen?
bool worth_comparing(std::optional<Duration> expected) noexcept;

}  // namespace skimfs::fetch
