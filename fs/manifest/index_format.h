// SPDX-License-Identifier: MIT
//
// The bytes of a compiled index (.skimx): a header, the sections of layout.h, the checks.
//
// Numbers are in the byte order of the machine that wrote it; another machine's index is refused.
// For index_open.cc and index_write.cc only.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "fs/manifest/layout.h"
#include "fs/manifest/text_digest.h"

namespace skimfs::fs::manifest {

inline constexpr std::array<char, 8> kIndexMagic = {'s', 'k', 'i', 'm', 'x', '\r', '\n', '\x1a'};
inline constexpr std::uint32_t kIndexVersion = 1;
inline constexpr std::uint32_t kByteOrder = 0x01020304;
inline constexpr std::uint64_t kAlignment = 8;  // of sections

// Bytes under one check: a page.  A lookup in a large tree touches about five of them, and checking
// one takes half a microsecond.
inline constexpr std::uint64_t kPiece = 4 * 1024;

struct Extent {
  std::uint64_t at, bytes;  // of the file
};

struct IndexHeader {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t byte_order;
  std::uint64_t file_bytes;
  Digest text;     // of the manifest
  Digest reading;  // of the options it was read with, and the program's version
  std::array<std::uint64_t, 2> hash_key;
  std::uint64_t files, directories, links, bytes, unknown_sizes, largest_piece;  // Totals
  std::uint64_t errors;                                                          // entries skipped
  std::uint64_t ascending;      // 1: Layout::ascending
  std::array<char, 16> format;  // of the text; zeros behind
  Extent records, names, details, children, keys;
  Extent prefixes, prefix_ends, scopes, scope_ends;
  Extent notes;   // what the reader said, see index_write.cc
  Extent checks;  // CRC-32C of each piece of what lies between header and checks
  std::uint32_t checks_check;
  std::uint32_t header_check;  // of the bytes before it
};
static_assert(std::is_trivially_copyable_v<IndexHeader> && sizeof(IndexHeader) % kAlignment == 0);

}  // namespace skimfs::fs::manifest
