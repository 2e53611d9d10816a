// SPDX-License-Identifier: MIT
//
// auth.conf, and the question whom its profiles are for.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fs/auth/profile_text.h"

namespace {

using namespace skimfs::fs::auth;

void require(bool promise) {
  if (!promise) std::abort();
}

void check(const ProfileText& profile) {
  require(is_profile_name(profile.name));
  require(!profile.matches.empty());
  for (const std::string& header : profile.headers) {
    require(header_field(header) == header);
    require(header.find_first_of("\r\n") == std::string::npos);
  }
  for (const auto& match : profile.matches) require(matches(match, match));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto profiles = parse_profiles({reinterpret_cast<const char*>(data), size});
    for (const ProfileText& profile : profiles) check(profile);
  } catch (const ProfileError&) {
  }
  return 0;
}
