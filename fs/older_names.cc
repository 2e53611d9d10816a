// SPDX-License-Identifier: MIT
//
// See older_names.h.
#include "fs/older_names.h"

#include <chrono>
#include <utility>

namespace skimfs::fs {
namespace {

constexpr std::chrono::seconds kKept{
    60};  // as long as a program may take between two parts of a list
constexpr std::chrono::seconds kSettled{1};  // then nothing that was answered before is under way
constexpr std::uint64_t kMostBytes = 64u << 20;  // of all; the latest is kept whatever it takes

}  // namespace

void OlderNames::keep(std::shared_ptr<const Catalogue> names, fetch::TimePoint now) {
  const std::lock_guard lock(mutex_);
  kept_.push_back({.names = std::move(names), .since = now});
  make_room();
}

void OlderNames::make_room() {
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  for (auto each = kept_.rbegin(); each != kept_.rend(); ++each) {
    if (!each->names) continue;
    bytes += each->names->memory();
    if (count > 0 && (count == kMost || bytes > kMostBytes)) each->names.reset();
    if (each->names) ++count;
  }
}

void OlderNames::told(Inodes inodes) noexcept {
  const std::lock_guard lock(mutex_);
  kept_.back().inodes = std::move(inodes);
}

std::vector<OlderNames::Inodes> OlderNames::forget(fetch::TimePoint now) {
  std::vector<Inodes> again;
  const std::lock_guard lock(mutex_);
  again.reserve(2 * kept_.size());  // nothing fails once something is marked
  for (Kept& each : kept_) {
    if (each.told_again || !each.inodes || now - each.since < kSettled) continue;
    again.push_back(each.inodes);
    each.told_again = true;
  }
  while (!kept_.empty() && now - kept_.front().since >= kKept) {
    if (kept_.front().inodes) again.push_back(kept_.front().inodes);
    kept_.pop_front();
  }
  return again;
}

}  // namespace skimfs::fs
