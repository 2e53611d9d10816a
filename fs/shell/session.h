// SPDX-License-Identifier: MIT
//
// The conversation with the kernel: libfuse's session and the threads that serve it.
//
// The owner's thread calls, but for forget_*().  A worker is blocked only in reading
// /dev/fuse, and a signal that nothing else receives gets it out of there.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "fs/shell/fuse.h"
#include "fs/shell/fuse_ops.h"
#include "fs/shell/late_interrupts.h"

namespace skimfs::fs::shell {

class Session {
 public:
  // `device`: an open, mounted /dev/fuse; the session closes it.  Throws std::system_error.
  Session(int device, Served& served);
  ~Session();  // as stop()

  // Answers the kernel's first request, FUSE_INIT, on this thread; only then does the mount answer
  // anybody.  Throws MountError.
  void shake_hands(std::chrono::milliseconds at_most);

  // Starts the workers.  `ended` is called once, on one of them, when the kernel has ended the
  // session: unmounted, or aborted.  Throws std::system_error.
  void start(unsigned workers, std::function<void()> ended);
  // The kernel forgets what it believes of the inode's attributes; of a directory or link also the
  // list or target, of a file its pages.  Any thread, after shake_hands().  May wait for an inode
  // that the kernel is about to drop, and for pages that are being read.
  void forget_attributes(Inode inode) noexcept;
  void forget_contents(Inode inode) noexcept;

  // Ends and joins the workers.  What the kernel asks from then on is not answered.
  void stop() noexcept;
  // Closes its /dev/fuse, for good.  After stop(), and once nobody calls forget_*() any more.
  void disconnect() noexcept { session_.reset(); }

 private:
  struct Destroy {
    void operator()(fuse_session* session) const noexcept { fuse_session_destroy(session); }
  };

  void serve(const std::function<void()>& ended);

  std::unique_ptr<fuse_session, Destroy> session_;
  LateInterrupts late_interrupts_;

  std::mutex mutex_;
  std::condition_variable one_less_;
  unsigned running_ = 0;       // workers; guarded by mutex_
  bool stopping_ = false;      // guarded by mutex_
  bool end_was_told_ = false;  // guarded by mutex_

  std::vector<std::thread> workers_;
};

}  // namespace skimfs::fs::shell
