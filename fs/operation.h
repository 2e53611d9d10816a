// SPDX-License-Identifier: MIT
//
// Work that somebody may lose interest in.
#pragma once

namespace skimfs::fs {

struct Operation {
  // The program is being told that its time is over; abandon() follows.  Any thread, no lock held;
  // may come beside the work's own end.
  virtual void overdue() noexcept {}
  // Its answer has been given by somebody else (interrupt, deadline, stop): let go of everything.
  // Any thread, no lock held; may come before, during or after the work ends.
  virtual void abandon() noexcept = 0;
  virtual ~Operation() = default;
};

}  // namespace skimfs::fs
