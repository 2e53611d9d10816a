// SPDX-License-Identifier: MIT
//
// Keeps every unanswered request: answers it in time when nobody else does.
//
// Any thread, except where a function says otherwise.  The lock is a leaf: requests are settled
// with no lock held, on the keeper's own thread or on that of settle_all().
#pragma once

#include <condition_variable>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "fetch/clock.h"

namespace skimfs::fs::shell {

class Keeper {
 public:
  // One unanswered request as the keeper sees it.
  class Kept {
   public:
    Kept();
    Kept(const Kept&) = delete;
    Kept& operator=(const Kept&) = delete;
    virtual ~Kept() = default;

    virtual bool open() const noexcept = 0;  // nobody has answered yet
    // Answers with this failure, unless somebody else has answered or is about to.
    virtual void settle(std::error_code why) noexcept = 0;
    // Answers EINTR: the interrupt, which may not reply itself, has won already.
    virtual void settle_interrupted() noexcept = 0;

   private:
    friend class Keeper;
    // All guarded by the keeper's mutex_.
    std::list<std::shared_ptr<Kept>> node_;  // spliced into kept_ and back: linking cannot fail
    bool linked_ = false;
    std::list<std::shared_ptr<Kept>>::iterator place_;
    fetch::TimePoint since_;
    std::shared_ptr<Kept> next_interrupted_;
  };

  struct Gauge {
    std::size_t kept = 0;
    fetch::Duration oldest{};   // age; zero when nothing is kept
    fetch::Duration longest{};  // the greatest age so far, of those answered too
  };

  // `patience`: a request older than this fails with timed_out.
  Keeper(const fetch::Clock& clock, fetch::Duration patience) noexcept;
  ~Keeper();  // as stop()

  // Starts the thread.  Without it (tests) tick() does all the work.
  void start();
  // Ends and joins the thread.  What is still kept stays unanswered: settle_all() first.
  void stop() noexcept;

  // Keeps the request until it is unlinked or settled.  false: it is answered already, or
  // settle_all() has been called and it must be settled by the caller.
  bool link(const std::shared_ptr<Kept>& request) noexcept;
  // Its winner lets go of it.
  void unlink(Kept& request) noexcept;
  // Called once for a request, from libfuse's interrupt callback: returns at once.
  void interrupted(std::shared_ptr<Kept> request) noexcept;

  // Answers all that is kept with operation_canceled and refuses everything from now on.
  void settle_all() noexcept;

  // Answers what was interrupted and what is overdue.  Result: until the next look is due.
  fetch::Duration tick() noexcept;

  Gauge gauge() const noexcept;

 private:
  using Requests = std::list<std::shared_ptr<Kept>>;

  void run() noexcept;
  Requests take_overdue() noexcept;
  void note_left(Kept& request, fetch::TimePoint now) noexcept;  // with mutex_ held

  const fetch::Clock& clock_;
  const fetch::Duration patience_;

  mutable std::mutex mutex_;
  std::condition_variable news_;
  // Guarded by mutex_.
  Requests kept_;  // oldest first, and since all have the same patience, next due first
  std::shared_ptr<Kept> interrupted_;  // a list through next_interrupted_
  fetch::Duration longest_{};
  bool refusing_ = false;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace skimfs::fs::shell
