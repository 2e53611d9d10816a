// SPDX-License-Identifier: MIT
#include "fs/memory_plan.h"

#include <algorithm>

namespace skimfs::fs {

MemoryPlan plan_memory(std::uint64_t memory, unsigned connections) noexcept {
  const std::uint64_t paid = memory / 4 / MemoryPlan::kConnection;
  MemoryPlan plan;
  plan.connections = static_cast<unsigned>(std::min<std::uint64_t>(connections, paid));
  plan.cache = memory - plan.connections * MemoryPlan::kConnection;
  return plan;
}

bool MemoryWatch::crossed(std::uint64_t resident) noexcept {
  if (resident < above_ / 10 * 9) told_ = false;
  if (told_ || resident <= above_) return false;
  told_ = true;
  return true;
}

}  // namespace skimfs::fs
