// SPDX-License-Identifier: MIT
//
// Where the block with a given byte is.
//
// A shelf is one kBlock-sized piece of one version with its few blocks.  Its 64 grains are two
// 64-bit maps, so finding a block or a gap is a shift and a count.  Guarded by its owner.
#pragma once

#include <boost/container/small_vector.hpp>
#include <boost/multi_index/composite_key.hpp>
#include <boost/multi_index/hashed_index.hpp>
#include <boost/multi_index/member.hpp>
#include <boost/multi_index_container.hpp>
#include <cstdint>
#include <vector>

#include "cache/entry.h"
#include "cache/names.h"

namespace skimfs::cache {

class Shelves {
 public:
  // One block, or (entry null) bytes that no block has; `bytes` never crosses a kBlock bound.
  struct Part {
    Entry* entry = nullptr;
    Extent bytes;  // of what was asked for
  };

  // What holds the first of `bytes` (not empty), and how many of them.
  Part first(VersionId version, Extent bytes) const;

  // The whole of `entry` must be a gap.
  void insert(Entry& entry);
  void erase(Entry& entry) noexcept;

  std::vector<Entry*> of(VersionId version) const;
  Entry* any(VersionId version) const noexcept;  // null: there is none
  std::size_t size() const noexcept { return shelves_.size(); }

 private:
  struct Shelf {
    Shelf(VersionId of, std::uint64_t at) noexcept : version(of), place(at) {}

    VersionId version;
    std::uint64_t place;  // offset / kBlock
    // Changing these moves no index.
    mutable std::uint64_t starts = 0;  // bit per grain: a block begins here
    mutable std::uint64_t taken = 0;   // bit per grain: a block has it
    mutable boost::container::small_vector<Entry*, 1> entries;  // by place
  };
  struct ByPlace {};
  struct ByVersion {};
  using Container = boost::multi_index_container<
      Shelf, boost::multi_index::indexed_by<
                 boost::multi_index::hashed_unique<
                     boost::multi_index::tag<ByPlace>,
                     boost::multi_index::composite_key<
                         Shelf, boost::multi_index::member<Shelf, VersionId, &Shelf::version>,
                         boost::multi_index::member<Shelf, std::uint64_t, &Shelf::place>>>,
                 boost::multi_index::hashed_non_unique<
                     boost::multi_index::tag<ByVersion>,
                     boost::multi_index::member<Shelf, VersionId, &Shelf::version>>>>;

  Container shelves_;

 public:
  static constexpr std::size_t kShelfBytes = sizeof(Shelf) + 6 * sizeof(void*) + 24;
};

}  // namespace skimfs::cache
