// SPDX-License-Identifier: MIT
//
// See tree_check.h.
#include "fs/manifest/tree_check.h"

#include <algorithm>

#include "fs/manifest/reference.h"
#include "fs/manifest/tokens.h"

namespace skimfs::fs::manifest {
namespace {

[[noreturn]] void refuse() { throw BadText{0, "not what a manifest may say"}; }

bool is_name(std::string_view name) noexcept {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

void check_part(const Part& part) {
  const std::uint64_t length = part.length.value_or(0);
  if (length > kMaxNumber || part.offset > kMaxNumber - length) refuse();
  if (part.total && *part.total < part.offset + length) refuse();
  if (!part.length && part.offset != 0) refuse();
  if (part.urls.empty() ? part.literal.size() != part.length : !part.literal.empty()) refuse();
  for (const std::string& url : part.urls) {
    check_reference(url, false);
    if (resolve({}, url) != url) refuse();  // as the readers make them: lower case, no fragment
  }
  if (!part.etag.empty()) check_etag(part.etag);
  if (part.mirror_etags.size() > std::max<std::size_t>(part.urls.size(), 1) - 1) refuse();
  for (const std::string& etag : part.mirror_etags)
    if (!etag.empty()) check_etag(etag);
}

}  // namespace

bool is_sane(const Record& record, Row row, std::string_view name) noexcept {
  constexpr std::uint32_t second = 1'000'000'000;
  if (record.kind > Kind::link || record.nanoseconds >= second) return false;
  const bool placed = row == kRoot ? record.parent == kRoot && record.kind == Kind::directory
                                   : record.parent < row && is_name(name);
  if (!placed) return false;
  if (record.kind != Kind::link && (record.mode & 0222u) != 0) return false;
  if (record.kind == Kind::directory) return true;
  const bool unknown = record.kind == Kind::file && record.size == kUnknownSize;
  return unknown || record.size <= (record.kind == Kind::link ? kMaxPath : kMaxNumber);
}

bool is_sane_link(const Tree& tree, const Entry& link, std::string_view target) noexcept {
  std::size_t depth = 0;  // of its directory
  for (Row each = link.parent; each != kRoot && depth <= kMaxDepth; ++depth)
    each = tree.entry(each).parent;
  if (link.size != target.size() || depth > kMaxDepth) return false;
  try {
    check_link_target(target, depth, true);
    return true;
  } catch (const BadText&) {
    return false;
  }
}

void check_content(const Content& content, std::optional<std::uint64_t> size,
                   std::uint64_t largest_piece) {
  std::uint64_t bytes = 0;
  for (const Part& part : content.parts) {
    check_part(part);
    const std::uint64_t length = part.length.value_or(0);
    if (length > kMaxNumber - bytes) refuse();
    bytes += length;
    if (!part.length && (size || content.parts.size() != 1)) refuse();
  }
  if (size ? bytes != *size : content.parts.size() != 1) refuse();
  if (content.parts.size() > kMaxParts) refuse();
  if (!content.mime_type.empty()) check_mime_type(content.mime_type);
  if (!content.validator.empty()) check_validator(content.validator);
  if (!content.auth.empty()) check_auth(content.auth);
  if (content.pieces.empty()) return;
  const Pieces pieces = parse_pieces(content.pieces);
  check_reference(pieces.reference, false);
  if (std::min(pieces.length, size.value_or(pieces.length)) > largest_piece) refuse();
}

}  // namespace skimfs::fs::manifest
