// SPDX-License-Identifier: MIT
//
// Eight bytes at a time from a counter and a seed: the finaliser of SplitMix64 (Steele et al.
// 2014). 2014).
#include "tests/support/body.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace skimfs::test {
namespace {

constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

constexpr std::uint64_t word(std::uint64_t seed, std::uint64_t index) noexcept {
  return mix(seed + index * 0x9e3779b97f4a7c15u);
}

}  // namespace

Body::Body(std::string_view file, unsigned version) noexcept : seed_(mix(version + 1)) {
  for (const char c : file) seed_ = mix(seed_ ^ static_cast<unsigned char>(c));
}

void Body::fill(std::uint64_t offset, std::span<char> out) const noexcept {
  while (!out.empty()) {
    const std::uint64_t value = word(seed_, offset / 8);
    const std::size_t skip = offset % 8;
    const std::size_t length = std::min(out.size(), sizeof value - skip);
    std::memcpy(out.data(), reinterpret_cast<const char*>(&value) + skip, length);
    out = out.subspan(length);
    offset += length;
  }
}

std::string Body::text(std::uint64_t offset, std::size_t length) const {
  std::string out(length, '\0');
  fill(offset, out);
  return out;
}

bool Body::matches(std::uint64_t offset, std::size_t length, std::span<const char> got) const {
  return got.size() == length && !first_wrong(offset, got);
}

std::optional<std::uint64_t> Body::first_wrong(std::uint64_t offset,
                                               std::span<const char> got) const {
  std::array<char, 4096> want;
  while (!got.empty()) {
    const auto part = got.first(std::min(got.size(), want.size()));
    fill(offset, std::span(want).first(part.size()));
    const auto [wrong, unused] = std::mismatch(part.begin(), part.end(), want.begin());
    if (wrong != part.end()) return offset + static_cast<std::uint64_t>(wrong - part.begin());
    got = got.subspan(part.size());
    offset += part.size();
  }
  return {};
}

}  // namespace skimfs::test
