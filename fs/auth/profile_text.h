// SPDX-License-Identifier: MIT
//
// The text of auth.conf: sections of "key = value", see skimfs-auth.conf(5).
//
// Pure.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/url.h"

namespace skimfs::fs::auth {

struct ProfileError : std::runtime_error {
  ProfileError(std::size_t at, const std::string& what) : std::runtime_error(what), line(at) {}
  const std::size_t line;  // counted from 1; 0: of the whole file
};

// One section.  Paths as they are written; empty: the key is not there.
struct ProfileText {
  std::string name;
  std::size_t line = 0;
  std::vector<fetch::Url> matches;   // never empty
  std::vector<std::string> headers;  // "Name: value"
  std::string header_file;           // of lines like `headers`
  std::string bearer_file;           // a token
  std::string user, password_file;   // of HTTP Basic, or the key that signs
  std::string signature;             // as fetch::Credential; empty: HTTP Basic
  std::string token_file;            // of a session of that key
  std::string certificate, key;      // PEM
};

// At most 256 sections.  Throws ProfileError.
std::vector<ProfileText> parse_profiles(std::string_view text);

// Is it a name that a profile may have: 1 to 64 of letters, digits, ".", "_" and "-"?
bool is_profile_name(std::string_view name) noexcept;

// The header field, trimmed; empty when it is none: a token, ":", printable text.
// Fields that the transfer itself sets (Host, Range, conditions, framing) are none either.
std::string header_field(std::string_view text);

// Is `url` at this origin and below this path?  A path with dot segments is below the root only.
bool matches(const fetch::Url& match, const fetch::Url& url);

}  // namespace skimfs::fs::auth
