// SPDX-License-Identifier: MIT
//
// Fetches what a program that goes through the tree will want next: the files that follow on its
// walk, and, when it comes into a directory, a beginning from each other host it will need, so that
// their connections are there.  Of files whose size nobody states it asks that.
//
// Any thread; nothing here waits.  Only reads set it off, and lookups of files whose size the
// manifest does not state: looking up others and listing names do not.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "cache/block_cache.h"
#include "fetch/clock.h"
#include "fetch/fetcher.h"
#include "fs/catalogue.h"
#include "fs/files.h"
#include "fs/reader.h"
#include "fs/resolver.h"
#include "fs/sibling_planner.h"

namespace skimfs::fs {

class SiblingReader {
 public:
  // All references live longer.
  SiblingReader(Files& files, cache::BlockCache& cache, Reader& reader, Resolver& resolver,
                fetch::Fetching& fetching, const fetch::Clock& clock, SiblingLimits limits);

  // A program has read these bytes, or waits for them; `first`: of all since it opened the file.
  // Where memory is short nothing follows.
  void note_read(const RemoteFile& file, cache::Extent bytes, bool first) noexcept;
  // A program looks up, or has looked up, a file of unstated size.
  void note_lookup(FileNumber number) noexcept;
  // The names are others from here on: all walks end.
  void rename(std::shared_ptr<const Catalogue> names);

 private:
  SiblingPlanner reads(const std::shared_ptr<const Catalogue>& names) const;
  SiblingPlanner lookups(const Catalogue& names) const;
  void ask_sizes_behind(FileNumber number);
  void look_behind(const RemoteFile& file);
  void warm_next_hosts(const RemoteFile& read, const Catalogue& names, manifest::Row row,
                       const SiblingPlanner::Walk& walk);

  Files& files_;
  cache::BlockCache& cache_;
  Reader& reader_;
  Resolver& resolver_;
  fetch::Fetching& fetching_;
  const fetch::Clock& clock_;
  const SiblingLimits limits_;
  std::mutex mutex_;
  std::shared_ptr<const Catalogue> names_;  // guarded by mutex_
  SiblingPlanner reads_;                    // of names_; guarded by mutex_
  SiblingPlanner lookups_;                  // of names_; guarded by mutex_
};

}  // namespace skimfs::fs
