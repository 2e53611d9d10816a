// SPDX-License-Identifier: MIT
//
// The status and header fields of one response, as they came.
#pragma once

#include <span>
#include <string_view>

namespace skimfs::fetch {

struct HeaderField {
  std::string_view name;
  std::string_view value;  // without surrounding blanks
};

// A view: it dies with the call it was passed to.
struct ResponseHead {
  int status = 0;
  std::span<const HeaderField> fields;

  unsigned count(std::string_view name) const noexcept;
  // The first field of that name, compared without case; empty when there is none.
  std::string_view value(std::string_view name) const noexcept;
};

// ASCII letters compare without case, as field names and codings do (RFC 9110 section 5.1).
bool same_word(std::string_view a, std::string_view b) noexcept;

}  // namespace skimfs::fetch
