// SPDX-License-Identifier: MIT
#include "fs/shell/keeper.h"

#include <algorithm>
#include <utility>

namespace skimfs::fs::shell {

Keeper::Kept::Kept() : node_(1) {}

Keeper::Keeper(const fetch::Clock& clock, fetch::Duration patience) noexcept
    : clock_(clock), patience_(patience) {}

Keeper::~Keeper() { stop(); }

void Keeper::start() {
  thread_ = std::thread([this] { run(); });
}

void Keeper::stop() noexcept {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  news_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Keeper::link(const std::shared_ptr<Kept>& request) noexcept {
  const std::lock_guard lock(mutex_);
  // Its winner unlinks after it has closed the answer: either it sees linked_, or we see it closed.
  if (refusing_ || !request->open()) return false;
  request->since_ = clock_.now();
  request->node_.front() = request;
  request->place_ = request->node_.begin();
  kept_.splice(kept_.end(), request->node_);
  request->linked_ = true;
  return true;
}

void Keeper::unlink(Kept& request) noexcept {
  std::shared_ptr<Kept> last;  // released after the lock: it may be the last reference
  const fetch::TimePoint now = clock_.now();
  const std::lock_guard lock(mutex_);
  if (!request.linked_) return;
  note_left(request, now);
  last = std::move(*request.place_);
  request.node_.splice(request.node_.begin(), kept_, request.place_);
}

void Keeper::interrupted(std::shared_ptr<Kept> request) noexcept {
  {
    const std::lock_guard lock(mutex_);
    request->next_interrupted_ = std::move(interrupted_);
    interrupted_ = std::move(request);
  }
  news_.notify_all();
}

void Keeper::settle_all() noexcept {
  Requests all;
  {
    const fetch::TimePoint now = clock_.now();
    const std::lock_guard lock(mutex_);
    refusing_ = true;
    all.swap(kept_);
    for (const auto& request : all) note_left(*request, now);
  }
  for (const auto& request : all)
    request->settle(std::make_error_code(std::errc::operation_canceled));
}

Keeper::Requests Keeper::take_overdue() noexcept {
  Requests overdue;
  const fetch::TimePoint now = clock_.now();
  const std::lock_guard lock(mutex_);
  auto end = kept_.begin();
  for (; end != kept_.end() && (*end)->since_ + patience_ <= now; ++end) note_left(**end, now);
  overdue.splice(overdue.begin(), kept_, kept_.begin(), end);
  return overdue;
}

void Keeper::note_left(Kept& request, fetch::TimePoint now) noexcept {
  request.linked_ = false;
  longest_ = std::max(longest_, now - request.since_);
}

fetch::Duration Keeper::tick() noexcept {
  std::shared_ptr<Kept> interrupted;
  {
    const std::lock_guard lock(mutex_);
    interrupted.swap(interrupted_);
  }
  while (interrupted) {
    std::shared_ptr<Kept> next = std::move(interrupted->next_interrupted_);
    interrupted->settle_interrupted();
    interrupted = std::move(next);
  }
  for (const auto& request : take_overdue())
    request->settle(std::make_error_code(std::errc::timed_out));

  const std::lock_guard lock(mutex_);
  if (interrupted_) return fetch::Duration::zero();
  // What is linked while the keeper sleeps is due a whole patience later, so nobody must wake it.
  return kept_.empty() ? patience_ : kept_.front()->since_ + patience_ - clock_.now();
}

Keeper::Gauge Keeper::gauge() const noexcept {
  const std::lock_guard lock(mutex_);
  if (kept_.empty()) return {0, {}, longest_};
  const fetch::Duration oldest = clock_.now() - kept_.front()->since_;
  return {kept_.size(), oldest, std::max(longest_, oldest)};
}

void Keeper::run() noexcept {
  for (;;) {
    const fetch::Duration pause = tick();
    std::unique_lock lock(mutex_);
    news_.wait_for(lock, pause, [this] { return stopping_ || interrupted_; });
    if (stopping_) return;
  }
}

}  // namespace skimfs::fs::shell
