// SPDX-License-Identifier: MIT
//
// Which log lines are repeats: a pair (event, about) is told once in a window, the rest is counted.
//
// Not synchronised: the caller's lock guards it.  Time comes in from outside.  No count is lost:
// what was suppressed comes back from take_ended() once its window is over.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "fs/log.h"

namespace skimfs::fs {

class LogLimiter {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // 10 s: a person sees what goes on; a server that fails 1000 times a second costs 6 lines a
  // minute.
  static constexpr std::chrono::seconds kWindow{10};
  // Pairs remembered at once; beyond, the oldest window ends early.
  static constexpr std::size_t kMost = 256;

  struct Repeats {
    log::Level level = log::Level::info;
    std::string event, about;
    std::uint64_t suppressed = 0;
  };

  // True: tell it.  False: counted.
  bool admit(log::Level level, std::string_view event, std::string_view about, TimePoint now);

  // The pairs with something suppressed whose window is over at `now`, oldest first; each once.
  std::vector<Repeats> take_ended(TimePoint now);
  // The same for all windows, over or not.
  std::vector<Repeats> take_all();

 private:
  struct Window {
    TimePoint begun;
    Repeats repeats;
  };

  void end_oldest();

  std::deque<Window> windows_;  // oldest first, as all are equally long
  std::vector<Repeats> ended_;  // by kMost, not yet taken
};

}  // namespace skimfs::fs
