// SPDX-License-Identifier: MIT
//
// See files.h.
#include "fs/files.h"

#include <chrono>
#include <utility>

#include "fetch/error.h"

namespace skimfs::fs {

using manifest::Kind;
using manifest::Row;

Files::Files(std::shared_ptr<const manifest::Tree> tree, manifest::Time default_mtime,
             Validator validator, VerifyPolicy verify, Credentials credentials)
    : tree_(std::move(tree)),
      default_mtime_(default_mtime),
      validator_(validator),
      verify_(verify),
      credentials_(std::move(credentials)) {
  // A name that nobody knows is a profile that covers no server.
  if (!credentials_.profiles) credentials_.profiles = std::make_shared<auth::Profiles>();
}

namespace {

// A date that a server may mean: since 1970, and not more than a day ahead of us.
bool sane(std::int64_t date) {
  using namespace std::chrono;
  return date >= 0 && seconds(date) < system_clock::now().time_since_epoch() + hours(24);
}

}  // namespace

bool Files::valid(Inode inode) const noexcept {
  return inode != 0 && (inode & ((Inode{1} << 40) - 1)) != 0 && row_of(inode) < tree_->rows();
}

bool Files::size_stated(Row row) const noexcept { return tree_->entry(row).size.has_value(); }

Stated Files::stated(const manifest::Content& content, std::optional<std::uint64_t> size) const {
  Stated stated = stated_versions(content, size, validator_);
  stated.verified = size.value_or(0) != 0 &&
                    plan_verification(content, *size, verify_).how == Verification::How::units;
  return stated;
}

std::shared_ptr<const fetch::Profile> Files::profile(const manifest::Content& content) const {
  const std::string& name = content.auth.empty() ? credentials_.standard : content.auth;
  return name.empty() ? nullptr : credentials_.profiles->find(name);
}

std::error_code Files::fault() const noexcept {
  return tree_->intact() ? std::error_code{} : std::make_error_code(std::errc::io_error);
}

const Files::Slot* Files::slot(Row row) const {
  const auto found = slots_.find(row);
  return found == slots_.end() ? nullptr : &found->second;
}

std::optional<Attributes> Files::describe(Row row, const Slot* slot) const {
  const manifest::Entry entry = tree_->entry(row);
  Attributes out;
  out.inode = inode_of(row, slot ? slot->generation : 0);
  out.kind = entry.kind;
  out.permissions = entry.mode;
  out.mtime = entry.mtime ? *entry.mtime : (slot && slot->mtime ? *slot->mtime : default_mtime_);
  if (entry.kind == Kind::directory) return out;
  const auto size = entry.size ? entry.size : (slot ? slot->size : std::nullopt);
  if (!size) return std::nullopt;
  out.size = *size;
  return out;
}

std::optional<Attributes> Files::attributes(Row row) const {
  const std::lock_guard lock(mutex_);
  return describe(row, slot(row));
}

fetch::Result<Attributes> Files::attributes(Inode inode) const {
  const std::lock_guard lock(mutex_);
  const Row row = row_of(inode);
  const auto now = describe(row, slot(row));
  if (const auto why = fault()) return tl::unexpected(why);
  if (now && now->inode == inode) return *now;
  const auto old = ended_.find(inode);
  if (old != ended_.end() && !old->second.first.expired()) return old->second.second;
  return tl::unexpected(make_error_code(fetch::Errc::changed));
}

fetch::Result<std::shared_ptr<RemoteFile>> Files::open(Inode inode) {
  const Row row = row_of(inode);
  manifest::Content content = tree_->content(row);  // decoded outside the lock
  const auto who = profile(content);
  const std::lock_guard lock(mutex_);
  const Slot* const known = slot(row);
  if (generation_of(inode) != (known ? known->generation : 0))
    return tl::unexpected(make_error_code(fetch::Errc::changed));
  const auto attributes = describe(row, known);
  if (const auto why = fault()) return tl::unexpected(why);
  if (!attributes)
    return tl::unexpected(std::make_error_code(std::errc::resource_unavailable_try_again));
  Slot& present = slots_[row];
  if (!present.integrity) present.integrity = plan(inode, content, who, attributes->size);
  if (auto file = present.file.lock()) return file;
  if (!present.pin) present.pin = std::make_shared<VersionPin>(stated(content, attributes->size));
  // Not make_shared: the slot's weak reference would keep the memory of the whole file.
  std::shared_ptr<RemoteFile> file = std::make_unique<RemoteFile>(
      inode, row, attributes->size, std::move(content), who, present.pin, present.integrity);
  present.file = file;
  return file;
}

std::shared_ptr<Integrity> Files::plan(Inode inode, const manifest::Content& content,
                                       const std::shared_ptr<const fetch::Profile>& who,
                                       std::uint64_t size) const {
  if (size == 0 || (content.digests.empty() && content.pieces.empty())) return nullptr;
  Verification plan = plan_verification(content, size, verify_);
  if (plan.how == Verification::How::nothing && plan.refusal.empty()) return nullptr;
  auto list =
      plan.list ? RemoteFile::list_of(inode, row_of(inode), *plan.list, who, verify_) : nullptr;
  return std::make_shared<Integrity>(std::move(plan), size, std::move(list));
}

std::shared_ptr<Integrity> Files::integrity(Inode inode) const {
  const std::lock_guard lock(mutex_);
  const Slot* known = slot(row_of(inode));
  return known && known->generation == generation_of(inode) ? known->integrity : nullptr;
}

std::shared_ptr<VersionPin> Files::pin(Inode inode) const {
  const std::lock_guard lock(mutex_);
  const Slot* known = slot(row_of(inode));
  return known && known->generation == generation_of(inode) ? known->pin : nullptr;
}

bool Files::probed(Row row, std::size_t source, const fetch::Version& seen, fetch::TimePoint now) {
  const manifest::Content content = tree_->content(row);
  if (fault()) return false;
  auto pin = std::make_shared<VersionPin>(stated(content, seen.total));
  if (!pin->learn(0, source, seen, now)) return false;
  const std::lock_guard lock(mutex_);
  Slot& slot = slots_[row];
  slot.failure = {};
  if (slot.size || !seen.total) return true;
  slot.size = seen.total;
  if (seen.last_modified && sane(*seen.last_modified))
    slot.mtime = manifest::Time{*seen.last_modified, 0};
  slot.pin = std::move(pin);
  return true;
}

std::error_code Files::failure(Row row, fetch::TimePoint now) const {
  const std::lock_guard lock(mutex_);
  const Slot* known = slot(row);
  return known && now < known->failure_until ? known->failure : std::error_code{};
}

void Files::failed(Row row, std::error_code why, fetch::TimePoint until) {
  const std::lock_guard lock(mutex_);
  Slot& slot = slots_[row];
  slot.failure = why;
  slot.failure_until = until;
}

void Files::note_error(Row row, std::error_code why) {
  const std::lock_guard lock(mutex_);
  slots_[row].last_error = why;
}

std::error_code Files::last_error(Row row) const {
  const std::lock_guard lock(mutex_);
  const Slot* known = slot(row);
  return known ? known->last_error : std::error_code{};
}

bool Files::supersede(Inode inode) {
  const Row row = row_of(inode);
  const std::lock_guard lock(mutex_);
  Slot& slot = slots_[row];
  if (slot.generation != generation_of(inode)) return false;
  if (!slot.file.expired()) {
    std::erase_if(ended_, [](const auto& old) { return old.second.first.expired(); });
    if (const auto attributes = describe(row, &slot))
      ended_.emplace(inode, std::pair{slot.file, *attributes});
  }
  const std::uint64_t next = slot.generation + 1;
  slot = Slot{};
  slot.generation = next;
  return true;
}

}  // namespace skimfs::fs
