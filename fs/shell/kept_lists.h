// SPDX-License-Identifier: MIT
//
// The lists of directories that the kernel keeps, and what they say of files.
//
// It keeps them for good and believes their names for a while.  A list that outlives its names
// costs a lookup for each of them, a new one a few requests for all.
//
// A file's attributes with its name spare the kernel a lookup, ten times what they cost; but it
// makes an inode for them, several times what a bare name costs.  Whether they are used shows only
// where they are missing.  So of the first large list, the sample, a few files are left out.  Until
// those are looked up, the large lists that follow are names alone; then lists describe all files,
// and those that did not are to be forgotten.  Any thread.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "fetch/clock.h"
#include "fs/filesystem.h"

namespace skimfs::fs::shell {

class KeptLists {
 public:
  // The files that are described where a list begins.
  enum class Described { all, sample, none };
  static constexpr std::size_t kLeftOut = 8;  // files of a sample, the first ones

  explicit KeptLists(const fetch::Clock& clock) noexcept : clock_(clock) {}

  // The kernel asks for this one from its begin.  `large`: more than its first answer, the rest is
  // as describes_rest() says; else all of it.
  Described given(Inode directory, bool large);
  bool describes_rest(Inode directory) const noexcept;
  // Of a sample as many files were left out as it wants; of one with fewer nothing can be learned.
  void sampled() noexcept;
  // The kernel has asked for a file whose attributes were at hand.  true: it is to forget lists,
  // now.
  bool looked_up(Inode directory, Inode file) noexcept;
  // Those it is to forget: it believes their names no longer, or their files should be described.
  std::vector<Inode> take_useless();

 private:
  // Some MiB; of what was given before them the names are looked up.
  static constexpr std::size_t kMost = 65536;

  struct List {
    Inode directory;
    fetch::TimePoint since;
  };
  struct Silent {  // on files
    fetch::TimePoint since;
    bool sample;
    std::size_t lookups;
    Inode last;  // looked up: one that is asked for again and again counts once
  };

  void drop_oldest() noexcept;

  const fetch::Clock& clock_;
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::deque<List> lists_;                    // oldest first
  std::unordered_map<Inode, Silent> silent_;  // of lists_
  fetch::TimePoint described_until_{fetch::TimePoint::min()};
  fetch::TimePoint sampled_until_{fetch::TimePoint::min()};  // no other sample before
};

}  // namespace skimfs::fs::shell
