// SPDX-License-Identifier: MIT
//
// See address.h.
#include "fetch/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

namespace skimfs::fetch {
namespace {

struct Network {
  std::uint32_t address;  // host byte order
  unsigned length;
};

// IANA IPv4 Special-Purpose Address Registry: what is not globally reachable; multicast; reserved.
constexpr std::array kLocal4 = std::to_array<Network>({
    {0x00000000, 8},   // this network
    {0x0a000000, 8},   // private
    {0x64400000, 10},  // a carrier's, RFC 6598
    {0x7f000000, 8},   // this machine
    {0xa9fe0000, 16},  // the link
    {0xac100000, 12},  // private
    {0xc0000000, 24},  // protocol assignments
    {0xc0000200, 24},  // documentation
    {0xc0a80000, 16},  // private
    {0xc6120000, 15},  // benchmarks
    {0xc6336400, 24},  // documentation
    {0xcb007100, 24},  // documentation
    {0xe0000000, 4},   // multicast
    {0xf0000000, 4},   // reserved, broadcast
});

bool is_public4(std::uint32_t address) noexcept {
  return std::ranges::none_of(kLocal4, [address](const Network& network) {
    return (address ^ network.address) >> (32 - network.length) == 0;
  });
}

std::uint32_t four(const std::uint8_t* bytes) noexcept {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
         std::uint32_t{bytes[2]} << 8 | bytes[3];
}

bool is_public6(const std::uint8_t* bytes) noexcept {
  const auto starts = [bytes](std::initializer_list<std::uint8_t> with) {
    return std::equal(with.begin(), with.end(), bytes);
  };
  if (starts({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff})) return is_public4(four(bytes + 12));
  if (starts({0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}))  // NAT64, RFC 6052
    return is_public4(four(bytes + 12));
  if (starts({0x20, 0x02})) return is_public4(four(bytes + 2));                   // 6to4, RFC 3056
  if (starts({0x20, 0x01, 0x0d, 0xb8}) || starts({0x3f, 0xff, 0})) return false;  // documentation
  if (starts({0x20, 0x01, 0})) return false;  // protocol assignments, Teredo among them
  return (bytes[0] & 0xe0) == 0x20;           // 2000::/3, all that is given out
}

}  // namespace

bool is_public(const sockaddr& address) noexcept {
  if (address.sa_family == AF_INET)
    return is_public4(ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr));
  if (address.sa_family == AF_INET6)
    return is_public6(reinterpret_cast<const sockaddr_in6&>(address).sin6_addr.s6_addr);
  return false;
}

bool is_public(std::string_view digits) noexcept {
  std::array<char, INET6_ADDRSTRLEN + 1> text{};
  const std::string_view address = digits.substr(0, digits.find('%'));
  if (address.size() >= text.size()) return false;
  std::copy(address.begin(), address.end(), text.begin());
  in_addr v4{};
  if (::inet_pton(AF_INET, text.data(), &v4) == 1) return is_public4(ntohl(v4.s_addr));
  in6_addr v6{};
  return ::inet_pton(AF_INET6, text.data(), &v6) == 1 && is_public6(v6.s6_addr);
}

}  // namespace skimfs::fetch
