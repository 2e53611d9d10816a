// SPDX-License-Identifier: MIT
//
// See sharding.h.
#include "fetch/sharding.h"

#include <algorithm>
#include <cstdint>

namespace skimfs::fetch {

// FNV-1a of 64 bits; its low bits alone hardly depend on the first characters.
unsigned home_lane(std::string_view host_port, unsigned lanes) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : host_port) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return static_cast<unsigned>((hash ^ hash >> 32) % lanes);
}

unsigned connections_of(unsigned lane, unsigned lanes, unsigned connections) noexcept {
  return connections / lanes + (lane < connections % lanes ? 1 : 0);
}

unsigned share_of_host(unsigned cap, unsigned lanes, bool at_home) noexcept {
  if (lanes == 1) return cap;
  const unsigned others = lanes - 1;
  const unsigned abroad = std::max(cap / 4 / others, 1u);
  return at_home ? cap - abroad * others : abroad;
}

HostCaps::HostCaps(unsigned lane, unsigned lanes, unsigned connections,
                   unsigned connections_per_host)
    : lane_(lane), lanes_(lanes) {
  const unsigned most = connections_of(lane, lanes, connections);
  home_ = std::min(share_of_host(connections_per_host, lanes, true), most);
  abroad_ = std::min(share_of_host(connections_per_host, lanes, false), most);
}

}  // namespace skimfs::fetch
