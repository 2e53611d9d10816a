// SPDX-License-Identifier: MIT
//
// The grammar of -o.
#include "fs/option_list.h"

#include <algorithm>
#include <array>

namespace skimfs::fs {
namespace {

// Words for mount(8), libmount and systemd; what is forced anyway (ro, nosuid, nodev); what means
// nothing on a read-only mount of no device.  See mount(8) and systemd.mount(5).
constexpr std::array kDropped = std::to_array<std::string_view>(
    {"auto",       "noauto", "user",     "nouser",     "users", "owner",   "group",
     "_netdev",    "nofail", "defaults", "ro",         "rw",    "nosuid",  "suid",
     "nodev",      "dev",    "relatime", "norelatime", "atime", "noatime", "diratime",
     "nodiratime", "sync",   "async",    "loop"});

constexpr std::array kDroppedStarts =
    std::to_array<std::string_view>({"comment=", "user=", "x-", "X-"});

constexpr std::array kForKernel = std::to_array<std::string_view>({"exec", "noexec"});

// SELinux labels, see mount(8).
constexpr std::array kForKernelStarts =
    std::to_array<std::string_view>({"context=", "fscontext=", "defcontext=", "rootcontext="});

template <std::size_t N>
bool one_of(std::string_view item, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), item) != words.end();
}

template <std::size_t N>
bool starts_with_one_of(std::string_view item, const std::array<std::string_view, N>& starts) {
  return std::any_of(starts.begin(), starts.end(),
                     [item](std::string_view start) { return item.starts_with(start); });
}

// The inverse of split_option_list().
void append_item(std::string& list, std::string_view item) {
  if (!list.empty()) list += ',';
  for (std::size_t at = 0; at < item.size(); ++at) {
    if (item.substr(at).starts_with("=\"")) {
      const std::size_t quote = item.find('"', at + 2);
      list += item.substr(at, quote + 1 - at);
      at = quote;
    } else {
      if (item[at] == ',' || item[at] == '\\') list += '\\';
      list += item[at];
    }
  }
}

}  // namespace

std::vector<std::string> split_option_list(std::string_view list) {
  std::vector<std::string> items(1);
  for (std::size_t at = 0; at < list.size(); ++at) {
    const char byte = list[at];
    const char next = at + 1 < list.size() ? list[at + 1] : '\0';
    if (byte == ',') {
      items.emplace_back();
    } else if (byte == '\\' && (next == ',' || next == '\\')) {
      items.back() += list[++at];
    } else if (byte == '=' && next == '"') {
      const std::size_t quote = list.find('"', at + 2);
      if (quote == std::string_view::npos) {
        throw OptionError("a quote that does not end in -o " + std::string(list));
      }
      items.back() += list.substr(at, quote + 1 - at);
      at = quote;
    } else {
      items.back() += byte;
    }
  }
  std::erase(items, "");
  return items;
}

std::vector<std::string> apply_option_list(std::string_view list, Options& options) {
  std::vector<std::string> warnings;
  for (const std::string& item : split_option_list(list)) {
    if (one_of(item, kDropped) || starts_with_one_of(item, kDroppedStarts)) continue;
    if (one_of(item, kForKernel) || starts_with_one_of(item, kForKernelStarts)) {
      append_item(options.kernel_options, item);
      continue;
    }
    const std::string_view whole = item;
    const std::size_t equals = whole.find('=');
    const std::string_view name = whole.substr(0, equals);
    if (name == "remount") {
      throw RemountError(
          "remount: a running mount cannot be changed; unmount it, then mount again");
    }
    if (options.sloppy && find_option(name) == nullptr) {
      warnings.push_back(unknown_option(name) + " (ignored)");
    } else if (equals == std::string_view::npos) {
      set_option(options, name, std::nullopt);
    } else {
      set_option(options, name, whole.substr(equals + 1));
    }
  }
  return warnings;
}

}  // namespace skimfs::fs
