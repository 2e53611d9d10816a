// SPDX-License-Identifier: MIT
//
// See reference.h.
#include "fs/manifest/reference.h"

#include <algorithm>
#include <cstdint>

#include "fs/manifest/encoding.h"

namespace skimfs::fs::manifest {
namespace {

constexpr bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }
constexpr bool is_alpha(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}
char lower(char byte) { return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte | 0x20) : byte; }

bool equals_lower(std::string_view text, std::string_view wanted) {
  return std::equal(text.begin(), text.end(), wanted.begin(), wanted.end(),
                    [](char left, char right) { return lower(left) == right; });
}

[[noreturn]] void fail(std::size_t at, std::string message) {
  throw BadText{at, std::move(message)};
}

// A reference taken apart (RFC 3986 appendix B); `has_*` tells empty from absent.
struct Split {
  std::string_view scheme, authority, path, query;
  bool has_scheme = false, has_authority = false;
};

Split split(std::string_view text) noexcept {
  Split parts;
  text = text.substr(0, text.find('#'));
  const std::size_t mark = text.find_first_of(":/?");
  if (mark != std::string_view::npos && text[mark] == ':') {
    parts.has_scheme = true;
    parts.scheme = text.substr(0, mark);
    text.remove_prefix(mark + 1);
  }
  if (text.starts_with("//")) {
    parts.has_authority = true;
    text.remove_prefix(2);
    parts.authority = text.substr(0, text.find_first_of("/?"));
    text.remove_prefix(parts.authority.size());
  }
  parts.path = text.substr(0, text.find('?'));
  parts.query = text.substr(parts.path.size());
  return parts;
}

void check_bytes(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char byte = text[at];
    if (byte <= 0x20 || byte >= 0x7f || byte == '"' || byte == '<' || byte == '>' || byte == '\\') {
      fail(at, "byte must be percent-encoded in a URL");
    }
    const bool stray = byte == '%' && (text.size() - at < 3 || hex_value(text[at + 1]) < 0 ||
                                       hex_value(text[at + 2]) < 0);
    if (stray) fail(at, "% without two hexadecimal digits in a URL");
  }
}

void check_port(std::string_view port, std::size_t at) {
  std::uint32_t value = 0;
  for (char each : port) {
    if (!is_digit(each) || value > 65535) fail(at, "bad port in a URL");
    value = value * 10 + static_cast<std::uint32_t>(each - '0');
  }
  if (value == 0 || value > 65535) fail(at, "bad port in a URL");
}

// `at`: where the authority stands in the reference.
void check_authority(std::string_view authority, std::size_t at) {
  if (authority.find('@') != std::string_view::npos) {
    fail(at, "no user or password in a URL: manifests hold no secrets");
  }
  const bool literal = authority.starts_with('[');
  const std::size_t close = authority.find(']');
  if (literal && close == std::string_view::npos) fail(at, "bad IPv6 address in a URL");
  const std::size_t colon = authority.find(':', literal ? close : 0);
  const std::string_view host = authority.substr(0, colon);
  if (colon != std::string_view::npos) check_port(authority.substr(colon + 1), at + colon + 1);
  if (host.empty()) fail(at, "no host in the URL");
  if (host.size() > 255) fail(at, "host longer than 255 bytes");

  const std::string_view name = literal ? host.substr(1, host.size() - 2) : host;
  if (literal && (host.back() != ']' || name.find(':') == std::string_view::npos)) {
    fail(at, "bad IPv6 address in a URL");
  }
  for (std::size_t each = 0; each < name.size(); ++each) {
    const char byte = name[each];
    const bool good =
        literal ? hex_value(byte) >= 0 || byte == ':' || byte == '.'
                : is_alpha(byte) || is_digit(byte) || byte == '-' || byte == '.' || byte == '_';
    if (!good) fail(at + (literal ? 1 : 0) + each, "bad byte in the host of a URL");
  }
}

// RFC 3986 section 5.2.4, for a path that begins with "/".
std::string remove_dot_segments(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/', 1), path.size());
    const std::string_view segment = path.substr(0, end);  // "/name"
    const bool last = end == path.size();
    path.remove_prefix(end);
    if (segment == "/.") {
      if (last) out += '/';
    } else if (segment == "/..") {
      out.resize(std::min(out.size(), out.rfind('/')));
      if (last) out += '/';
    } else {
      out += segment;
    }
  }
  return out;
}

std::string join(std::string_view scheme, std::string_view authority, std::string_view path,
                 std::string_view query) {
  std::string url;
  url.reserve(scheme.size() + authority.size() + path.size() + query.size() + 4);
  for (char each : scheme) url += lower(each);
  url += "://";
  for (char each : authority) url += lower(each);
  if (path.empty()) url += '/';
  url += path;
  url += query;
  return url;
}

}  // namespace

void check_reference(std::string_view reference, bool has_base) {
  if (reference.empty() || reference.front() == '#') fail(0, "empty URL");
  check_bytes(reference);
  const Split parts = split(reference);
  if (parts.has_scheme) {
    if (!equals_lower(parts.scheme, "http") && !equals_lower(parts.scheme, "https")) {
      fail(0, "scheme \"" + std::string(parts.scheme) +
                  "\" is refused: only http and https (a relative name with a colon is written "
                  "./name)");
    }
    if (!parts.has_authority) fail(0, "no host in the URL");
  } else if (!has_base) {
    fail(0, "relative URL, and no base");
  }
  if (parts.has_authority) {
    check_authority(parts.authority,
                    static_cast<std::size_t>(parts.authority.data() - reference.data()));
  }
}

void check_base(std::string_view reference, bool has_base) {
  check_reference(reference, has_base);
  const std::string_view query = split(reference).query;
  if (!query.empty()) {
    fail(static_cast<std::size_t>(query.data() - reference.data()), "a base has no query");
  }
}

bool is_relative(std::string_view reference) noexcept { return !split(reference).has_scheme; }

std::string resolve(std::string_view base, std::string_view reference) {
  const Split to = split(reference);
  if (to.has_scheme) return join(to.scheme, to.authority, to.path, to.query);
  const Split from = split(base);
  if (to.has_authority) {
    return join(from.scheme, to.authority, remove_dot_segments(to.path), to.query);
  }
  if (to.path.empty()) {
    return join(from.scheme, from.authority, from.path, to.query.empty() ? from.query : to.query);
  }
  if (to.path.front() == '/') {
    return join(from.scheme, from.authority, remove_dot_segments(to.path), to.query);
  }
  std::string merged(from.path.substr(0, from.path.rfind('/') + 1));  // an absolute path has one
  merged += to.path;
  return join(from.scheme, from.authority, remove_dot_segments(merged), to.query);
}

std::string append_path(std::string_view base, std::string_view path) {
  if (base.ends_with('/')) base.remove_suffix(1);
  if (path.starts_with('/')) path.remove_prefix(1);
  return std::string(base) + '/' + percent_encode(path);
}

UrlParts split_url(std::string_view url) noexcept {
  const Split parts = split(url);
  return {parts.scheme, parts.authority, parts.path, parts.query};
}

std::string percent_encode(std::string_view path) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(path.size());
  for (char each : path) {
    const bool plain = is_alpha(each) || is_digit(each) || each == '-' || each == '.' ||
                       each == '_' || each == '~' || each == '/';
    if (plain) {
      out += each;
      continue;
    }
    const auto byte = static_cast<unsigned char>(each);
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      out += text[at];
      continue;
    }
    out += static_cast<char>(hex_value(text[at + 1]) * 16 + hex_value(text[at + 2]));
    at += 2;
  }
  return out;
}

}  // namespace skimfs::fs::manifest
