// SPDX-License-Identifier: MIT
//
// See older_names.h.
#include "fs/older_names.h"

#include <chrono>
#include <cstddef>
#include <utility>

namespace skimfs::fs {
namespace {

constexpr std::chrono::seconds kKept{
    60};  // as long as a program may take between two parts of a list
constexpr std::chrono::seconds kSettled{1};  // then nothing that was answered before is under way
// Beside the newest, which always has its place.
constexpr std::size_t kMost = 4;
constexpr std::uint64_t kMostBytes = 64u << 20;

void append(std::vector<Inode>& to, const std::vector<Inode>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

void OlderNames::keep(std::shared_ptr<const Catalogue> names, Files::Replaced inodes,
                      fetch::TimePoint now) {
  const std::lock_guard lock(mutex_);
  kept_.push_back({std::move(names), std::move(inodes), now});
  make_room();
}

void OlderNames::make_room() {
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  for (auto each = kept_.rbegin(); each != kept_.rend(); ++each) {
    if (!each->names) continue;
    bytes += each->names->tree().totals().memory;
    if (count > 0 && (count == kMost || bytes > kMostBytes)) each->names.reset();
    if (each->names) ++count;
  }
}

std::shared_ptr<const Catalogue> OlderNames::at(std::uint32_t epoch) const {
  const std::lock_guard lock(mutex_);
  for (const Kept& each : kept_)
    if (each.names && each.names->epoch() == epoch) return each.names;
  return nullptr;
}

Files::Replaced OlderNames::forget(fetch::TimePoint now) {
  Files::Replaced again;
  const std::lock_guard lock(mutex_);
  for (Kept& each : kept_) {
    if (each.told_again || now - each.since < kSettled) continue;
    each.told_again = true;
    append(again.ended, std::exchange(each.inodes.ended, {}));
    append(again.restated, std::exchange(each.inodes.restated, {}));
    append(again.lists, each.inodes.lists);
  }
  while (!kept_.empty() && now - kept_.front().since >= kKept) {
    append(again.lists, kept_.front().inodes.lists);
    kept_.pop_front();
  }
  return again;
}

}  // namespace skimfs::fs
