// SPDX-License-Identifier: MIT
//
// One request that waits for bytes, and the race to answer it.
//
// Completion, interrupt, deadline and shutdown may all want to answer.  Each begins with one atomic
// exchange; who wins it alone may touch the request.  libfuse runs the interrupt callback under the
// request's own mutex and unlocks that afterwards, so the callback never replies: it wins, and the
// keeper replies (lib/fuse_lowlevel.c: fuse_req_interrupt_func, find_interrupted; 3.14.0).
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <system_error>
#include <utility>

#include "fs/answer.h"
#include "fs/errno_map.h"
#include "fs/shell/keeper.h"
#include "fs/shell/replies.h"

namespace skimfs::fs::shell {

// Any thread.  The keeper owns it until it is answered.
class Parked final : public Answer,
                     public Keeper::Kept,
                     public std::enable_shared_from_this<Parked> {
  struct Key {};

 public:
  // Takes over the request: armed, kept, and answered by someone from here on.  Empty: it was
  // interrupted at once or the mount is stopping, and no work must be started for it.
  // Throws std::bad_alloc, and then the request is still the caller's.
  static std::shared_ptr<Parked> park(fuse_req_t request, Asked asked, Replies& replies,
                                      Keeper& keeper);

  Parked(Key, fuse_req_t request, Asked asked, Replies& replies, Keeper& keeper) noexcept
      : request_(request), asked_(asked), replies_(replies), keeper_(keeper) {}

  // Answer
  bool open() const noexcept override { return !answered_.load(); }
  void work(std::weak_ptr<Operation> behind) noexcept override;
  void read(const ReadView& view) noexcept override;
  void entry(const Node& node) noexcept override;
  void opened(std::shared_ptr<OpenFile> file) noexcept override;
  void fail(std::error_code why) noexcept override;

  // Keeper::Kept
  void settle(std::error_code why) noexcept override;
  void settle_interrupted() noexcept override;

 private:
  static void interrupted(fuse_req_t request, void* self) noexcept;

  bool win() noexcept { return !answered_.exchange(true); }
  // The winner's first step.  Disarming takes the request's mutex, so once it is done no interrupt
  // callback holds our pointer any more.
  void leave() noexcept;
  // Empty: none was named, or it has ended.
  std::shared_ptr<Operation> work_behind() noexcept;
  void abandon_work() noexcept;  // once

  const fuse_req_t request_;
  const Asked asked_;
  Replies& replies_;
  Keeper& keeper_;

  std::atomic<bool> answered_{false};

  std::mutex mutex_;
  std::weak_ptr<Operation> work_;  // guarded by mutex_
};

}  // namespace skimfs::fs::shell
