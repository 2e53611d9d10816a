// SPDX-License-Identifier: MIT
//
// The states of a breaker.
#include "fetch/breaker.h"

#include <algorithm>

namespace skimfs::fetch {

bool Breaker::admits(TimePoint now) const noexcept {
  return state_ == State::closed || (!trial_out_ && next_trial_ <= now);
}

std::optional<TimePoint> Breaker::next_trial() const noexcept {
  if (state_ == State::closed || trial_out_) return {};
  return next_trial_;
}

bool Breaker::alive(TimePoint now) noexcept {
  const bool doubted = state_ != State::closed;
  state_ = State::closed;
  trusted_ = true;
  trial_out_ = false;
  failures_ = trials_ = 0;
  cause_ = {};
  alive_ = now;
  return doubted;
}

bool Breaker::failed(std::error_code cause, bool trial, TimePoint began, TimePoint now) noexcept {
  // It answered somebody else meanwhile: not the host is silent.
  if (alive_ > began) return false;
  if (failures_++ == 0) since_ = now;
  cause_ = cause;
  trusted_ = false;
  if (state_ == State::closed) {
    if (failures_ < kFailuresToDoubt) return false;
    state_ = State::doubtful;
    spacing_ = kFirstSpacing;
    next_after(now);
    return true;
  }
  if (!trial) return false;  // began before the doubt
  trial_out_ = false;
  ++trials_;
  next_after(now);
  if (state_ == State::open || trials_ < kTrialsToOpen || now - since_ < kDoubt) return false;
  state_ = State::open;
  ++opened_;
  return true;
}

void Breaker::reset(TimePoint now) noexcept {
  alive(now);
  trusted_ = false;
}

void Breaker::next_after(TimePoint now) noexcept {
  next_trial_ = now + spacing_;
  spacing_ = std::min<Duration>(2 * spacing_, kLongestSpacing);
}

const char* word(Breaker::State state) noexcept {
  switch (state) {
    case Breaker::State::closed:
      return "closed";
    case Breaker::State::doubtful:
      return "doubtful";
    case Breaker::State::open:
      return "open";
  }
  return "?";
}

}  // namespace skimfs::fetch
