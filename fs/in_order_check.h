// SPDX-License-Identifier: MIT
//
// The digest of a file that is too large to be held, taken while programs read it.
//
// Bytes are added as they are about to be delivered, from the first to the last; a read of the
// first byte begins anew.  The kernel's reads come a little out of order: what passes early is
// noted and looked up again in memory when its turn comes.  Whoever adds the last byte hears the
// verdict before its own bytes are delivered, so a program that reads such a file whole cannot miss
// it. Any thread; one adds at a time and the others do not wait for it.
#pragma once

#include <array>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "fs/answer.h"
#include "fs/digest.h"
#include "fs/ranges.h"

namespace skimfs::fs {

class InOrderCheck {
 public:
  enum class Verdict { open, right, wrong };
  // Bytes of the version that can be read now; empty when any of them cannot.
  using Recall = std::function<std::optional<ReadView>(cache::Extent)>;

  // `size`: of the file in bytes, not 0.
  InOrderCheck(Digest wanted, std::uint64_t size);

  // `view`: about to be delivered.  `right`, `wrong`: this call has added the file's last byte.
  // Throws std::bad_alloc, as `recall` may; the next call goes on where this one ended.
  Verdict passing(const ReadView& view, const Recall& recall);

 private:
  bool note(cache::Extent bytes);  // true: the caller adds
  Verdict add_all(const ReadView& view, const Recall& recall);
  void stop_adding() noexcept;
  std::optional<cache::Extent> next(cache::Extent at_hand);
  void add(const ReadView& view, cache::Extent bytes) noexcept;
  Verdict added(cache::Extent bytes) noexcept;
  void lost(cache::Extent bytes);

  const Digest wanted_;
  const std::uint64_t size_;
  Hasher hasher_;              // of who adds
  std::uint64_t hashing_ = 0;  // of who adds: the beginning that hasher_ belongs to

  std::mutex mutex_;             // what follows; a leaf
  bool adding_ = false;          // somebody adds
  std::uint64_t beginning_ = 0;  // counted: reads of the first byte
  std::uint64_t next_ = 0;       // the first byte not added
  Ranges passed_;                // since the beginning
  // What passed last: the second read of a program may come before its first.
  std::array<cache::Extent, 8> latest_{};
  std::size_t oldest_ = 0;  // of latest_
};

}  // namespace skimfs::fs
