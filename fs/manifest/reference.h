// SPDX-License-Identifier: MIT
//
// URL references of a manifest: checked, resolved, percent-encoded (RFC 3986).
//
// Pure.  Only http and https, ASCII, without userinfo; a fragment is dropped.  An absolute URL's
// path is kept as written, dot segments too, because signatures cover it.
#pragma once

#include <string>
#include <string_view>

#include "fs/manifest/error.h"

namespace skimfs::fs::manifest {

// Throws BadText where `reference` is not one a manifest may hold.  `has_base`: a relative one may.
void check_reference(std::string_view reference, bool has_base);

// As check_reference; a base has no query, which relative references would lose.
void check_base(std::string_view reference, bool has_base);

// Has it no scheme?
bool is_relative(std::string_view reference) noexcept;

// The absolute URL; scheme and host in lower case (RFC 3986 section 5.2).  `base`: an earlier
// result; both passed the checks.
std::string resolve(std::string_view base, std::string_view reference);

// `base` and the percent-encoded `path` with one "/" between.
std::string append_path(std::string_view base, std::string_view path);

// The parts of a result of resolve().
struct UrlParts {
  std::string_view scheme;
  std::string_view authority;  // host, and port if any
  std::string_view path;       // "" or begins with "/"
  std::string_view query;      // with "?", or ""
};
UrlParts split_url(std::string_view url) noexcept;

// Everything but unreserved characters and "/" as %XX.
std::string percent_encode(std::string_view path);

// `text` passed check_reference.
std::string percent_decode(std::string_view text);

}  // namespace skimfs::fs::manifest
