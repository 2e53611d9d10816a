// SPDX-License-Identifier: MIT
//
// The words of a manifest: numbers, times, names, ranges, digests.
//
// Pure.  Each takes the whole word and throws BadText with the offset in it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "fs/manifest/error.h"
#include "fs/manifest/tree.h"

namespace skimfs::fs::manifest {

inline constexpr std::uint64_t kMaxNumber = 0x7fff'ffff'ffff'ffff;  // 2^63 - 1
inline constexpr std::size_t kMaxPath = 4095;                       // bytes
inline constexpr std::size_t kMaxComponent = 255;                   // bytes
inline constexpr std::size_t kMaxDepth = 128;                       // components
inline constexpr std::size_t kMaxLine = 64 * 1024;                  // bytes without the line feed
inline constexpr std::size_t kMaxParts = 1024;

// "0" or digits without a leading zero, at most 2^63-1.  `what` names it in the error.
std::uint64_t parse_number(std::string_view word, std::string_view what);

// RFC 3339 in UTC: "2024-05-01T12:00:00Z", with one to nine digits of fraction if any.
Time parse_time(std::string_view word);

// "0444": octal permission bits, three or four digits.
std::uint32_t parse_mode(std::string_view word);

// Refuses control bytes and DEL.
void check_text(std::string_view word);

// A directive's or attribute's name, without "!".
void check_name(std::string_view word);

// Values of type= and validator=.
void check_mime_type(std::string_view word);
void check_validator(std::string_view word);
// Names of credential profiles: 1 to 64 of letters, digits, ".", "_" and "-".
void check_auth(std::string_view word);

// A name as it will be seen: not "." or "..", at most 255 bytes, no "/", no NUL, UTF-8 unless
// `raw`.
void check_component(std::string_view name, bool raw);

// RFC 9110 section 8.8.3, quotes and W/ included.
void check_etag(std::string_view word);

// "URI [SP etag]".  Neither is resolved; the etag is checked.
struct Located {
  std::string_view reference;
  std::string_view etag;
};
Located parse_located(std::string_view word);

// "N[/TOTAL]" of !off, for a file of `size` bytes.
struct Window {
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> total;
};
Window parse_window(std::string_view word, std::uint64_t size);

// "OFF+LEN[/TOTAL] SP URI [SP etag]" of !part.
struct RemotePart {
  Window window;
  std::uint64_t length = 0;
  Located located;
};
RemotePart parse_remote_part(std::string_view word);

// "algo:hex" as algorithm number and raw bytes, which format_digest() turns back.
std::string parse_digest(std::string_view word);
std::string format_digest(std::string_view packed);

// "algo:LEN:URI[#HEX]".
struct Pieces {
  std::uint64_t length = 0;  // bytes of each
  std::string_view head;  // "algo:LEN:"
  std::string_view reference;
  std::string_view tail;  // "#HEX", may be empty
};
Pieces parse_pieces(std::string_view word);

// The target of a link whose directory is `depth` names below the root: relative, ".." only in
// front and at most `depth` times.
void check_link_target(std::string_view target, std::size_t depth, bool raw);

}  // namespace skimfs::fs::manifest
