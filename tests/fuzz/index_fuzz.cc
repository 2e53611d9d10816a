// SPDX-License-Identifier: MIT
//
// Compiled manifests: any bytes, with checks that fit them, become a tree that tells nothing a
// manifest could not say, or an error.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/manifest/index_bytes.h"

namespace {

using namespace skimfs::fs::manifest;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_content(const Tree& tree, const Entry& file) {
  const Content content = tree.content(file.row);
  if (!tree.intact()) return;
  std::uint64_t at = 0;
  for (const Part& part : content.parts) {
    require(part.at == at);
    require(part.urls.empty() ? part.literal.size() == part.length : part.literal.empty());
    for (const std::string& url : part.urls) {
      require(url.starts_with("http://") || url.starts_with("https://"));
      require(std::all_of(url.begin(), url.end(),
                          [](char each) { return each > 0x20 && each < 0x7f; }));
    }
    at += part.length.value_or(0);
  }
  if (file.size) require(at == *file.size);
}

void check_row(const Tree& tree, Row row) {
  const Entry entry = tree.entry(row);
  const std::string path = tree.path(row);
  const std::string_view target = tree.link_target(row);
  const auto found = tree.find(entry.parent, entry.name);
  for (const Row child : tree.children(row)) tree.entry(child);
  if (!tree.intact()) return;
  require(path.size() <= 4095 && path.front() == '/');
  require(entry.kind == Kind::link ? !target.empty() && target.front() != '/' : target.empty());
  require((entry.mode & 0222) == 0 || entry.kind == Kind::link);
  if (row == kRoot) return;
  require(entry.parent < row && !entry.name.empty());
  require(entry.name.find('/') == std::string_view::npos);
  require(!found || tree.entry(*found).name == entry.name);
}

void check(std::string index) {
  const Memory file(index);
  try {
    const Tree tree = tree_of_index(file);
    for (Row row = 0; row < tree.rows() && tree.intact(); ++row) {
      check_row(tree, row);
      if (tree.entry(row).kind == Kind::file) check_content(tree, tree.entry(row));
    }
  } catch (const IndexError& error) {
    require(error.what()[0] != '\0');
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string index(reinterpret_cast<const char*>(data), size);
  check(index);
  seal(index);
  check(index);
  return 0;
}
