// SPDX-License-Identifier: MIT
//
// One version of one file: all that a read of it needs.
//
// Shared by the handles open on it and by the fills that are under way.  A list of digests is such
// a file, too, that no name leads to.  Any thread; who reads how (plan_read, refused) is serialised
// inside.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/pace.h"
#include "fetch/range.h"
#include "fs/answer.h"
#include "fs/integrity.h"
#include "fs/manifest/tree.h"
#include "fs/read_planner.h"
#include "fs/version_pin.h"

namespace skimfs::fs {

class RemoteFile {
 public:
  // A run of the file's bytes with its place in an object, or its literal bytes.
  struct Part {
    cache::Extent bytes;   // of the file
    std::uint64_t offset;  // of bytes.offset in the object
    bool whole;            // the part is the object, from its first byte to its last
    bool remote;           // else its bytes are `literal`
    std::string literal;
  };

  // `path`: see path().  `size`: bytes, as the manifest or a probe says.  `profile`: who asks.
  // `integrity`: null where nothing is verified.
  RemoteFile(Inode inode, std::string path, std::uint64_t size, manifest::Content content,
             const std::shared_ptr<const fetch::Profile>& profile, std::shared_ptr<VersionPin> pin,
             std::shared_ptr<Integrity> integrity);
  // The list of the digests of that inode's pieces.
  static std::shared_ptr<RemoteFile> list_of(Inode inode, const Verification::List& list,
                                             const std::shared_ptr<const fetch::Profile>& profile,
                                             const VerifyPolicy& policy);

  Inode inode() const noexcept { return inode_; }
  // For messages, without a look at the manifest, whose disk may hang.  Of a list empty.
  const std::string& path() const noexcept { return path_; }
  std::uint64_t size() const noexcept { return size_; }
  cache::VersionId version() const noexcept { return version_; }
  bool is_list() const noexcept { return version_ != inode_; }  // no program reads it
  VersionPin& pin() const noexcept { return *pin_; }
  Integrity* integrity() const noexcept { return integrity_.get(); }  // null: nothing is verified
  // No byte of a unit is shown before all of it was found right; there may be none.
  Units units() const noexcept { return integrity_ ? integrity_->plan().units : Units{}; }
  // What must be fetched so that `bytes` can be shown.
  cache::Extent cover(cache::Extent bytes) const noexcept {
    return units() ? units().cover(bytes) : bytes;
  }
  // Why nothing of it may be served; empty: it may.
  std::error_code refusal() const noexcept {
    return integrity_ ? integrity_->refusal() : std::error_code{};
  }
  const std::vector<Part>& parts() const noexcept { return parts_; }
  std::size_t part_at(std::uint64_t offset) const noexcept;             // offset < size()
  std::shared_ptr<const fetch::Object> object(std::size_t part) const;  // null: not remote
  // The same content has other URLs or another profile now: requests to come go there.
  void renew(manifest::Content content, const std::shared_ptr<const fetch::Profile>& profile);
  // Names the server that these bytes wait for; 0: none.
  cache::GroupId group_at(std::uint64_t offset) const noexcept;

  ReadPlanner::Plan plan_read(cache::Extent bytes, ReadPlanner::Found found, fetch::TimePoint now,
                              const PlannerLimits& limits);
  void refused(cache::Extent segment) noexcept;

  // Of its host, for plan_read; the first one given stays.
  bool has_pace() const noexcept { return has_pace_; }
  void set_pace(std::shared_ptr<const fetch::Pace> pace);

  // The server's last word: does it answer ranges with the whole object?
  bool ranges_ignored() const noexcept { return ranges_ignored_; }
  void note_ranges_ignored(bool ignored) noexcept { ranges_ignored_ = ignored; }

  bool in_use() const noexcept { return handles_ > 0; }
  void opened() noexcept { ++handles_; }
  void closed() noexcept { --handles_; }

 private:
  RemoteFile(Inode inode, cache::VersionId version, std::string path, std::uint64_t size,
             manifest::Content content, const std::shared_ptr<const fetch::Profile>& profile,
             std::shared_ptr<VersionPin> pin, std::shared_ptr<Integrity> integrity);

  const Inode inode_;
  const cache::VersionId version_;
  const std::string path_;
  const std::uint64_t size_;
  const std::shared_ptr<VersionPin> pin_;
  const std::shared_ptr<Integrity> integrity_;
  std::vector<Part> parts_;  // constant after construction
  std::atomic<bool> ranges_ignored_{false};
  std::atomic<unsigned> handles_{0};
  std::atomic<bool> has_pace_{false};
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const fetch::Object>> objects_;  // by part; guarded by mutex_
  std::shared_ptr<const fetch::Pace> pace_;                    // guarded by mutex_
  ReadPlanner planner_;                                        // guarded by mutex_
};

// "host:port" of a URL, as it is written.
std::string_view authority(std::string_view url) noexcept;
// Names the server of these URLs' first.
cache::GroupId group_of(const std::vector<std::string>& urls) noexcept;

// What the manifest says of the versions of each part.  `size`: of the file.  `standard`: the
// validator where the manifest names none.
Stated stated_versions(const manifest::Content& content, std::optional<std::uint64_t> size,
                       Validator standard);

// One open(2).
class OpenFile {
 public:
  explicit OpenFile(std::shared_ptr<RemoteFile> file) : file_(std::move(file)) { file_->opened(); }
  ~OpenFile() { file_->closed(); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  const std::shared_ptr<RemoteFile>& remote() const noexcept { return file_; }
  bool first_read() noexcept { return !read_.exchange(true); }  // true once

 private:
  const std::shared_ptr<RemoteFile> file_;
  std::atomic<bool> read_{false};
};

}  // namespace skimfs::fs
