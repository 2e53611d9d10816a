// SPDX-License-Identifier: MIT
//
// See dead_addresses.h.
#include "fetch/dead_addresses.h"

#include <algorithm>

namespace skimfs::fetch {

void DeadAddresses::add(std::string_view address, TimePoint now) {
  std::erase_if(until_, [now](const auto& entry) { return entry.second <= now; });
  if (until_.size() >= kMost)
    until_.erase(
        std::ranges::min_element(until_, {}, [](const auto& entry) { return entry.second; }));
  until_.insert_or_assign(std::string(address), now + kTime);
}

void DeadAddresses::remove(std::string_view address) noexcept {
  const auto found = until_.find(address);
  if (found != until_.end()) until_.erase(found);
}

bool DeadAddresses::contains(std::string_view address, TimePoint now) const noexcept {
  const auto found = until_.find(address);
  return found != until_.end() && now < found->second;
}

}  // namespace skimfs::fetch
