// SPDX-License-Identifier: MIT
//
// Interrupts that come once their request has been answered.
//
// libfuse keeps such a FUSE_INTERRUPT, in case its request is still to come, hands one back with
// each other request that comes, and does not free what is left with the session (3.14,
// check_interrupt() and fuse_session_destroy(); asked about in its pull request 1522).
#pragma once

#include <atomic>
#include <cstdint>

#include "fs/shell/fuse.h"

namespace skimfs::fs::shell {

class LateInterrupts {
 public:
  // A whole request, as it was received.  Any thread.
  void received(const fuse_buf& request) noexcept;
  // Has libfuse free what it keeps, up to kMost of them; the rest goes with the process.  No other
  // thread may serve the session.
  static constexpr std::uint64_t kMost = 1u << 16;
  void release(fuse_session* session) noexcept;

 private:
  std::atomic<std::uint64_t> received_{0};  // no fewer than are kept
};

}  // namespace skimfs::fs::shell
