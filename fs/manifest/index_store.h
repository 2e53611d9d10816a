// SPDX-License-Identifier: MIT
//
// The directory of compiled manifests that are kept from one mount to the next.
//
// TEXT.READING.skimx is an index, named by the text's SHA-256 and the beginning of that of how it
// was read.  PATH.READING.note says which text a file held when it was last read, so that a text
// that nobody touched need not be read to find its index.  All of it may be removed at any time.
// Several processes may use one directory.  Throws std::system_error.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

#include "fs/manifest/index_file.h"
#include "fs/manifest/load.h"

namespace skimfs::fs::manifest {

// What changes when somebody writes to a file, or puts another in its place.
struct Stamp {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t written = 0, changed = 0;  // nanoseconds since 1970

  friend bool operator==(const Stamp&, const Stamp&) = default;
};
Stamp stamp_of(const struct stat& file) noexcept;

// How a text was read: its options, and the version of this program.
Digest reading_of(const ReadOptions& options);

// One manifest, read one way.
struct IndexKey {
  std::string path;  // absolute, without symbolic links
  Digest reading{};
};

struct IndexNote {
  Stamp stamp;
  Digest text{};
};

class IndexStore {
 public:
  // Makes the directory, which must be this user's alone and on a local disk.
  explicit IndexStore(const std::string& directory);

  const std::string& directory() const noexcept { return directory_; }

  // Where the index of a text is or should be.
  std::string index_path(const Digest& text, const Digest& reading) const;
  // Empty when there is none, or none that can be used.
  std::optional<Index> open(const Digest& text, const Digest& reading) const;

  std::optional<IndexNote> note(const IndexKey& key) const;
  // `file`: as it was before and after the text was read.  If it was written so lately that another
  // change would not show, the text will be read again to know it.
  void remember(const IndexKey& key, const Stamp& file, const Digest& text) const;

  // Removes what no manifest needs: indexes without a note, notes whose manifest is gone.
  void sweep() const;

 private:
  std::string note_path(const IndexKey& key) const;

  const std::string directory_;
};

}  // namespace skimfs::fs::manifest
