// SPDX-License-Identifier: MIT
#include "fs/memory_plan.h"

#include <algorithm>

namespace skimfs::fs {

MemoryPlan plan_memory(std::uint64_t memory, unsigned connections) noexcept {
  constexpr std::size_t kLargest = 256 * 1024;
  constexpr std::size_t kSmallest = 16 * 1024;  // CURL_MAX_WRITE_SIZE
  const std::uint64_t share = memory / 4;

  MemoryPlan plan;
  plan.connections = static_cast<unsigned>(std::min<std::uint64_t>(connections, share / kSmallest));
  plan.receive_buffer = kLargest;
  while (plan.receive_buffer > kSmallest && plan.receive_buffer * plan.connections > share)
    plan.receive_buffer /= 2;
  plan.cache = memory - plan.receive_buffer * plan.connections;
  return plan;
}

bool MemoryWatch::crossed(std::uint64_t resident) noexcept {
  if (resident < above_ / 10 * 9) told_ = false;
  if (told_ || resident <= above_) return false;
  told_ = true;
  return true;
}

}  // namespace skimfs::fs
