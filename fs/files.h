// SPDX-License-Identifier: MIT
//
// Which inode a name leads to now, and what is known of it beyond the manifest.
//
// A file of which no answer has come costs nothing here, one that nobody has open no more than what
// the answers said.  Any thread; under the lock over the maps nothing of a tree is read and nobody
// is waited for: other locks that are taken there are of versions that nobody else holds.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <unordered_map>
#include <vector>

#include "fetch/clock.h"
#include "fetch/result.h"
#include "fs/answer.h"
#include "fs/auth/profiles.h"
#include "fs/catalogue.h"
#include "fs/manifest/tree.h"
#include "fs/remote_file.h"
#include "fs/succession.h"
#include "fs/version_pin.h"

namespace skimfs::fs {

// Inode numbers: the file's number + 1 in the low 40 bits, how often the content changed above.
constexpr Inode inode_of(FileNumber number, std::uint64_t generation) noexcept {
  return number + Inode{1} + (generation << 40);
}
// At least kNumbers for an inode that is none.
constexpr FileNumber number_of(Inode inode) noexcept {
  return (inode & ((Inode{1} << 40) - 1)) - 1;
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

  // The names as they are now.
  std::shared_ptr<const Catalogue> names() const;
  // Errors: changed, when no name leads to it any more; io_error, when the tree is damaged.
  fetch::Result<manifest::Content> content(FileNumber number) const;
  // For messages; of what no name leads to any more "(removed)".
  std::string path(FileNumber number) const;
  // What the manifest says of the row's versions.
  Stated stated(const manifest::Content& content, std::optional<std::uint64_t> size) const;
  // Who asks for the row's objects.
  std::shared_ptr<const fetch::Profile> profile(const manifest::Content& content) const;
  // Why what was just read of the tree does not count; empty: it does.
  static std::error_code fault(const Catalogue& names) noexcept;

  // What stat(2) shows of the row's present version; empty while a file's size is not known.
  std::optional<Attributes> attributes(const Catalogue& names, manifest::Row row) const;
  // Of this very version.  Errors: changed, when no handle is open on it any more.
  fetch::Result<Attributes> attributes(Inode inode) const;

  // Has another version, or nothing, taken its place?
  bool ended(Inode inode) const;

  // The present version, for a new handle.  Errors: changed, when `inode` is not it;
  // EAGAIN while the size is not known.
  fetch::Result<std::shared_ptr<RemoteFile>> open(Inode inode);
  // Of how many files more is known than the manifest states.
  std::size_t remembered() const;

  // A probe's answer, by this source, for a file without a stated size.  `early`: it was not sent
  // for a lookup.  false: it contradicts what is stated, and was not believed.
  bool probed(FileNumber number, std::size_t source, const fetch::Version& seen,
              fetch::TimePoint now, bool early);
  // A program looks the file up.  Result: since when its size is known, if it is the first.
  std::optional<fetch::TimePoint> looked_up(FileNumber number);
  bool never_looked_up(FileNumber number) const;  // since its size is known
  // Is this the first time that it is asked so since the size of `inode` was asked for?
  bool first_use_of_probe(Inode inode);
  // A probe that failed lately, for as long as it stands.
  std::error_code failure(FileNumber number, fetch::TimePoint now) const;
  void failed(FileNumber number, std::error_code why, fetch::TimePoint until);

  // What last went wrong with the file's bytes; empty: nothing.
  void note_error(FileNumber number, std::error_code why);
  std::error_code last_error(FileNumber number) const;

  // The version of `inode` has ended: the file gets a new inode.  false: it has one already.
  bool supersede(Inode inode);

  // Which inodes are not what they were.
  struct Replaced {
    std::vector<Inode> attributes;  // nothing but: files that ended, whatever shows others now
    std::vector<Inode> contents;  // too: directories whose list changed, those and links that ended
  };
  // From here on the names are those of `succession`, which was made from names().  Files that it
  // keeps keep all that is known of them; handles on the others go on with what they have.  One
  // caller at a time.
  std::shared_ptr<const Replaced> replace(const Succession& succession);

 private:
  // A version that was used lately, or of which too much is known for a slot.
  struct Version {
    std::shared_ptr<VersionPin> pin;
    std::shared_ptr<Integrity> integrity;  // null: nothing is verified
    std::weak_ptr<RemoteFile> file;        // while handles or fills need it
    bool awake = false;                    // its file is in awake_
  };
  struct Slot {
    std::uint64_t generation = 0;
    std::unique_ptr<Version> version;  // null: these two are all that is known of it
    std::unique_ptr<const VersionPin::Learned> learned;
    Integrity::Found found;
    std::optional<std::uint64_t> size;           // bytes, as probed
    std::optional<manifest::Time> mtime;         // as probed
    bool unused_probe = false;                   // see first_use_of_probe()
    std::optional<fetch::TimePoint> early = {};  // see looked_up()
    std::error_code failure;
    fetch::TimePoint failure_until{};
    std::error_code last_error;
  };

  // What a manifest says of a file; counts while names_ are the same.
  struct Line {
    std::shared_ptr<const Catalogue> names;
    std::optional<manifest::Row> row;  // empty: no name leads to it
    manifest::Entry entry;
  };
  Line line(FileNumber number) const;
  static std::optional<Attributes> describe(const Catalogue& names, const manifest::Entry& entry,
                                            const Slot* slot);
  const Slot* slot(FileNumber number) const;
  std::uint64_t generation(FileNumber number) const;
  // With the lock held, of names_.
  fetch::Result<std::shared_ptr<RemoteFile>> open(Inode inode, std::string path,
                                                  const manifest::Entry& entry,
                                                  manifest::Content content,
                                                  const std::shared_ptr<const fetch::Profile>& who);
  // Its version; made, of what is remembered of it, where there is none.
  Version& wake(FileNumber number, Slot& slot, const manifest::Content& content,
                const std::shared_ptr<const fetch::Profile>& who, std::uint64_t size);
  void stay_awake(FileNumber number, Version& version);
  void let_rest() noexcept;
  static bool rest(Slot& slot) noexcept;
  static bool is_blank(const Slot& slot) noexcept;
  // For the file to be known by; null when no name leads to it.
  Slot* grow(FileNumber number);
  void keep_ended(Inode inode, const Slot& slot, const manifest::Entry& entry);
  void forget_ended() noexcept;
  // Those with handles or fills, and what the names so far say of them.
  using InUse = std::unordered_map<std::shared_ptr<RemoteFile>, manifest::Entry>;
  std::vector<std::shared_ptr<RemoteFile>> in_use() const;
  void renew(RemoteFile& file, const Catalogue& before, const Catalogue& next) const;
  // Null: another one has come into use.
  std::shared_ptr<const Replaced> take_over(const Succession& succession, const InUse& in_use);
  std::shared_ptr<Integrity> plan(Inode inode, const manifest::Content& content,
                                  const std::shared_ptr<const fetch::Profile>& who,
                                  std::uint64_t size, Integrity::Found found) const;

  const Validator validator_;
  const VerifyPolicy verify_;
  Credentials credentials_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Catalogue> names_;      // guarded by mutex_
  std::unordered_map<FileNumber, Slot> slots_;  // guarded by mutex_
  std::vector<FileNumber> awake_;               // guarded by mutex_; in use when last looked at
  std::size_t hand_ = 0;                        // guarded by mutex_; in awake_
  // Versions that ended with handles open.  Guarded by mutex_.
  std::unordered_map<Inode, std::pair<std::weak_ptr<RemoteFile>, Attributes>> ended_;
};

}  // namespace skimfs::fs
