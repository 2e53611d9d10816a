// SPDX-License-Identifier: MIT
#include "fs/shell/kept_lists.h"

#include <algorithm>

namespace skimfs::fs::shell {

void KeptLists::given(Inode directory) {
  const fetch::TimePoint now = clock_.now();
  const std::lock_guard lock(mutex_);
  if (lists_.size() == kMost) lists_.pop_front();
  lists_.push_back({directory, now});
}

std::vector<Inode> KeptLists::take_outlived() {
  const fetch::TimePoint latest = clock_.now() - FileSystem::kNameTimeout;
  std::vector<Inode> outlived;
  const std::lock_guard lock(mutex_);
  const auto end =
      std::ranges::find_if(lists_, [latest](const List& list) { return list.since > latest; });
  outlived.reserve(static_cast<std::size_t>(end - lists_.begin()));  // all that may fail
  for (auto list = lists_.begin(); list != end; ++list) outlived.push_back(list->directory);
  lists_.erase(lists_.begin(), end);
  return outlived;
}

}  // namespace skimfs::fs::shell
