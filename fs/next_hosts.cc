// SPDX-License-Identifier: MIT
#include "fs/next_hosts.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "fs/remote_file.h"

namespace skimfs::fs {

using manifest::Kind;
using manifest::Row;
using manifest::Tree;

namespace {

constexpr std::ptrdiff_t kRows = 32;
// By then a program that goes on has made a walk, and that meets the others.
constexpr std::size_t kHosts = 4;

// Of the first byte; empty: it comes from no server.
std::vector<std::string> urls(const Tree& tree, Row row) {
  manifest::Content content = tree.content(row);
  if (content.parts.empty()) return {};
  return std::move(content.parts.front().urls);
}

}  // namespace

std::vector<NextHost> next_hosts(const Tree& tree, Row row) {
  std::vector<NextHost> found;
  std::vector<std::string> met;
  const auto meet = [&met](const std::string& url) {
    const std::string_view host = authority(url);
    if (std::ranges::find(met, host) != met.end()) return false;
    met.emplace_back(host);
    return true;
  };
  if (const auto own = urls(tree, row); !own.empty()) meet(own.front());

  const auto children = tree.children(tree.entry(row).parent);
  auto next = std::upper_bound(children.begin(), children.end(), row);
  const auto rows = std::min(kRows, children.end() - next);
  for (auto left = rows; left > 0 && found.size() < kHosts; --left, ++next) {
    const manifest::Entry entry = tree.entry(*next);
    if (entry.kind != Kind::file || entry.size.value_or(0) == 0) continue;
    fetch::Object object{urls(tree, *next), nullptr};
    if (object.urls.empty() || !meet(object.urls.front())) continue;
    found.push_back({*next, std::move(object)});
  }
  return found;
}

}  // namespace skimfs::fs
