// SPDX-License-Identifier: MIT
//
// The manifest readers: any bytes become a whole tree or an error.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fs/manifest/load.h"

namespace {

using namespace skimfs::fs::manifest;

void require(bool holds) {
  if (!holds) std::abort();
}

// Where a chain of ".." and names ends must be inside the mount.
void check_link(const Tree& tree, Row row) {
  std::string_view target = tree.link_target(row);
  require(!target.empty() && target.front() != '/');
  const Entry link = tree.entry(row);
  require(link.size == target.size());
  long depth = 0;
  for (Row each = link.parent; each != kRoot; each = tree.entry(each).parent) ++depth;
  while (!target.empty()) {
    const std::string_view name = target.substr(0, target.find('/'));
    depth += name == ".." ? -1 : 1;
    require(depth >= 0);
    target.remove_prefix(std::min(target.size(), name.size() + 1));
  }
}

void check_content(const Tree& tree, Row row) {
  const Entry file = tree.entry(row);
  const Content content = tree.content(row);
  std::uint64_t at = 0;
  for (const Part& part : content.parts) {
    require(part.at == at);
    require(part.urls.empty() ? part.literal.size() == part.length : part.literal.empty());
    require(part.length || content.parts.size() == 1);
    require(!part.total || *part.total >= part.offset + part.length.value_or(0));
    for (const std::string& url : part.urls) {
      require(url.starts_with("http://") || url.starts_with("https://"));
      require(std::all_of(url.begin(), url.end(),
                          [](char each) { return each > 0x20 && each < 0x7f; }));
      require(url.find('#') == std::string::npos);
    }
    at += part.length.value_or(0);
  }
  if (file.size) require(at == *file.size);
}

void check(const Tree& tree) {
  std::uint64_t listed = 1;
  for (Row row = 0; row < tree.rows(); ++row) {
    const Entry entry = tree.entry(row);
    const auto children = tree.children(row);
    listed += children.size();
    require(children.empty() || entry.kind == Kind::directory);
    require(std::is_sorted(children.begin(), children.end()));
    if (row == kRoot) continue;
    require(entry.parent < row && tree.entry(entry.parent).kind == Kind::directory);
    require(tree.find(entry.parent, entry.name) == row);
    require(entry.name != "." && entry.name != ".." &&
            entry.name.find('/') == std::string_view::npos);
    require(!entry.name.empty() && entry.name.size() <= 255);
    require(tree.path(row).size() <= 4095);
    require((entry.mode & 0222) == 0 || entry.kind == Kind::link);
    if (entry.kind == Kind::link) check_link(tree, row);
    if (entry.kind == Kind::file) check_content(tree, row);
  }
  require(listed == tree.rows());
}

void load_as(const char* format, std::string_view text, OnBadEntry on_bad_entry) {
  ReadOptions options;
  options.format = format;
  options.raw_names = true;
  options.on_bad_entry = on_bad_entry;
  try {
    check(*load_text(text, "fuzz", options).tree);
  } catch (const ManifestError& error) {
    require(error.what()[0] != '\0');
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const OnBadEntry on_bad_entry : {OnBadEntry::fail, OnBadEntry::skip}) {
    load_as("", text, on_bad_entry);
    load_as("skimfs", text, on_bad_entry);
    load_as("urls", text, on_bad_entry);
  }
  return 0;
}
