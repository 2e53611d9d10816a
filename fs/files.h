// SPDX-License-Identifier: MIT
//
// Which inode a name leads to now, and what is known of it beyond the manifest.
//
// A row that was never opened or probed costs nothing here.  Any thread; a leaf lock over the maps.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <unordered_map>

#include "fetch/clock.h"
#include "fetch/result.h"
#include "fs/answer.h"
#include "fs/auth/profiles.h"
#include "fs/manifest/tree.h"
#include "fs/remote_file.h"
#include "fs/version_pin.h"

namespace skimfs::fs {

// Inode numbers: row + 1 in the low 40 bits, how often the content changed above.
constexpr Inode inode_of(manifest::Row row, std::uint64_t generation) noexcept {
  return row + Inode{1} + (generation << 40);
}
constexpr manifest::Row row_of(Inode inode) noexcept {
  return static_cast<manifest::Row>((inode & ((Inode{1} << 40) - 1)) - 1);
}
constexpr std::uint64_t generation_of(Inode inode) noexcept { return inode >> 40; }

// Who asks for files: where the manifest names no profile, `standard` does; empty: nobody.
struct Credentials {
  std::shared_ptr<const auth::Profiles> profiles = nullptr;  // null: there are none
  std::string standard = {};
};

class Files {
 public:
  // `validator`: of rows for which the manifest names none.
  Files(std::shared_ptr<const manifest::Tree> tree, manifest::Time default_mtime,
        Validator validator, VerifyPolicy verify, Credentials credentials);

  const manifest::Tree& tree() const noexcept { return *tree_; }
  std::shared_ptr<const manifest::Tree> share_tree() const noexcept { return tree_; }
  bool valid(Inode inode) const noexcept;  // could it ever have been given out?
  bool size_stated(manifest::Row row) const noexcept;
  // What the manifest says of the row's versions.
  Stated stated(const manifest::Content& content, std::optional<std::uint64_t> size) const;
  // Who asks for the row's objects.
  std::shared_ptr<const fetch::Profile> profile(const manifest::Content& content) const;
  // Why what was just read of the tree does not count; empty: it does.
  std::error_code fault() const noexcept;

  // What stat(2) shows of the row's present version; empty while a file's size is not known.
  std::optional<Attributes> attributes(manifest::Row row) const;
  // Of this very version.  Errors: changed, when no handle is open on it any more.
  fetch::Result<Attributes> attributes(Inode inode) const;

  // The present version, for a new handle.  Errors: changed, when `inode` is not it;
  // EAGAIN while the size is not known.
  fetch::Result<std::shared_ptr<RemoteFile>> open(Inode inode);
  // The version behind a present inode, when it was ever opened or probed.
  std::shared_ptr<VersionPin> pin(Inode inode) const;
  // How it is verified, when it was ever opened; null: not at all.
  std::shared_ptr<Integrity> integrity(Inode inode) const;

  // A probe's answer, by this source, for a row without a stated size.  false: it contradicts what
  // is stated, and was not believed.
  bool probed(manifest::Row row, std::size_t source, const fetch::Version& seen,
              fetch::TimePoint now);
  // A probe that failed lately, for as long as it stands.
  std::error_code failure(manifest::Row row, fetch::TimePoint now) const;
  void failed(manifest::Row row, std::error_code why, fetch::TimePoint until);

  // What last went wrong with the row's bytes; empty: nothing.
  void note_error(manifest::Row row, std::error_code why);
  std::error_code last_error(manifest::Row row) const;

  // The version of `inode` has ended: the row gets a new inode.  false: it has one already.
  bool supersede(Inode inode);

 private:
  struct Slot {
    std::uint64_t generation = 0;
    std::shared_ptr<VersionPin> pin;       // null: nothing learned yet
    std::shared_ptr<Integrity> integrity;  // null: never opened, or nothing is verified
    std::optional<std::uint64_t> size;     // bytes, as probed
    std::optional<manifest::Time> mtime;   // as probed
    std::weak_ptr<RemoteFile> file;        // while handles or fills need it
    std::error_code failure;
    fetch::TimePoint failure_until{};
    std::error_code last_error;
  };

  std::optional<Attributes> describe(manifest::Row row, const Slot* slot) const;
  const Slot* slot(manifest::Row row) const;
  std::shared_ptr<Integrity> plan(Inode inode, const manifest::Content& content,
                                  const std::shared_ptr<const fetch::Profile>& who,
                                  std::uint64_t size) const;

  const std::shared_ptr<const manifest::Tree> tree_;
  const manifest::Time default_mtime_;
  const Validator validator_;
  const VerifyPolicy verify_;
  Credentials credentials_;
  mutable std::mutex mutex_;
  std::unordered_map<manifest::Row, Slot> slots_;  // guarded by mutex_
  // Versions that ended with handles open.  Guarded by mutex_.
  std::unordered_map<Inode, std::pair<std::weak_ptr<RemoteFile>, Attributes>> ended_;
};

}  // namespace skimfs::fs
