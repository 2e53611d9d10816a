// SPDX-License-Identifier: MIT
#include "fs/mount_table.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <system_error>

namespace skimfs::fs {
namespace {

// Space, tab, newline and backslash are written \ooo, proc(5).
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\' || at + 3 >= text.size()) {
      out.push_back(text[at]);
      continue;
    }
    int value = 0;
    for (std::size_t digit = 1; digit <= 3; ++digit) value = value * 8 + (text[at + digit] - '0');
    out.push_back(static_cast<char>(value));
    at += 3;
  }
  return out;
}

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const std::size_t end = line.find(' ');
    words.push_back(line.substr(0, end));
    line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
  }
  return words;
}

// The word user_id=N among a FUSE mount's own options.
std::optional<uid_t> parse_user(std::string_view options) {
  constexpr std::string_view kName = "user_id=";
  const std::size_t at = options.find(kName);
  if (at == std::string_view::npos) return std::nullopt;
  options.remove_prefix(at + kName.size());
  uid_t user = 0;
  const auto end = std::from_chars(options.data(), options.data() + options.size(), user);
  return end.ec == std::errc() ? std::optional(user) : std::nullopt;
}

// id parent major:minor root directory options [tag...] - type source super-options
std::optional<MountRow> parse_row(std::string_view line) {
  constexpr std::size_t kId = 0, kDevice = 2, kDirectory = 4, kFirstTag = 6;
  const auto words = split(line);
  std::size_t dash = kFirstTag;
  while (dash < words.size() && words[dash] != "-") ++dash;
  if (dash + 2 >= words.size()) return std::nullopt;
  return MountRow{std::string(words[kId]),
                  std::string(words[kDevice]),
                  unescape(words[kDirectory]),
                  std::string(words[dash + 1]),
                  unescape(words[dash + 2]),
                  dash + 3 < words.size() ? parse_user(words[dash + 3]) : std::nullopt};
}

}  // namespace

std::vector<MountRow> parse_mount_table(std::string_view text) {
  std::vector<MountRow> table;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (auto row = parse_row(text.substr(0, end))) table.push_back(std::move(*row));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return table;
}

std::optional<MountRow> topmost_at(const std::vector<MountRow>& table, std::string_view directory) {
  std::optional<MountRow> found;
  for (const MountRow& row : table)
    if (row.directory == directory && row.type != "autofs") found = row;
  return found;
}

// An id, and then a device, may be given anew once their mount is gone.
std::optional<MountRow> same_mount(const MountRow& mount, const std::vector<MountRow>& table) {
  const auto same = [&](const MountRow& row) {
    return row.id == mount.id && row.device == mount.device && row.type == mount.type &&
           row.source == mount.source;
  };
  const auto found = std::ranges::find_if(table, same);
  return found == table.end() ? std::nullopt : std::optional(*found);
}

std::vector<MountRow> read_mount_table() {
  std::ifstream file("/proc/self/mountinfo");
  if (!file) throw std::system_error(errno, std::generic_category(), "/proc/self/mountinfo");
  return parse_mount_table(
      std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
}

}  // namespace skimfs::fs
