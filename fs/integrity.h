// SPDX-License-Identifier: MIT
//
// What has become of the verification of one version of a file.
//
// What was once found wrong stays so as long as the version lives, longer than any handle: it is
// kept, or made again of what was found().  Any thread.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "fs/in_order_check.h"
#include "fs/ranges.h"
#include "fs/unit_digests.h"
#include "fs/verification.h"

namespace skimfs::fs {

class RemoteFile;

class Integrity {
 public:
  enum class State { no, partial, yes };

  // Of a file that is one unit.
  struct Found {
    bool right = false;  // it was compared and right
    bool wrong = false;  // it was wrong when it was last compared
    friend bool operator==(const Found&, const Found&) = default;
  };

  // `list`: of the digests of the units, for a plan that has one.  `found`: before, of one unit.
  Integrity(Verification plan, std::uint64_t size, std::shared_ptr<RemoteFile> list, Found found);

  const Verification& plan() const noexcept { return plan_; }
  const std::shared_ptr<RemoteFile>& list() const noexcept { return list_; }
  // Of the one unit that is the file; null where there is a list, or no units.
  const std::shared_ptr<const UnitDigests>& stated() const noexcept { return stated_; }

  // Why no byte may be served; empty: they may.
  std::error_code refusal() const noexcept;

  // A unit was fetched and compared.
  void checked(cache::Extent unit, bool right);
  // Was any unit of these wrong when it was last compared?
  bool is_wrong(cache::Extent bytes) const;

  // `view` is about to be delivered.  False: it must not be, and the version is refused from now
  // on.
  bool passing(const ReadView& view, const InOrderCheck::Recall& recall);

  State state() const;

  // All that was found so far; empty: it cannot be told so.
  std::optional<Found> found() const;

 private:
  const Verification plan_;
  const std::uint64_t size_;  // bytes
  const std::shared_ptr<RemoteFile> list_;
  std::shared_ptr<const UnitDigests> stated_;
  std::unique_ptr<InOrderCheck> in_order_;  // null: not How::afterwards
  std::atomic<bool> refuted_{false};

  mutable std::mutex mutex_;  // what follows; a leaf
  Ranges right_, wrong_;
};

}  // namespace skimfs::fs
