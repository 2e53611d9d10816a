// SPDX-License-Identifier: MIT
//
// The first bytes of files, fetched by the request that asks for their size.
//
// Memory is held for them before they are asked for; where it is short, or they are not earned
// (ProbeWidth), no more than the size is asked for.  Whose they are, and how many, only the answer
// tells: then the room is given back and as much of it as is needed is claimed for the file.
//
// Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "cache/block_cache.h"
#include "fs/fill.h"
#include "fs/probe_width.h"
#include "fs/remote_file.h"

namespace skimfs::fs {

class Beginnings {
 public:
  // What may be asked for beside the size, and where it finds room.
  struct Room {
    fetch::OrderId id = 0;                     // of the request
    std::uint64_t bytes = 1;                   // 1: for nothing
    std::vector<cache::FillTicket> held = {};  // of no file
  };

  // References live longer than all that is taken.
  Beginnings(cache::BlockCache& cache, const FillContext& fill) : cache_(cache), fill_(fill) {}

  // For the request `id`, of a file of which no more is known than its server.
  Room reserve(fetch::OrderId id, cache::GroupId group);
  // Who takes the first `bytes` of `file`, of which nothing was ever fetched; while `worth` lives
  // they are likely read.  Null: nobody, where its digests are not of these bytes or memory is
  // short now.
  std::shared_ptr<fetch::RangeSink> take(Room room, const std::shared_ptr<RemoteFile>& file,
                                         std::uint64_t bytes,
                                         const std::weak_ptr<const void>& worth);
  // A program reads, first of all since the size of `file` was asked for, these bytes of it.
  void note_read(const RemoteFile& file, cache::Extent bytes) noexcept;

 private:
  std::uint64_t next_width() noexcept;

  cache::BlockCache& cache_;
  const FillContext& fill_;
  std::mutex mutex_;
  ProbeWidth width_;  // guarded by mutex_
};

}  // namespace skimfs::fs
