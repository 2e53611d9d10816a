// SPDX-License-Identifier: MIT
//
// The manifest as the options of a mount want it read.
#include "fs/load_manifest.h"

#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "fs/manifest/compile.h"

namespace skimfs::fs {
namespace {

// Root's cache is never where the environment says: su(1) and sudo(8) may leave a user's there.
std::string index_directory(const std::string& option) {
  if (option != "auto") return option == "off" ? "" : option;
  if (geteuid() == 0) return "/var/cache/skimfs";
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && cache[0] == '/') return std::string(cache) + "/skimfs";
  const char* const home = std::getenv("HOME");
  return home != nullptr && home[0] == '/' ? std::string(home) + "/.cache/skimfs" : "";
}

}  // namespace

manifest::ReadOptions read_options(const Options& options) {
  manifest::ReadOptions reading;
  reading.format = options.format;
  reading.base = options.base;
  reading.strip = options.strip;
  reading.raw_names = options.raw_names;
  reading.on_bad_entry =
      options.on_error == OnError::skip ? manifest::OnBadEntry::skip : manifest::OnBadEntry::fail;
  return reading;
}

// A unit is held in memory until it is verified, and a read may need two.
void check_units(const Options& options, const manifest::Totals& totals) {
  if (options.whole_max() > options.memory / 2) {
    throw OptionError("verify_whole=" + size_text(options.whole_max()) +
                      " is above half of memory=" + size_text(options.memory) +
                      "; raise memory or lower it");
  }
  if (options.verify != Verify::off && totals.largest_piece > options.memory / 4) {
    throw manifest::ManifestError(options.source,
                                  "pieces of " + size_text(totals.largest_piece) +
                                      " need memory=" + size_text(4 * totals.largest_piece) +
                                      ", found memory=" + size_text(options.memory) +
                                      "; raise memory or set verify=off");
  }
}

manifest::Loaded load_manifest(const Options& options, std::stop_token stop) {
  manifest::ReadOptions reading = read_options(options);
  reading.stop = std::move(stop);
  const std::string directory = index_directory(options.index);
  manifest::Loaded loaded =
      directory.empty()
          ? manifest::load(options.source, reading)
          : manifest::load_kept(options.source, reading, {.directory = directory});
  const std::uint64_t unknown = loaded.tree->totals().unknown_sizes;
  if (options.size_probe == SizeProbe::refuse && unknown != 0) {
    throw manifest::ManifestError(
        options.source,
        std::to_string(unknown) + " files have no size, which size_probe=refuse forbids");
  }
  check_units(options, loaded.tree->totals());
  return loaded;
}

}  // namespace skimfs::fs
