// SPDX-License-Identifier: MIT
//
// Which files a program that walks the tree will read, or look at, next.
//
// A program that copies a tree takes file after file, in the order of the rows or, one directory at
// a time, in the order of its names.  The manifest knows what follows, so it can be asked for
// before the program does.  Pure: no I/O, no lock, no clock; the caller serialises its calls.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "fs/manifest/tree.h"

namespace skimfs::fs {

struct SiblingLimits {
  std::uint32_t files_max = 64;       // planned and not yet read, for one walk
  std::uint64_t bytes_max = 8 << 20;  // of those files, as far as they are fetched ahead
};

class SiblingPlanner {
 public:
  // While it lives, its walk goes on and what was planned for it is worth having.
  using Walk = std::weak_ptr<const void>;

  // The size of a file for which the manifest states none, once a server has told it.
  using Told = std::function<std::optional<std::uint64_t>(manifest::Row)>;

  // What walks consist of.  Reads of files: those whose size is known are fetched as far as they
  // will likely be read.  Or lookups of those whose size the manifest does not state: that is asked
  // for.
  enum class Of { reads, lookups };

  struct Early {
    manifest::Row row;    // of reads not empty
    std::uint64_t bytes;  // of its beginning, worth having; of lookups the most that may come
  };
  struct Plan {
    std::vector<Early> files;  // in the order they will be used
    Walk walk;
    bool entered = false;  // no walk was in this directory before
  };

  SiblingPlanner(std::shared_ptr<const manifest::Tree> tree, SiblingLimits limits, Of of,
                 Told told = {});

  // The first read of a file that was opened, or a lookup of one.
  Plan on_use(manifest::Row row);
  // A file was read up to its end: its walk copies whole files.
  void on_read_to_end(manifest::Row row);

 private:
  enum class Order { rows, directory };

  struct Walker {
    std::shared_ptr<const void> life;
    Order order = Order::rows;
    manifest::Row last;         // used
    manifest::Row directory;    // of `last`
    manifest::Row planned_to;   // the last row planned, or `last`
    std::uint32_t planned = 0;  // files after `last` up to planned_to
    std::uint64_t planned_bytes = 0;
    std::uint32_t in_order = 1;  // uses in a row
    std::uint32_t window = 0;    // files worth planning
    std::uint32_t earned = 0;    // of lookups: files that may be planned
    std::uint32_t to_end = 0;    // files read up to their end
  };

  bool counts(manifest::Row row) const;
  std::optional<std::uint64_t> size(manifest::Row row) const;
  manifest::Row next_file(manifest::Row row, Order order) const;  // kRoot: there is none
  bool advance(Walker& walker, manifest::Row row) const;
  bool follows(const Walker& walker, manifest::Row row, Order order) const;
  void earn(Walker& walker, manifest::Row row) const;
  void passed(Walker& walker, manifest::Row row) const;
  std::uint64_t worth(const Walker& walker, manifest::Row row) const;
  bool open_window(Walker& walker) const;
  std::vector<Early> plan(Walker& walker) const;

  std::shared_ptr<const manifest::Tree> tree_;
  SiblingLimits limits_;
  Of of_;
  Told told_;
  std::vector<Walker> walkers_;  // latest first, few
};

}  // namespace skimfs::fs
