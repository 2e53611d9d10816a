// SPDX-License-Identifier: MIT
//
// Reads single header values written by strangers.
//
// Pure and strict: no signs, no inner space, nothing beyond 2^63 - 1.  Values are at most 64 KiB,
// not NUL-terminated, without surrounding blanks.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fetch/range.h"
#include "fetch/result.h"

namespace skimfs::fetch {

// The name at the front of one field line, without its line end (RFC 9112 section 5).  Empty: this
// is no field line, because it has no name, or a control character or blank in it or before the
// colon, or begins like a status line, or a NUL, CR or LF stands anywhere.
std::string_view field_name(std::string_view line) noexcept;

// Without the blanks around it.
std::string_view without_blanks(std::string_view text) noexcept;

// A length in decimal digits, at most 2^63 - 1 (RFC 9110 section 8.6).
std::optional<std::uint64_t> parse_length(std::string_view value) noexcept;

struct ContentRange {
  std::optional<ByteRange> range;      // empty for "bytes */1000", the answer of a 416
  std::optional<std::uint64_t> total;  // empty for "bytes 0-99/*"
};

// Reads "bytes 0-99/1000" (RFC 9110 section 14.4).
// Errors: Errc::bad_length when the numbers are impossible or contradict each other,
// Errc::bad_response for anything else.
Result<ContentRange> parse_content_range(std::string_view value) noexcept;

// Seconds since 1970 from any of the three forms of an HTTP date (RFC 9110 section 5.6.7); years
// 1970 to 9999.
std::optional<std::int64_t> parse_http_date(std::string_view value) noexcept;

// The preferred form: "Sun, 06 Nov 1994 08:49:37 GMT".  `seconds`: 1970 to 9999.
std::string format_http_date(std::int64_t seconds);

// How long to wait, from seconds or from a date relative to `now` (RFC 9110 section 10.2.3).  A
// date that has passed is 0.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view value,
                                                      std::int64_t now) noexcept;

// One entity tag (RFC 9110 section 8.8.3), as it came.  What is not one, or is longer than 512
// bytes, counts as none: it can be neither sent back nor trusted.
bool is_etag(std::string_view value) noexcept;
bool is_strong_etag(std::string_view value) noexcept;

// RFC 9110 section 8.8.3.2.
bool same_strong_etag(std::string_view a, std::string_view b) noexcept;
bool same_weak_etag(std::string_view a, std::string_view b) noexcept;

}  // namespace skimfs::fetch
