// SPDX-License-Identifier: MIT
//
// See probe_width.h.
#include "fs/probe_width.h"

#include <algorithm>

namespace skimfs::fs {

std::uint64_t ProbeWidth::next() noexcept {
  if (account_ == 0) return 1;
  return account_-- > kFree ? kWidest : kNarrow;
}

void ProbeWidth::was_read() noexcept { account_ = std::min(account_ + kPaid, kMost); }

}  // namespace skimfs::fs
