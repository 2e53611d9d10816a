// SPDX-License-Identifier: MIT
//
// Which addresses are of the whole Internet, and which only of a machine, a link or a site.
//
// Pure.
#pragma once

#include <string_view>

#include <sys/socket.h>

namespace skimfs::fetch {

// Could anybody in the world mean the same peer by it?  Not so: this machine, private networks,
// links, carriers' networks, multicast, what is reserved (RFC 6890 and its registries), and those
// inside an IPv6 address that carries one of IPv4 (mapped, NAT64, 6to4).  Other families are not.
bool is_public(const sockaddr& address) noexcept;

// The same of an address in digits, "192.0.2.1" or "fe80::1%eth0"; false for what is none.
bool is_public(std::string_view digits) noexcept;

}  // namespace skimfs::fetch
