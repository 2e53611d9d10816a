// SPDX-License-Identifier: MIT
//
// See load_open.h.
#include "fs/manifest/load_open.h"

#include <system_error>

#include "fs/manifest/read_text.h"

namespace skimfs::fs::manifest {
namespace {

// One that was named as the source.
Loaded load_index(const TextFile& file, const ReadOptions& options) {
  if (!options.format.empty() || !options.base.empty() || options.strip > 0) {
    throw ManifestError(file.name(),
                        "is compiled already: format=, base= and strip= are for its build");
  }
  try {
    Index index = open_index(file.descriptor());
    if (options.report) check_whole(index.tree);
    return loaded_from(std::move(index));
  } catch (const IndexError& error) {
    throw ManifestError(file.name(), std::string("compiled manifest is ") + error.what() +
                                         ": build it again with skimfs manifest build");
  } catch (const std::system_error& error) {
    throw ManifestError(file.name(), std::string("cannot be read: ") + error.what());
  }
}

}  // namespace

Loaded loaded_from(Index index) {
  Loaded loaded;
  loaded.format = std::move(index.provenance.format);
  loaded.errors = index.provenance.errors;
  loaded.examples = std::move(index.provenance.examples);
  loaded.warnings = std::move(index.provenance.warnings);
  loaded.tree = std::make_shared<const Tree>(std::move(index.tree));
  return loaded;
}

Loaded load_open(const TextFile& file, const ReadOptions& options) {
  if (file.regular() && is_index(file.descriptor())) return load_index(file, options);
  return with_tree(
      read_text([&](std::span<char> into) { return file.read(into); }, file.name(), options));
}

}  // namespace skimfs::fs::manifest
