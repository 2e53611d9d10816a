// SPDX-License-Identifier: MIT
//
// What has become of the verification of one version of a file.
//
// Lives as long as the version, longer than any handle: what was once found wrong stays so.  Any
// thread.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "fs/in_order_check.h"
#include "fs/ranges.h"
#include "fs/unit_digests.h"
#include "fs/verification.h"

namespace skimfs::fs {

class RemoteFile;

class Integrity {
 public:
  enum class State { no, partial, yes };

  // `list`: of the digests of the units, for a plan that has one.
  Integrity(Verification plan, std::uint64_t size, std::shared_ptr<RemoteFile> list);

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
