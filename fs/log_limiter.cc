// SPDX-License-Identifier: MIT
//
// Which log lines are repeats.
#include "fs/log_limiter.h"

#include <algorithm>
#include <utility>

namespace skimfs::fs {

bool LogLimiter::admit(log::Level level, std::string_view event, std::string_view about,
                       TimePoint now) {
  const auto known = std::find_if(windows_.begin(), windows_.end(), [&](const Window& window) {
    return window.repeats.event == event && window.repeats.about == about &&
           now - window.begun < kWindow;
  });
  if (known != windows_.end()) {
    ++known->repeats.suppressed;
    return false;
  }
  if (windows_.size() == kMost) end_oldest();
  windows_.push_back({now, {level, std::string(event), std::string(about), 0}});
  return true;
}

std::vector<LogLimiter::Repeats> LogLimiter::take_ended(TimePoint now) {
  while (!windows_.empty() && now - windows_.front().begun >= kWindow) end_oldest();
  return std::exchange(ended_, {});
}

std::vector<LogLimiter::Repeats> LogLimiter::take_all() {
  while (!windows_.empty()) end_oldest();
  return std::exchange(ended_, {});
}

void LogLimiter::end_oldest() {
  Repeats& oldest = windows_.front().repeats;
  if (oldest.suppressed != 0) ended_.push_back(std::move(oldest));
  windows_.pop_front();
}

}  // namespace skimfs::fs
