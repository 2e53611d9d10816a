// SPDX-License-Identifier: MIT
//
// How several lanes share the hosts and the sockets of one fetcher.
//
// A host is at home in one lane, which asks it for all objects that name it first.  The others meet
// it where a redirect or a mirror leads, with few sockets.  Added up, no cap is exceeded.  Pure.
#pragma once

#include <string_view>

namespace skimfs::fetch {

// Always the same one; below `lanes`.
unsigned home_lane(std::string_view host_port, unsigned lanes) noexcept;

// Of all sockets, those of one lane: at least one each where lanes <= connections.
unsigned connections_of(unsigned lane, unsigned lanes, unsigned connections) noexcept;

// Of a host's `cap`, what a lane has: at least one each where lanes <= cap, and three quarters at
// home where that leaves one for each of the others.
unsigned share_of_host(unsigned cap, unsigned lanes, bool at_home) noexcept;

// How many sockets one lane may have to each host.
class HostCaps {
 public:
  HostCaps(unsigned cap) noexcept : home_(cap), abroad_(cap) {}  // of the only lane
  HostCaps(unsigned lane, unsigned lanes, unsigned connections, unsigned connections_per_host);

  unsigned of(std::string_view host_port) const noexcept {
    return lanes_ == 1 || home_lane(host_port, lanes_) == lane_ ? home_ : abroad_;
  }
  unsigned largest() const noexcept { return home_; }

 private:
  unsigned lane_ = 0, lanes_ = 1;
  unsigned home_, abroad_;
};

}  // namespace skimfs::fetch
