// SPDX-License-Identifier: MIT
//
// Looking up header fields.
#include "fetch/response_head.h"

#include <algorithm>

namespace skimfs::fetch {
namespace {

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; }

}  // namespace

bool same_word(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, lower, lower);
}

unsigned ResponseHead::count(std::string_view name) const noexcept {
  return static_cast<unsigned>(std::ranges::count_if(
      fields, [name](const HeaderField& field) { return same_word(field.name, name); }));
}

std::string_view ResponseHead::value(std::string_view name) const noexcept {
  for (const HeaderField& field : fields)
    if (same_word(field.name, name)) return field.value;
  return {};
}

}  // namespace skimfs::fetch
