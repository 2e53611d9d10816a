// SPDX-License-Identifier: MIT
#include "fs/steps.h"

#include <algorithm>

namespace skimfs::fs {
namespace {

constexpr unsigned kEqual = 3;           // so many equal steps are no chance
constexpr std::uint64_t kFarthest = 16;  // steps named ahead

}  // namespace

std::vector<cache::Extent> Steps::on_step(cache::Extent bytes, std::uint64_t before,
                                          std::uint64_t size, std::uint64_t most) {
  const bool first = length_ == 0;
  const auto step = first ? 0 : static_cast<std::int64_t>(bytes.offset - start_);
  const bool same = step == step_ && step != 0;
  equal_ = same ? equal_ + 1 : 1;
  length_ = same ? std::max({length_, before, bytes.length}) : bytes.length;
  planned_ = same && planned_ > 0 ? planned_ - 1 : 0;
  step_ = step;
  start_ = bytes.offset;

  std::vector<cache::Extent> next;
  const std::uint64_t wide = step < 0 ? -static_cast<std::uint64_t>(step) : std::uint64_t(step);
  if (equal_ < kEqual || length_ > wide) return next;
  const std::uint64_t steps = std::min({std::uint64_t{equal_}, kFarthest, most / length_});
  while (planned_ < steps) {
    const std::uint64_t way = (planned_ + 1) * wide;
    if (step < 0 ? way > start_ : way >= size - start_) break;
    const std::uint64_t at = step < 0 ? start_ - way : start_ + way;
    next.push_back({at, std::min(length_, size - at)});
    ++planned_;
  }
  return next;
}

}  // namespace skimfs::fs
