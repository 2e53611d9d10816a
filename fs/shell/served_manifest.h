// SPDX-License-Identifier: MIT
//
// The manifest that a mount shows: where it came from, how it fares, and going over to what it says
// now.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "fs/filesystem.h"
#include "fs/manifest/load.h"
#include "fs/options.h"
#include "fs/shell/kept_lists.h"
#include "fs/shell/session.h"

namespace skimfs::fs::shell {

class ServedManifest {
 public:
  // References live longer.  `loaded`: what `files` shows; its words have been logged.
  ServedManifest(const Options& options, manifest::Loaded loaded, FileSystem& files,
                 Session& session, KeptLists& lists);

  const std::string& source() const noexcept { return source_; }  // without query
  std::uint64_t skipped_lines() const;                            // any thread

  // Reads it again, and tells kernel and log.  Returns "+added -removed ~changed =same".  One
  // thread at a time.  Throws std::exception, and nothing has changed then.
  std::string reload(const std::stop_token& stop);

  // To be called every second.  The first on any one thread: has it been damaged?  The second on
  // reload()'s: what the kernel is to forget by now, or is to be told once more.
  void watch();
  void tell_again(const std::stop_token& stop) noexcept;
  // Once the `stop` of the calls above is requested: waits until the kernel is being told of
  // nothing any more.  Nor will it be: each telling looks at `stop` first.
  void finish_telling() noexcept { const std::lock_guard lock(telling_); }

 private:
  std::string go_over(manifest::Loaded loaded, const std::stop_token& stop);
  using Forget = void (Session::*)(Inode) noexcept;
  void tell(const std::vector<Inode>& inodes, Forget forget, const std::stop_token& stop) noexcept;
  void tell(const Files::Replaced& inodes, const std::stop_token& stop) noexcept;

  const Options& options_;
  const std::string source_;
  FileSystem& files_;
  Session& session_;
  KeptLists& lists_;
  std::mutex telling_;  // one inode at a time, and then `stop` is looked at
  mutable std::mutex mutex_;
  std::uint64_t skipped_lines_;               // guarded by mutex_
  std::string kept_index_;                    // guarded by mutex_; empty: it is not ours to remove
  std::shared_ptr<const Catalogue> kept_of_;  // guarded by mutex_; these names are kept_index_'s
  bool shows_its_end_;                        // reload() only
  std::shared_ptr<const Catalogue> damaged_;  // told of; watch() only
};

// Warnings and skipped lines go to the log.
void report_loaded(const manifest::Loaded& loaded, const std::string& source);

}  // namespace skimfs::fs::shell
