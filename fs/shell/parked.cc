// SPDX-License-Identifier: MIT
#include "fs/shell/parked.h"

#include <cerrno>
#include <utility>

namespace skimfs::fs::shell {

std::shared_ptr<Parked> Parked::park(fuse_req_t request, Asked asked, Replies& replies,
                                     Keeper& keeper) {
  auto parked = std::make_shared<Parked>(Key{}, request, asked, replies, keeper);
  // Arm before anybody else can answer: a reply frees the request.
  replies.on_interrupt(request, &Parked::interrupted, parked.get());
  if (keeper.link(parked)) return parked;
  parked->settle(std::make_error_code(std::errc::operation_canceled));
  return nullptr;
}

void Parked::interrupted(fuse_req_t /*request*/, void* self) noexcept {
  // A share before the exchange: whoever kept the request may let go of it once we have won.
  // Until then it is safe to take one, since a winner disarms, and that waits for us to return.
  auto parked = static_cast<Parked*>(self)->shared_from_this();
  if (parked->win()) parked->keeper_.interrupted(parked);
}

void Parked::work(std::weak_ptr<Operation> behind) noexcept {
  {
    const std::lock_guard lock(mutex_);
    work_ = std::move(behind);
  }
  // Who answered before this may not have seen it.
  if (!open()) abandon_work();
}

std::shared_ptr<Operation> Parked::work_behind() noexcept {
  const std::lock_guard lock(mutex_);
  return work_.lock();
}

void Parked::abandon_work() noexcept {
  std::weak_ptr<Operation> work;
  {
    const std::lock_guard lock(mutex_);
    work.swap(work_);
  }
  if (const auto operation = work.lock()) operation->abandon();
}

void Parked::leave() noexcept {
  replies_.on_interrupt(request_, nullptr, nullptr);
  keeper_.unlink(*this);
}

void Parked::read(const ReadView& view) noexcept {
  if (!win()) return;
  leave();
  replies_.read(request_, view);
}

void Parked::entry(const Node& node) noexcept {
  if (!win()) return;
  leave();
  replies_.entry(request_, node);
}

void Parked::opened(std::shared_ptr<OpenFile> file) noexcept {
  if (!win()) return;
  leave();
  replies_.opened(request_, std::move(file));
}

void Parked::fail(std::error_code why) noexcept {
  if (!win()) return;
  leave();
  replies_.fail(request_, errno_for(why, asked_));
}

void Parked::settle(std::error_code why) noexcept {
  // A share before the exchange: work whose answer comes too late ends, and could not be told.
  const auto work = work_behind();
  if (!win()) return;
  leave();
  if (work && why == std::errc::timed_out) work->overdue();
  replies_.fail(request_, errno_for(why, asked_));
  abandon_work();
}

void Parked::settle_interrupted() noexcept {
  leave();
  replies_.fail(request_, EINTR);
  abandon_work();
}

}  // namespace skimfs::fs::shell
