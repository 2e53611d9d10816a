// SPDX-License-Identifier: MIT
//
// See lists.h.
#include "fs/manifest/lists.h"

#include <algorithm>

#include "fs/manifest/reference.h"
#include "fs/manifest/tokens.h"

namespace skimfs::fs::manifest {
namespace {

char lower(char byte) { return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte | 0x20) : byte; }

}  // namespace

UrlListReader::UrlListReader(TreeBuilder& builder, unsigned strip, bool raw_names)
    : builder_(builder), strip_(strip), raw_names_(raw_names), scope_(builder.intern({})) {}

void UrlListReader::line(const Line& line) {
  if (line.too_long) throw BadText{kMaxLine, "line longer than 65536 bytes"};
  if (line.text.empty() || line.text.front() == '#') return;
  ++urls_;
  url(line.text, line.number);
}

void UrlListReader::url(std::string_view text, std::uint64_t number) {
  check_reference(text, false);
  const UrlParts parts = split_url(text);
  if (parts.path.empty() || parts.path.ends_with('/')) {
    throw BadText{text.size() - 1, "the URL names no file: its path is empty or ends in /"};
  }
  path_.clear();
  names_ = 0;
  std::string host(parts.authority);
  std::transform(host.begin(), host.end(), host.begin(), lower);
  within(text, parts.authority, [&](auto) { add_name(host); });
  for (std::size_t begin = 1; begin <= parts.path.size();) {
    const std::size_t end = std::min(parts.path.find('/', begin), parts.path.size());
    const std::string_view written = parts.path.substr(begin, end - begin);
    within(text, written, [&](auto) { add_name(percent_decode(written)); });
    begin = end + 1;
  }
  if (path_.empty()) throw BadText{0, "strip=" + std::to_string(strip_) + " leaves no name"};
  if (path_.size() > kMaxPath) throw BadText{0, "path longer than 4095 bytes"};
  if (names_ - strip_ > kMaxDepth) throw BadText{0, "path deeper than 128 names"};

  Draft draft;
  draft.path = path_;
  draft.where = text.substr(0, text.find('#'));
  builder_.add(draft, scope_, number);
}

void UrlListReader::add_name(std::string_view name) {
  try {
    check_component(name, raw_names_);
  } catch (BadText& bad) {
    bad.at = 0;  // an offset in the decoded name means nothing in the line
    throw;
  }
  if (++names_ <= strip_) return;
  path_ += '/';
  path_ += name;
}

void UrlListReader::end(bool) {
  if (urls_ == 0) throw Late{0, {}, "no URLs in the list"};
}

}  // namespace skimfs::fs::manifest
