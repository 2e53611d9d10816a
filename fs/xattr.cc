// SPDX-License-Identifier: MIT
//
// See xattr.h.
#include "fs/xattr.h"

#include "fetch/url.h"

namespace skimfs::fs {

namespace {

constexpr std::string_view kChecksum = "user.checksum.";

const manifest::Part* first_remote(const manifest::Content& content) {
  for (const manifest::Part& part : content.parts)
    if (!part.urls.empty()) return &part;
  return nullptr;
}

// The hex digits of the digest "algo:hex" that is asked for.
std::optional<std::string> digest(const manifest::Content& content, std::string_view algorithm) {
  for (const std::string_view written : content.digests) {
    const auto colon = written.find(':');
    if (written.substr(0, colon) == algorithm) return std::string(written.substr(colon + 1));
  }
  return std::nullopt;
}

std::optional<std::string> urls(const manifest::Content& content) {
  std::string text;
  for (const manifest::Part& part : content.parts)
    for (const std::string& url : part.urls) text.append(fetch::redact(url)) += '\n';
  if (text.empty()) return std::nullopt;
  text.pop_back();
  return text;
}

std::string word(Integrity::State state) {
  switch (state) {
    case Integrity::State::yes:
      return "yes";
    case Integrity::State::partial:
      return "partial";
    case Integrity::State::no:
      break;
  }
  return "no";
}

std::optional<std::string> value(const XattrSource& source, std::string_view name) {
  const manifest::Content& content = source.content;
  if (name == "user.xdg.origin.url") {
    const manifest::Part* part = first_remote(content);
    if (!part) return std::nullopt;
    return std::string(fetch::redact(part->urls.front()));
  }
  if (name == "user.mime_type" && !content.mime_type.empty()) return content.mime_type;
  if (name.starts_with(kChecksum)) return digest(content, name.substr(kChecksum.size()));
  if (name == "user.skimfs.url") return urls(content);
  if (name == "user.skimfs.etag" && !source.version.etag.empty()) return source.version.etag;
  if (name == "user.skimfs.mirror" && !source.mirror.empty())
    return std::string(fetch::redact(source.mirror));
  if (name == "user.skimfs.cached") return std::to_string(source.cached);
  if (name == "user.skimfs.verified") return word(source.verified);
  if (name == "user.skimfs.error" && !source.error.empty()) return source.error;
  return std::nullopt;
}

}  // namespace

std::vector<std::string> xattr_names(const manifest::Content& content) {
  std::vector<std::string> names;
  if (first_remote(content)) names.emplace_back("user.xdg.origin.url");
  if (!content.mime_type.empty()) names.emplace_back("user.mime_type");
  for (const std::string_view written : content.digests)
    names.push_back(std::string(kChecksum).append(written.substr(0, written.find(':'))));
  return names;
}

fetch::Result<std::string> xattr(const XattrSource& source, std::string_view name) {
  if (!name.starts_with("user."))
    return tl::unexpected(std::make_error_code(std::errc::operation_not_supported));
  if (auto found = value(source, name)) return *std::move(found);
  return tl::unexpected(std::make_error_code(std::errc::no_message_available));  // ENODATA
}

}  // namespace skimfs::fs
