// SPDX-License-Identifier: MIT
//
// See ranges.h.
#include "fs/ranges.h"

#include <algorithm>

namespace skimfs::fs {

using cache::Extent;

void Ranges::add(Extent bytes) {
  if (bytes.empty()) return;
  const auto first =
      std::lower_bound(runs_.begin(), runs_.end(), bytes.offset,
                       [](const Extent& run, std::uint64_t offset) { return run.end() < offset; });
  auto last = first;
  std::uint64_t begin = bytes.offset, end = bytes.end();
  for (; last != runs_.end() && last->offset <= end; ++last) {
    begin = std::min(begin, last->offset);
    end = std::max(end, last->end());
  }
  runs_.insert(runs_.erase(first, last), {begin, end - begin});
  bound();
}

void Ranges::remove(Extent bytes) {
  if (bytes.empty()) return;
  std::vector<Extent> rest;
  for (const Extent& run : runs_) {
    const std::uint64_t before = std::min(run.end(), bytes.offset);
    const std::uint64_t after = std::max(run.offset, bytes.end());
    if (before > run.offset) rest.push_back({run.offset, before - run.offset});
    if (after < run.end()) rest.push_back({after, run.end() - after});
  }
  runs_.swap(rest);
  bound();
}

bool Ranges::covers(Extent bytes) const noexcept {
  return bytes.empty() || from(bytes.offset).end() >= bytes.end();
}

bool Ranges::touches(Extent bytes) const noexcept {
  return std::any_of(runs_.begin(), runs_.end(), [&](const Extent& run) {
    return run.offset < bytes.end() && bytes.offset < run.end();
  });
}

Extent Ranges::from(std::uint64_t offset) const noexcept {
  for (const Extent& run : runs_)
    if (run.offset <= offset && offset < run.end()) return {offset, run.end() - offset};
  return {offset, 0};
}

void Ranges::bound() {
  while (runs_.size() > kMost)
    runs_.erase(std::min_element(runs_.begin(), runs_.end(), [](const Extent& a, const Extent& b) {
      return a.length < b.length;
    }));
}

}  // namespace skimfs::fs
