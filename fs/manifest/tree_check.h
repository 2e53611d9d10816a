// SPDX-License-Identifier: MIT
//
// What the manifest readers promise of a tree, asked of one that comes from a compiled index.
//
// Pure.  The index may be hostile: names, links and URLs go to the kernel and into requests.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "fs/manifest/tree.h"

namespace skimfs::fs::manifest {

bool is_sane(const Record& record, Row row, std::string_view name) noexcept;

// `link`: the entry it stands in.
bool is_sane_link(const Tree& tree, const Entry& link, std::string_view target) noexcept;

// `size`: of the file.  `largest_piece`: as the tree's totals say, by which memory was planned.
// Throws BadText.
void check_content(const Content& content, std::optional<std::uint64_t> size,
                   std::uint64_t largest_piece);

}  // namespace skimfs::fs::manifest
