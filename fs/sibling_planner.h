// SPDX-License-Identifier: MIT
//
// Which files a program that walks the tree will read next.
//
// A program that copies a tree reads file after file, in the order of the rows or, one directory at
// a time, in the order of its names.  The manifest knows what follows, so it can be fetched before
// it is asked for.  Pure: no I/O, no lock, no clock; the caller serialises its calls.
#pragma once

#include <cstdint>
#include <memory>
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

  struct Early {
    manifest::Row row;    // a file of known size, not empty
    std::uint64_t bytes;  // of its beginning, worth having before anybody opens it
  };
  struct Plan {
    std::vector<Early> files;  // in the order they will be read
    Walk walk;
    bool entered = false;  // no walk was in this directory before
  };

  SiblingPlanner(std::shared_ptr<const manifest::Tree> tree, SiblingLimits limits);

  // The first read of a file that was opened.
  Plan on_first_read(manifest::Row row);
  // A file was read up to its end: its walk copies whole files.
  void on_read_to_end(manifest::Row row);

 private:
  enum class Order { rows, directory };

  struct Walker {
    std::shared_ptr<const void> life;
    Order order = Order::rows;
    manifest::Row last;         // read
    manifest::Row directory;    // of `last`
    manifest::Row planned_to;   // the last row planned, or `last`
    std::uint32_t planned = 0;  // files after `last` up to planned_to
    std::uint64_t planned_bytes = 0;
    std::uint32_t in_order = 1;  // reads in a row
    std::uint32_t window = 0;    // files worth planning
    std::uint32_t to_end = 0;    // files read up to their end
  };

  manifest::Row next_file(manifest::Row row, Order order) const;  // kRoot: there is none
  bool advance(Walker& walker, manifest::Row row) const;
  bool follows(const Walker& walker, manifest::Row row, Order order) const;
  void passed(Walker& walker, manifest::Row row) const;
  std::uint64_t worth(const Walker& walker, manifest::Row row) const;
  std::vector<Early> plan(Walker& walker) const;

  std::shared_ptr<const manifest::Tree> tree_;
  SiblingLimits limits_;
  std::vector<Walker> walkers_;  // latest first, few
};

}  // namespace skimfs::fs
