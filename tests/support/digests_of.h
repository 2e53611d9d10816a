// SPDX-License-Identifier: MIT
//
// What a manifest would state of bytes that a test knows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "fs/digest.h"

namespace skimfs::test {

// "sha256:00ff..."
inline std::string digest_of(std::span<const std::byte> bytes,
                             fs::Algorithm algorithm = fs::Algorithm::sha256) {
  fs::Hasher hasher(algorithm);
  hasher.add(bytes);
  return std::string(fs::algorithm_name(algorithm)) + ":" + fs::to_hex(hasher.finish());
}

// The raw digests of each `length` bytes.
inline std::vector<std::byte> piece_list(std::span<const std::byte> bytes, std::uint64_t length,
                                         fs::Algorithm algorithm = fs::Algorithm::sha256) {
  std::vector<std::byte> list;
  fs::Hasher hasher(algorithm);
  for (; !bytes.empty(); bytes = bytes.subspan(std::min<std::size_t>(bytes.size(), length))) {
    hasher.add(bytes.first(std::min<std::size_t>(bytes.size(), length)));
    const auto value = hasher.finish();
    list.insert(list.end(), value.begin(), value.end());
  }
  return list;
}

}  // namespace skimfs::test
