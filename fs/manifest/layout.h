// SPDX-License-Identifier: MIT
//
// How a tree of names stands in memory and, byte for byte, in a compiled index.
//
// Changing anything here changes the index: raise kIndexVersion in index_format.h.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "fs/manifest/section.h"

namespace skimfs::fs::manifest {

using Row = std::uint32_t;
inline constexpr Row kRoot = 0;
inline constexpr std::uint64_t kMostRows = 0xffff'fffe;

enum class Kind : std::uint8_t { directory, file, link };

struct Totals {
  std::uint64_t files = 0, directories = 0, links = 0;
  std::uint64_t bytes = 0;          // sum of the known sizes
  std::uint64_t unknown_sizes = 0;  // files without one
  std::uint64_t largest_piece = 0;  // bytes of the longest that pieces= states
  std::uint64_t memory = 0;         // bytes this tree holds
};

inline constexpr std::uint64_t kUnknownSize = ~std::uint64_t{0};
inline constexpr std::int64_t kNoTime = INT64_MIN;
inline constexpr std::uint64_t kNoDetail = ~std::uint64_t{0};
inline constexpr std::uint16_t kNamed = 1u << 15;  // a line of its own names this directory

// A directory's share of `children` and of `keys`.
struct Run {
  std::uint32_t first, count;
};

struct Record {
  union {
    std::uint64_t size;  // files, links: bytes
    Run children;        // directories
  };
  std::int64_t seconds;
  std::uint64_t detail;  // where its fields begin in `details`
  std::uint32_t nanoseconds;
  Row parent;
  std::uint32_t name;  // where it begins in `names`
  std::uint16_t mode;
  std::uint8_t name_length;
  Kind kind;
};
static_assert(sizeof(Record) == 40 && std::is_trivially_copyable_v<Record>);

// Finds a child by the hash of its name: the keys of a directory stand in the order of the hashes.
struct Key {
  std::uint32_t hash;
  Row row;
};
static_assert(sizeof(Key) == 8 && std::is_trivially_copyable_v<Key>);

// Strings one after the other; string n is bytes ends[n-1] to ends[n].
struct Strings {
  Section<char> text;
  Section<std::uint32_t> ends;
};

struct Layout {
  Section<Record> records;  // in manifest order; the root first
  Section<char> names;
  Section<char> details;                    // see detail.h
  Section<Row> children;                    // by directory, ascending
  Section<Key> keys;                        // by directory, ascending by hash
  Strings prefixes;                         // beginnings of references, up to their last "/"
  Strings scopes;                           // see detail.h
  std::array<std::uint64_t, 2> hash_key{};  // of NameHash
  Totals totals;
  bool ascending = false;             // paths ascend with the rows
  bool spooled = false;               // in files without names, see spool.h
  const Image* image = nullptr;       // of a compiled index; its bytes are input
  std::shared_ptr<const void> owner;  // of what the sections show
};

}  // namespace skimfs::fs::manifest
