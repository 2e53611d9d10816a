// SPDX-License-Identifier: MIT
#include "fs/shell/kept_lists.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace skimfs::fs::shell {
namespace {

constexpr std::chrono::seconds kOnItsWay{1};

}  // namespace

KeptLists::Described KeptLists::given(Inode directory, bool large) {
  const fetch::TimePoint now = clock_.now();
  const std::lock_guard lock(mutex_);
  if (lists_.size() == kMost) drop_oldest();
  lists_.push_back({directory, now});
  if (!large || now < described_until_) {
    silent_.erase(directory);
    return Described::all;
  }
  const bool sample = now >= sampled_until_;
  silent_.insert_or_assign(directory, Silent{now, sample, 0, 0});
  return sample ? Described::sample : Described::none;
}

bool KeptLists::describes_rest(Inode directory) const noexcept {
  const fetch::TimePoint now = clock_.now();
  const std::lock_guard lock(mutex_);
  if (now < described_until_) return true;
  const auto list = silent_.find(directory);
  return list != silent_.end() && list->second.sample;
}

void KeptLists::sampled() noexcept {
  const fetch::TimePoint now = clock_.now();
  const std::lock_guard lock(mutex_);
  sampled_until_ = now + FileSystem::kNameTimeout;
}

bool KeptLists::looked_up(Inode directory, Inode file) noexcept {
  const fetch::TimePoint now = clock_.now();
  const std::lock_guard lock(mutex_);
  const auto list = silent_.find(directory);
  if (list == silent_.end() || std::exchange(list->second.last, file) == file) return false;
  if (++list->second.lookups != kLeftOut) return false;
  described_until_ = now + FileSystem::kNameTimeout;
  return true;
}

std::vector<Inode> KeptLists::take_useless() {
  const fetch::TimePoint now = clock_.now();
  std::vector<Inode> useless;
  const std::lock_guard lock(mutex_);
  const auto outlived = std::ranges::find_if(
      lists_,
      [latest = now - FileSystem::kNameTimeout](const List& list) { return list.since > latest; });
  const bool described = now < described_until_;
  useless.reserve(static_cast<std::size_t>(outlived - lists_.begin()) +
                  (described ? silent_.size() : 0));  // all that may fail
  for (auto left = outlived - lists_.begin(); left > 0; --left) {
    useless.push_back(lists_.front().directory);
    drop_oldest();
  }
  if (described) {
    for (const auto& [directory, list] : silent_)
      if (!list.sample) useless.push_back(directory);
    // What was given a moment ago may not have reached the kernel yet: those are named once more.
    std::erase_if(silent_, [&](const auto& list) { return now - list.second.since > kOnItsWay; });
  }
  return useless;
}

void KeptLists::drop_oldest() noexcept {
  const List& oldest = lists_.front();
  const auto silent = silent_.find(oldest.directory);
  if (silent != silent_.end() && silent->second.since == oldest.since) silent_.erase(silent);
  lists_.pop_front();
}

}  // namespace skimfs::fs::shell
