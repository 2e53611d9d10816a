// SPDX-License-Identifier: MIT
//
// See load.h.
#include "fs/manifest/load.h"

#include <algorithm>

#include "fs/manifest/load_open.h"
#include "fs/manifest/read_text.h"

namespace skimfs::fs::manifest {

bool shows_its_end(const Loaded& loaded) {
  return loaded.format == "skimfs" &&
         std::find(loaded.warnings.begin(), loaded.warnings.end(), kNoEnd) == loaded.warnings.end();
}

Loaded load(const std::string& path, const ReadOptions& options) {
  return load_open(TextFile(path, options.stop), options);
}

Loaded load_text(std::string_view text, std::string_view name, const ReadOptions& options) {
  const auto source = [&](std::span<char> into) {
    const std::size_t count = std::min(text.size(), into.size());
    std::copy_n(text.data(), count, into.data());
    text.remove_prefix(count);
    return count;
  };
  return with_tree(read_text(source, name, options));
}

}  // namespace skimfs::fs::manifest
