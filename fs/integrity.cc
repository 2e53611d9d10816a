// SPDX-License-Identifier: MIT
//
// See integrity.h.
#include "fs/integrity.h"

#include <utility>

#include "fetch/error.h"

namespace skimfs::fs {

using cache::Extent;

Integrity::Integrity(Verification plan, std::uint64_t size, std::shared_ptr<RemoteFile> list,
                     Found found)
    : plan_(std::move(plan)), size_(size), list_(std::move(list)) {
  if (plan_.how == Verification::How::units && !plan_.list)
    stated_ = std::make_shared<UnitDigests>(plan_.algorithm, plan_.units, 0, plan_.digest);
  if (plan_.how == Verification::How::afterwards)
    in_order_ = std::make_unique<InOrderCheck>(Digest{plan_.algorithm, plan_.digest}, size_);
  if (found.right) right_.add({0, size_});
  if (found.wrong) wrong_.add({0, size_});
}

std::error_code Integrity::refusal() const noexcept {
  if (!plan_.refusal.empty()) return fetch::Errc::unverifiable;
  if (refuted_) return fetch::Errc::digest_mismatch;
  return {};
}

void Integrity::checked(Extent unit, bool right) {
  const std::lock_guard lock(mutex_);
  if (right) {
    right_.add(unit);
    wrong_.remove(unit);
  } else {
    wrong_.add(unit);
  }
}

bool Integrity::is_wrong(Extent bytes) const {
  const std::lock_guard lock(mutex_);
  return wrong_.touches(bytes);
}

bool Integrity::passing(const ReadView& view, const InOrderCheck::Recall& recall) {
  if (!in_order_) return true;
  const InOrderCheck::Verdict verdict = in_order_->passing(view, recall);
  if (verdict == InOrderCheck::Verdict::wrong) {
    refuted_ = true;
    return false;
  }
  const std::lock_guard lock(mutex_);
  right_.add(verdict == InOrderCheck::Verdict::right ? Extent{0, size_} : Extent{0, 1});
  return true;
}

Integrity::State Integrity::state() const {
  const std::lock_guard lock(mutex_);
  if (refuted_ || right_.empty()) return State::no;
  return right_.covers({0, size_}) ? State::yes : State::partial;
}

std::optional<Integrity::Found> Integrity::found() const {
  if (plan_.how == Verification::How::nothing) return Found{};
  if (!stated_) return std::nullopt;
  const std::lock_guard lock(mutex_);
  return Found{!right_.empty(), !wrong_.empty()};
}

}  // namespace skimfs::fs
