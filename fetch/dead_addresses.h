// SPDX-License-Identifier: MIT
//
// Addresses that did not answer where another of the same name did.
//
// libcurl tries the addresses of a name in their order and gives a silent one half of the time for
// connecting, on every new connection; so the silent one is remembered.  Pure; the lane's thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "fetch/clock.h"

namespace skimfs::fetch {

class DeadAddresses {
 public:
  // Then it is tried again.
  static constexpr std::chrono::minutes kTime{5};
  static constexpr std::size_t kMost = 256;

  // `address`: in digits, without port.
  void add(std::string_view address, TimePoint now);
  void remove(std::string_view address) noexcept;
  void clear() noexcept { until_.clear(); }

  bool contains(std::string_view address, TimePoint now) const noexcept;

 private:
  std::map<std::string, TimePoint, std::less<>> until_;
};

}  // namespace skimfs::fetch
