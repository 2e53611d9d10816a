// SPDX-License-Identifier: MIT
//
// See encoding.h.
#include "fs/manifest/encoding.h"

#include <algorithm>
#include <utility>

namespace skimfs::fs::manifest {
namespace {

[[noreturn]] void fail(std::size_t at, std::string message) {
  throw BadText{at, std::move(message)};
}

}  // namespace

void unescape(std::string_view word, std::string& out) {
  std::size_t at = 0;
  while (at < word.size()) {
    const std::size_t escape = std::min(word.find('\\', at), word.size());
    out.append(word, at, escape - at);
    if (escape == word.size()) return;
    const char kind = escape + 1 < word.size() ? word[escape + 1] : '\0';
    at = escape + 2;
    switch (kind) {
      case 't':
        out += '\t';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case '\\':
        out += '\\';
        break;
      case 'x': {
        const int high = at < word.size() ? hex_value(word[at]) : -1;
        const int low = at + 1 < word.size() ? hex_value(word[at + 1]) : -1;
        if (high < 0 || low < 0) fail(escape, "bad escape: wanted \\xHH");
        const char byte = static_cast<char>(high * 16 + low);
        if (byte == '\0' || byte == '/') fail(escape, "bad escape: \\x00 and \\x2F are refused");
        out += byte;
        at += 2;
        break;
      }
      default:
        fail(escape, "bad escape: wanted \\t, \\n, \\r, \\\\ or \\xHH");
    }
  }
}

void decode_base64(std::string_view word, std::string& out) {
  if (!word.starts_with(kBase64)) fail(0, "bad data: wanted base64:...");
  const std::string_view text = word.substr(kBase64.size());
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  if (text.size() % 4 != 0) fail(word.size(), "bad base64: length is no multiple of four");

  std::uint32_t bits = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool pad = at >= text.size() - padding;
    const std::size_t value = pad ? 0 : alphabet.find(text[at]);
    if (value == std::string_view::npos)
      fail(kBase64.size() + at, "bad base64: byte outside the alphabet");
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    if (at % 4 != 3) continue;
    const bool last = at + 1 == text.size();
    const std::size_t bytes = last ? 3 - padding : 3;
    for (std::size_t each = 0; each < bytes; ++each)
      out += static_cast<char>(bits >> (16 - 8 * each));
    if (last && (bits & ((1u << (8 * padding)) - 1)) != 0) {
      fail(kBase64.size() + at - padding, "bad base64: stray bits before the padding");
    }
    bits = 0;
  }
}

std::size_t find_bad_utf8(std::string_view text) noexcept {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t at = 0;
  while (at < text.size()) {
    const unsigned char lead = bytes[at];
    if (lead < 0x80) {
      ++at;
      continue;
    }
    // The first continuation byte's range keeps out overlong forms, surrogates and > U+10FFFF.
    std::size_t more = 0;
    unsigned char low = 0x80, high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
      more = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    } else {
      return at;
    }
    if (text.size() - at <= more) return at;
    for (std::size_t next = 1; next <= more; ++next) {
      if (bytes[at + next] < low || bytes[at + next] > high) return at;
      low = 0x80, high = 0xbf;
    }
    at += more + 1;
  }
  return std::string_view::npos;
}

}  // namespace skimfs::fs::manifest
