// SPDX-License-Identifier: MIT
//
// How a fault is shown: secrets out, control bytes escaped, a caret under it.
#include "fs/manifest/error.h"

#include <algorithm>

namespace skimfs::fs::manifest {
namespace {

constexpr std::size_t kShown = 200;  // bytes of the offending line
constexpr std::size_t kBefore = 80;  // of them before the fault, when the line is longer

void append_printable(std::string& out, char byte) {
  constexpr char digits[] = "0123456789abcdef";
  const auto value = static_cast<unsigned char>(byte);
  if (value >= 0x20 && value < 0x7f) {
    out += byte;
  } else {
    out += "\\x";
    out += digits[value >> 4];
    out += digits[value & 15];
  }
}

// The line as shown, and how many of its characters stand before the fault.
struct Shown {
  std::string text;
  std::size_t caret = 0;
};

// Length of the secret that begins at `at`: a query, or the userinfo before an "@".
std::size_t secret_length(std::string_view line, std::size_t at) {
  const std::string_view rest = line.substr(at);
  if (rest.front() == '?') return std::min(rest.size(), rest.find_first_of("\t #", 1)) - 1;
  if (!line.substr(0, at + 1).ends_with("://")) return 0;
  const std::size_t end = std::min(rest.size(), rest.find_first_of("/?#\t ", 1));
  const std::size_t sign = rest.substr(0, end).rfind('@');
  return sign == std::string_view::npos ? 0 : sign - 1;
}

Shown show(std::string_view line, std::size_t fault) {
  fault = std::min(fault, line.size());
  // A path may hold "?" and "://"; the columns after it are where URLs stand.
  const std::size_t urls = line.starts_with('/') ? std::min(line.size(), line.find('\t')) : 0;
  Shown shown;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (at == fault) shown.caret = shown.text.size();
    if (line[at] == '\t') {
      shown.text += '\t';
      continue;
    }
    append_printable(shown.text, line[at]);
    const std::size_t secret = at < urls ? 0 : secret_length(line, at);
    if (secret == 0) continue;
    if (fault > at && fault <= at + secret) shown.caret = shown.text.size();
    shown.text += "...";
    at += secret;
  }
  if (fault == line.size()) shown.caret = shown.text.size();
  if (shown.text.size() <= kShown) return shown;

  const std::size_t begin = shown.caret > kBefore ? shown.caret - kBefore : 0;
  shown.text = shown.text.substr(begin, kShown);
  shown.caret -= begin;
  return shown;
}

std::string compose(std::string_view file, std::uint64_t line, const BadText& bad,
                    std::string_view text) {
  std::string out = printable(file) + ":" + std::to_string(line) + ":" +
                    std::to_string(bad.at + 1) + ": error: " + printable(bad.message);
  if (text.empty()) return out;
  const Shown shown = show(text, bad.at);
  out += "\n" + shown.text + "\n";
  // Tabs stay tabs, so that the caret stands under the fault wherever the tab stops are.
  for (char each : shown.text.substr(0, shown.caret)) out += each == '\t' ? '\t' : ' ';
  return out + "^";
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (char each : text) append_printable(out, each);
  return out;
}

ManifestError::ManifestError(std::string_view file, std::string_view what_is_wrong)
    : std::runtime_error(printable(file) + ": " + printable(what_is_wrong)),
      message(printable(what_is_wrong)) {}

ManifestError::ManifestError(std::string_view file, std::uint64_t line_number, const BadText& bad,
                             std::string_view text)
    : std::runtime_error(compose(file, line_number, bad, text)),
      line(line_number),
      column(bad.at + 1),
      message(printable(bad.message)) {}

}  // namespace skimfs::fs::manifest
