// SPDX-License-Identifier: MIT
//
// The file system without FUSE: names, versions, reads.
//
// Any thread.  A call named try_* answers from memory, or says with an empty optional that the
// request must be parked and handed to the call without try_, which answers through an Answer.
// Nothing here ever waits.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "cache/block_cache.h"
#include "fetch/clock.h"
#include "fetch/fetcher.h"
#include "fetch/result.h"
#include "fs/answer.h"
#include "fs/catalogue.h"
#include "fs/files.h"
#include "fs/manifest/tree.h"
#include "fs/verification.h"
#include "fs/version_pin.h"

namespace skimfs::fs {

using fetch::Result;

struct FileSystemLimits {
  std::chrono::seconds revalidate{60};    // an older pin is asked for again at open
  bool immutable = false;                 // never ask again
  bool tell_ended = false;                // see take_ended()
  std::uint64_t spool_max = 32u << 20;    // bytes of a whole body that may stand in for a range
  std::uint64_t window_max = 64u << 20;   // bytes one reader's read-ahead may reach
  std::uint64_t segment_max = 15u << 20;  // bytes of one request
  VerifyPolicy verify;                    // digests that the manifest states
  std::uint32_t siblings_max = 64;        // files fetched before they are opened
  std::uint64_t siblings_bytes_max = 16u << 20;
  manifest::Time default_mtime;             // of what neither manifest nor server dates
  Validator validator = Validator::strict;  // of files for which the manifest names none
  Credentials credentials;
};

// What a reload has done.
struct Reloaded {
  std::uint64_t added = 0, removed = 0, changed = 0, same = 0;  // names
  std::shared_ptr<const Files::Replaced> inodes;  // what the kernel believes of them is past
};

struct SpaceTotals {
  std::uint64_t bytes = 0, files = 0;
};

// What programs saw, counted.
struct FileSystemStatus {
  std::uint64_t reads = 0;  // answered
  std::uint64_t bytes_served = 0;
  std::uint64_t read_hits = 0;  // answered from memory at once
  std::uint64_t errors = 0;     // requests that ended in an errno the server caused
  std::uint64_t probes = 0, versions_changed = 0;
  std::uint64_t bytes_verified = 0;     // compared with a digest and found right
  std::uint64_t digest_mismatches = 0;  // and found wrong, each attempt counted
  std::uint64_t files_remembered = 0;   // of which more is known than the manifest states
};

class FileSystem {
 public:
  // All references live longer.  `fetching` has finished every order before this goes: they end
  // here.
  FileSystem(std::shared_ptr<const manifest::Tree> tree, cache::BlockCache& cache,
             fetch::Fetching& fetching, const fetch::Clock& clock, FileSystemLimits limits);
  ~FileSystem();

  // How long the kernel believes a name.  It is not told when one has changed: to be told of it, it
  // wants a lock that a lookup may hold while it waits for us.
  static constexpr std::chrono::seconds kNameTimeout{60};

  // The names as they are now.
  std::shared_ptr<const Catalogue> names() const;
  // Names that are kept are told apart by a mark, the low bits of `marked`; those that are no
  // longer kept are as they are now.
  static constexpr int kMarkBits = 3;
  static std::uint64_t mark(const Catalogue& names) noexcept;
  std::shared_ptr<const Catalogue> marked(std::uint64_t marked) const;

  // Goes over to the names of another manifest.  Files that it states as before keep inode, version
  // and cached bytes; open handles go on with theirs.  `undated`: as default_mtime; `now`: since
  // 1970.  One caller at a time.  Errors: io_error when a tree is damaged.  Throws std::bad_alloc
  // and what succeed() throws; nothing has happened then.
  Result<Reloaded> reload(std::shared_ptr<const manifest::Tree> tree, manifest::Time undated,
                          manifest::Time now, const std::stop_token& stop = {});
  // To be called every second: what the kernel is to be told once more.
  std::vector<std::shared_ptr<const Files::Replaced>> forget_older_names();

  // Where tell_ended: the versions that ended, and those whose digest was found wrong, since the
  // last call.  For a kernel that would not hear of it when it opens them.
  Files::Replaced take_ended() noexcept;

  std::optional<Result<Node>> try_lookup(Inode parent, std::string_view name);
  void lookup(Inode parent, std::string_view name, std::shared_ptr<Answer> to);

  // Errors: ESTALE for an inode that no longer is.
  Result<Attributes> attributes(Inode inode) const;
  // Has another version, or nothing, taken its place?  Who has it open may read on.
  bool ended(Inode inode) const;
  // As lookup, for readdirplus: empty when the size is not known yet, or nobody has asked for it.
  std::optional<Node> known(const Catalogue& names, manifest::Row row) const;
  double attribute_timeout(Inode inode) const;  // seconds

  std::optional<Result<std::shared_ptr<OpenFile>>> try_open(Inode inode);
  void open(Inode inode, std::shared_ptr<Answer> to);

  // `bytes` must lie inside size(): clamp first.
  std::optional<ReadView> try_read(OpenFile& file, cache::Extent bytes);
  void read(std::shared_ptr<OpenFile> file, cache::Extent bytes, std::shared_ptr<ReadAnswer> to);
  static std::uint64_t size(const OpenFile& file) noexcept;
  // Would it not be opened any more?
  static bool refused(const OpenFile& file) noexcept;

  Result<std::string> link_target(Inode inode) const;

  // Errors: ENODATA unknown, EOPNOTSUPP outside "user.", ESTALE for an inode that is not.
  Result<std::string> xattr(Inode inode, std::string_view name) const;
  Result<std::vector<std::string>> xattr_names(Inode inode) const;

  SpaceTotals totals() const;
  FileSystemStatus status() const;

 private:
  struct Parts;

  void look_up(Inode parent, std::string_view name, std::shared_ptr<Answer> to, int tries);

  std::unique_ptr<Parts> parts_;
};

}  // namespace skimfs::fs
