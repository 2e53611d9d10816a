// SPDX-License-Identifier: MIT
//
// See detail.h.
#include "fs/manifest/detail.h"

namespace skimfs::fs::manifest {

std::string pack_scope(const Scope& scope) {
  std::string packed;
  put_number(packed, scope.prefix_depth);
  put_field(packed, Tag::reference, scope.base);
  for (const std::string& mirror : scope.mirrors) put_field(packed, Tag::mirror, mirror);
  put_field(packed, Tag::type, scope.mime_type);
  put_field(packed, Tag::validator, scope.validator);
  if (!scope.auth.empty()) put_field(packed, Tag::auth, scope.auth);
  return packed;
}

std::optional<Scope> unpack_scope(std::string_view packed) {
  Scope scope;
  const auto depth = take_number(packed);
  if (!depth || *depth > UINT32_MAX) return std::nullopt;
  scope.prefix_depth = static_cast<std::uint32_t>(*depth);
  FieldReader field(packed);
  while (field.next()) {
    const std::string_view value = field.value();
    if (field.tag() == Tag::reference) {
      scope.base = value;
    } else if (field.tag() == Tag::mirror) {
      scope.mirrors.emplace_back(value);
    } else if (field.tag() == Tag::type) {
      scope.mime_type = value;
    } else if (field.tag() == Tag::validator) {
      scope.validator = value;
    } else if (field.tag() == Tag::auth) {
      scope.auth = value;
    } else {
      return std::nullopt;
    }
  }
  if (field.bad()) return std::nullopt;
  return scope;
}

}  // namespace skimfs::fs::manifest
