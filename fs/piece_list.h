// SPDX-License-Identifier: MIT
//
// Where the digests of a file's units come from: the manifest, or a list that is read like a file.
//
// A list's blocks lie in the cache as all others do, so they may have to be fetched first.  Any
// thread.
#pragma once

#include <memory>
#include <system_error>

#include "cache/block_cache.h"
#include "fs/answer.h"
#include "fs/operation.h"
#include "fs/remote_file.h"
#include "fs/unit_digests.h"

namespace skimfs::fs {

using Digests = std::shared_ptr<const UnitDigests>;

// Somebody who cannot go on without digests.  One of the last two calls comes once, or none when
// nobody waits any more; where digests_came() throws std::bad_alloc, digests_failed() follows.
// Called with no lock held.
struct DigestsWanted {
  virtual bool wants_digests() const noexcept = 0;  // does anybody still wait?
  virtual void digests_behind(std::weak_ptr<Operation> reading) noexcept = 0;
  virtual void digests_came(Digests digests) = 0;
  virtual void digests_failed(std::error_code why) noexcept = 0;
  virtual ~DigestsWanted() = default;
};

// Of the units of `bytes`, if they are in memory; null if they are not.  For a file with units.
Digests digests_at_hand(const RemoteFile& file, cache::Extent bytes, cache::BlockCache& cache);

// What else must be read: which bytes of Integrity::list(), and where they go.
cache::Extent in_list(const RemoteFile& file, cache::Extent bytes) noexcept;
std::shared_ptr<ReadAnswer> list_answer(std::shared_ptr<const RemoteFile> file,
                                        std::shared_ptr<DigestsWanted> to);

}  // namespace skimfs::fs
