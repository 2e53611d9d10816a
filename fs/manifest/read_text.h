// SPDX-License-Identifier: MIT
//
// One pass over the text of a manifest: finds its format, and carries its faults to whoever asked.
//
// Bounded memory apart from the tree, see tree_builder.h.  Any thread; nothing is shared.
#pragma once

#include <string>
#include <string_view>

#include "fs/manifest/line_reader.h"
#include "fs/manifest/load.h"

namespace skimfs::fs::manifest {

struct ReadText {
  Loaded loaded;  // without the tree
  Layout tree;
};

// `name` stands for the file in messages.  `spool`: as TreeBuilder.  Throws ManifestError, what
// `source` throws, and std::system_error when the spool's disk is full.
ReadText read_text(Source source, std::string_view name, const ReadOptions& options,
                   const std::string& spool = {});

// As load() returns it.
Loaded with_tree(ReadText read);

}  // namespace skimfs::fs::manifest
