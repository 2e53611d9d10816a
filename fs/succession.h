// SPDX-License-Identifier: MIT
//
// What a new manifest keeps of the one before.  Pure.
//
// A name that leads to the same content as before (size, places, pins, digests and who may ask, as
// stated, apart from the signatures of URLs) keeps its number, and with it inode, version and
// cached blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include "fs/catalogue.h"

namespace skimfs::fs {

struct Succession {
  std::shared_ptr<const Catalogue> next;
  // Names of all kinds, the root left out.
  std::uint64_t added = 0, removed = 0, changed = 0, same = 0;
  std::vector<FileNumber> gone;         // of what was removed or changed
  std::vector<FileNumber> gone_others;  // of those the directories and links
  std::vector<FileNumber> restated;     // the same content with another mode or mtime
  std::vector<FileNumber> lists;        // directories whose list, or its order, changed
};

// `undated`: as for the Catalogue; `now`: when lists change.  Throws std::length_error when no
// number is left, std::runtime_error once `stop` is requested.  What is read of damaged trees makes
// a Succession that must not be used: see Tree::intact().
Succession succeed(const Catalogue& before, std::shared_ptr<const manifest::Tree> tree,
                   manifest::Time undated, manifest::Time now, const std::stop_token& stop = {});

// Do they state the same bytes?
bool same_content(const manifest::Content& a, const manifest::Content& b);

}  // namespace skimfs::fs
