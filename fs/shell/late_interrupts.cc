// SPDX-License-Identifier: MIT
#include "fs/shell/late_interrupts.h"

#include <linux/fuse.h>

#include <algorithm>

namespace skimfs::fs::shell {

void LateInterrupts::received(const fuse_buf& request) noexcept {
  if (static_cast<const fuse_in_header*>(request.mem)->opcode == FUSE_INTERRUPT)
    received_.fetch_add(1, std::memory_order_relaxed);
}

// A request that asks for nothing, to forget no inodes, takes one interrupt along.  Most of those
// received are kept no more, and nobody says how many are: each request since took one, so hardly
// more than there were requests waiting at once.
void LateInterrupts::release(fuse_session* session) noexcept {
  for (std::uint64_t left = std::min(received_.exchange(0), kMost); left > 0; --left) {
    struct {
      fuse_in_header header = {};
      fuse_batch_forget_in forget = {};
    } nothing;
    nothing.header.len = sizeof nothing;
    nothing.header.opcode = FUSE_BATCH_FORGET;
    fuse_buf request = {};
    request.mem = &nothing;
    request.size = sizeof nothing;
    fuse_session_process_buf(session, &request);
  }
}

}  // namespace skimfs::fs::shell
