// SPDX-License-Identifier: MIT
//
// How bytes are written as text: hexadecimal digits, escapes, base64, UTF-8.
//
// Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fs/manifest/error.h"

namespace skimfs::fs::manifest {

// 0..15, capitals with bit 4 set, -1 for what is no digit.  A table, since branches on the random
// digits of digests would mostly be mispredicted.
inline constexpr std::array<std::int8_t, 256> kHexDigits = [] {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (std::int8_t value = 0; value < 16; ++value) {
    const char capital = "0123456789ABCDEF"[value];
    const char small = "0123456789abcdef"[value];
    table[static_cast<unsigned char>(capital)] = static_cast<std::int8_t>(value | 16);
    table[static_cast<unsigned char>(small)] = value;
  }
  return table;
}();

constexpr int hex_digit(char byte) { return kHexDigits[static_cast<unsigned char>(byte)]; }

constexpr int hex_value(char byte) {
  const int digit = hex_digit(byte);
  return digit < 0 ? digit : digit & 15;
}

// Appends the word with its escapes (\t \n \r \\ \xHH) resolved; throws BadText.
void unescape(std::string_view word, std::string& out);

// "base64:..." (RFC 4648 section 4, padded, no white space), appended decoded; throws BadText.
inline constexpr std::string_view kBase64 = "base64:";
void decode_base64(std::string_view word, std::string& out);

// Offset of the first byte that is not well-formed UTF-8 (Unicode 15, table 3-7), or npos.
std::size_t find_bad_utf8(std::string_view text) noexcept;

}  // namespace skimfs::fs::manifest
