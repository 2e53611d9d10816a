// SPDX-License-Identifier: MIT
//
// See files.h.
#include "fs/files.h"

#include <chrono>
#include <new>
#include <utility>

#include "fetch/error.h"

namespace skimfs::fs {

using manifest::Kind;
using manifest::Row;

Files::Files(std::shared_ptr<const manifest::Tree> tree, manifest::Time default_mtime,
             Validator validator, VerifyPolicy verify, Credentials credentials)
    : validator_(validator),
      verify_(verify),
      credentials_(std::move(credentials)),
      names_(std::make_shared<Catalogue>(std::move(tree), default_mtime)) {
  // A name that nobody knows is a profile that covers no server.
  if (!credentials_.profiles) credentials_.profiles = std::make_shared<auth::Profiles>();
}

namespace {

// A date that a server may mean: since 1970, and not more than a day ahead of us.
bool sane(std::int64_t date) {
  using namespace std::chrono;
  return date >= 0 && seconds(date) < system_clock::now().time_since_epoch() + hours(24);
}

std::error_code changed() { return make_error_code(fetch::Errc::changed); }

}  // namespace

std::shared_ptr<const Catalogue> Files::names() const {
  const std::lock_guard lock(mutex_);
  return names_;
}

fetch::Result<manifest::Content> Files::content(FileNumber number) const {
  const auto now = names();
  const auto row = now->row(number);
  if (!row) return tl::unexpected(changed());
  manifest::Content content = now->tree().content(*row);
  if (const auto why = fault(*now)) return tl::unexpected(why);
  return content;
}

std::string Files::path(FileNumber number) const {
  const auto now = names();
  const auto row = now->row(number);
  return row ? now->tree().path(*row) : "(removed)";
}

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

std::error_code Files::fault(const Catalogue& names) noexcept {
  return names.tree().intact() ? std::error_code{} : std::make_error_code(std::errc::io_error);
}

const Files::Slot* Files::slot(FileNumber number) const {
  const auto found = slots_.find(number);
  return found == slots_.end() ? nullptr : &found->second;
}

std::uint64_t Files::generation(FileNumber number) const {
  const Slot* const known = slot(number);
  return known ? known->generation : 0;
}

Files::Slot* Files::grow(FileNumber number) {
  return names_->row(number) ? &slots_[number] : nullptr;
}

Files::Line Files::line(FileNumber number) const {
  Line line{names(), std::nullopt, {}};
  line.row = line.names->row(number);
  if (line.row) line.entry = line.names->tree().entry(*line.row);
  return line;
}

std::optional<Attributes> Files::describe(const Catalogue& names, const manifest::Entry& entry,
                                          const Slot* slot) {
  const FileNumber number = names.number(entry.row);
  Attributes out;
  out.inode = inode_of(number, slot ? slot->generation : 0);
  out.kind = entry.kind;
  out.permissions = entry.mode;
  out.mtime =
      entry.mtime ? *entry.mtime : (slot && slot->mtime ? *slot->mtime : names.undated(number));
  out.names = entry.children;
  if (entry.kind == Kind::directory) return out;
  const auto size = entry.size ? entry.size : (slot ? slot->size : std::nullopt);
  if (!size) return std::nullopt;
  out.size = *size;
  out.size_stated = entry.size.has_value();
  return out;
}

std::optional<Attributes> Files::attributes(const Catalogue& names, Row row) const {
  const manifest::Entry entry = names.tree().entry(row);
  const std::lock_guard lock(mutex_);
  return describe(names, entry, slot(names.number(row)));
}

fetch::Result<Attributes> Files::attributes(Inode inode) const {
  const FileNumber number = number_of(inode);
  for (;;) {
    const Line said = line(number);
    const std::lock_guard lock(mutex_);
    if (names_ != said.names) continue;
    const auto now = said.row ? describe(*names_, said.entry, slot(number)) : std::nullopt;
    if (const auto why = fault(*names_)) return tl::unexpected(why);
    if (now && now->inode == inode) return *now;
    const auto old = ended_.find(inode);
    if (old != ended_.end() && !old->second.first.expired()) return old->second.second;
    return tl::unexpected(changed());
  }
}

bool Files::ended(Inode inode) const {
  const std::lock_guard lock(mutex_);
  const FileNumber number = number_of(inode);
  return !names_->row(number) || generation(number) != generation_of(inode);
}

fetch::Result<std::shared_ptr<RemoteFile>> Files::open(Inode inode) {
  for (;;) {
    const Line said = line(number_of(inode));
    if (!said.row) return tl::unexpected(changed());
    manifest::Content content = said.names->tree().content(*said.row);
    std::string path = said.names->tree().path(*said.row);
    const auto who = profile(content);
    const std::lock_guard lock(mutex_);
    if (names_ == said.names)
      return open(inode, std::move(path), said.entry, std::move(content), who);
  }
}

fetch::Result<std::shared_ptr<RemoteFile>> Files::open(
    Inode inode, std::string path, const manifest::Entry& entry, manifest::Content content,
    const std::shared_ptr<const fetch::Profile>& who) {
  const FileNumber number = number_of(inode);
  if (generation_of(inode) != generation(number)) return tl::unexpected(changed());
  const auto attributes = describe(*names_, entry, slot(number));
  if (const auto why = fault(*names_)) return tl::unexpected(why);
  if (!attributes)
    return tl::unexpected(std::make_error_code(std::errc::resource_unavailable_try_again));
  let_rest();
  Version& present = wake(number, slots_[number], content, who, attributes->size);
  if (auto file = present.file.lock()) return file;
  stay_awake(number, present);
  // Not make_shared: the weak reference would keep the memory of the whole file.
  std::shared_ptr<RemoteFile> file =
      std::make_unique<RemoteFile>(inode, std::move(path), attributes->size, std::move(content),
                                   who, present.pin, present.integrity);
  present.file = file;
  return file;
}

Files::Version& Files::wake(FileNumber number, Slot& slot, const manifest::Content& content,
                            const std::shared_ptr<const fetch::Profile>& who, std::uint64_t size) {
  if (slot.version) return *slot.version;
  auto version = std::make_unique<Version>();
  auto stated = this->stated(content, size);
  version->pin = slot.learned ? std::make_shared<VersionPin>(std::move(stated), *slot.learned)
                              : std::make_shared<VersionPin>(std::move(stated));
  version->integrity = plan(inode_of(number, slot.generation), content, who, size, slot.found);
  awake_.push_back(number);
  version->awake = true;
  slot.version = std::move(version);  // nothing fails from here on
  slot.learned.reset();
  return *slot.version;
}

void Files::stay_awake(FileNumber number, Version& version) {
  if (version.awake) return;
  awake_.push_back(number);
  version.awake = true;
}

// Two are looked at for each that comes: so of those that could rest there are never many more than
// of those that cannot.
void Files::let_rest() noexcept {
  for (int looks = 0; looks < 2 && !awake_.empty(); ++looks) {
    hand_ = (hand_ + 1) % awake_.size();
    const auto found = slots_.find(awake_[hand_]);
    Version* const version = found == slots_.end() ? nullptr : found->second.version.get();
    if (version && version->pin.use_count() > 1) continue;  // a RemoteFile's, too
    if (version && !rest(found->second)) version->awake = false;
    if (found != slots_.end() && is_blank(found->second)) slots_.erase(found);
    awake_[hand_] = awake_.back();
    awake_.pop_back();
  }
}

// false: it goes on as it is; so it does where memory is short.
bool Files::rest(Slot& slot) noexcept try {
  const Version& version = *slot.version;
  const auto found = version.integrity ? version.integrity->found() : Integrity::Found{};
  if (!found) return false;
  if (!version.pin->adds_nothing()) {
    auto learned = version.pin->learned_alone();
    if (!learned) return false;
    slot.learned = std::make_unique<const VersionPin::Learned>(*std::move(learned));
  }
  slot.found = *found;
  slot.version.reset();
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

bool Files::is_blank(const Slot& slot) noexcept {
  return slot.generation == 0 && !slot.version && !slot.learned && !slot.size && !slot.failure &&
         !slot.last_error && slot.found == Integrity::Found{};
}

std::size_t Files::remembered() const {
  const std::lock_guard lock(mutex_);
  return slots_.size();
}

std::shared_ptr<Integrity> Files::plan(Inode inode, const manifest::Content& content,
                                       const std::shared_ptr<const fetch::Profile>& who,
                                       std::uint64_t size, Integrity::Found found) const {
  if (size == 0 || (content.digests.empty() && content.pieces.empty())) return nullptr;
  Verification plan = plan_verification(content, size, verify_);
  if (plan.how == Verification::How::nothing && plan.refusal.empty()) return nullptr;
  auto list = plan.list ? RemoteFile::list_of(inode, *plan.list, who, verify_) : nullptr;
  return std::make_shared<Integrity>(std::move(plan), size, std::move(list), found);
}

bool Files::probed(FileNumber number, std::size_t source, const fetch::Version& seen,
                   fetch::TimePoint now, bool early) {
  const auto content = this->content(number);
  if (!content) return false;
  const auto who = profile(*content);
  const auto pin = std::make_shared<VersionPin>(stated(*content, seen.total));
  if (!pin->learn(0, source, seen, now)) return false;
  const std::lock_guard lock(mutex_);
  let_rest();
  Slot* const slot = grow(number);
  if (!slot) return false;
  slot->failure = {};
  if (slot->size || slot->version || slot->learned || !seen.total) return true;
  wake(number, *slot, *content, who, *seen.total).pin = pin;  // first: it may fail
  slot->size = seen.total;
  slot->unused_probe = true;
  if (early) slot->early = now;
  if (seen.last_modified && sane(*seen.last_modified))
    slot->mtime = manifest::Time{*seen.last_modified, 0};
  return true;
}

bool Files::first_use_of_probe(Inode inode) {
  const std::lock_guard lock(mutex_);
  const auto known = slots_.find(number_of(inode));
  return known != slots_.end() && known->second.generation == generation_of(inode) &&
         std::exchange(known->second.unused_probe, false);
}

std::optional<fetch::TimePoint> Files::looked_up(FileNumber number) {
  const std::lock_guard lock(mutex_);
  const auto known = slots_.find(number);
  if (known == slots_.end()) return {};
  return std::exchange(known->second.early, std::nullopt);
}

bool Files::never_looked_up(FileNumber number) const {
  const std::lock_guard lock(mutex_);
  const Slot* known = slot(number);
  return known && known->early.has_value();
}

std::error_code Files::failure(FileNumber number, fetch::TimePoint now) const {
  const std::lock_guard lock(mutex_);
  const Slot* known = slot(number);
  return known && now < known->failure_until ? known->failure : std::error_code{};
}

void Files::failed(FileNumber number, std::error_code why, fetch::TimePoint until) {
  const std::lock_guard lock(mutex_);
  Slot* const slot = grow(number);
  if (!slot) return;
  slot->failure = why;
  slot->failure_until = until;
}

void Files::note_error(FileNumber number, std::error_code why) {
  const std::lock_guard lock(mutex_);
  if (Slot* const slot = grow(number)) slot->last_error = why;
}

std::error_code Files::last_error(FileNumber number) const {
  const std::lock_guard lock(mutex_);
  const Slot* known = slot(number);
  return known ? known->last_error : std::error_code{};
}

// Its handles go on: what they show stays.
void Files::keep_ended(Inode inode, const Slot& slot, const manifest::Entry& entry) {
  if (!slot.version || slot.version->file.expired()) return;
  if (const auto attributes = describe(*names_, entry, &slot))
    ended_.emplace(inode, std::pair{slot.version->file, *attributes});
}

void Files::forget_ended() noexcept {
  std::erase_if(ended_, [](const auto& old) { return old.second.first.expired(); });
}

bool Files::supersede(Inode inode) {
  for (;;) {
    const Line said = line(number_of(inode));
    const std::lock_guard lock(mutex_);
    if (names_ != said.names) continue;
    Slot* const slot = grow(number_of(inode));
    if (!slot || slot->generation != generation_of(inode)) return false;
    forget_ended();
    keep_ended(inode, *slot, said.entry);
    const std::uint64_t next = slot->generation + 1;
    *slot = Slot{};
    slot->generation = next;
    return true;
  }
}

// A file in use, whose URLs may have been signed again, goes on with the new ones: its content is
// the same.  What may fail comes first, and harms nothing if it was for nothing.
std::shared_ptr<const Files::Replaced> Files::replace(const Succession& succession) {
  const auto before = names();
  InUse known;
  for (;;) {
    for (const auto& file : in_use()) {
      if (known.contains(file)) continue;
      const auto row = before->row(number_of(file->inode()));
      known.emplace(file, row ? before->tree().entry(*row) : manifest::Entry{});
      renew(*file, *before, *succession.next);
    }
    if (auto out = take_over(succession, known)) return out;
  }
}

std::vector<std::shared_ptr<RemoteFile>> Files::in_use() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<RemoteFile>> files;
  for (const FileNumber number : awake_)
    if (const Slot* const known = slot(number); known && known->version)
      if (auto file = known->version->file.lock()) files.push_back(std::move(file));
  return files;
}

void Files::renew(RemoteFile& file, const Catalogue& before, const Catalogue& next) const {
  const FileNumber number = number_of(file.inode());
  const auto was = before.row(number), is = next.row(number);
  if (!was || !is) return;
  manifest::Content content = next.tree().content(*is);
  if (!same_content(before.tree().content(*was), content)) return;  // only of a damaged tree
  const auto who = profile(content);
  file.renew(std::move(content), who);
}

std::shared_ptr<const Files::Replaced> Files::take_over(const Succession& succession,
                                                        const InUse& in_use) {
  const auto out = std::make_shared<Replaced>();
  const std::lock_guard lock(mutex_);
  for (const FileNumber number : awake_)
    if (const Slot* const known = slot(number); known && known->version)
      if (const auto file = known->version->file.lock(); file && !in_use.contains(file))
        return nullptr;
  forget_ended();
  const auto inode = [this](FileNumber number) { return inode_of(number, generation(number)); };
  for (const FileNumber number : succession.gone) {
    out->attributes.push_back(inode(number));
    const Slot* const known = slot(number);
    const auto used =
        known && known->version ? in_use.find(known->version->file.lock()) : in_use.end();
    if (used != in_use.end()) keep_ended(inode(number), *known, used->second);
  }
  for (const FileNumber number : succession.gone_others) out->contents.push_back(inode(number));
  for (const FileNumber number : succession.restated) out->attributes.push_back(inode(number));
  for (const FileNumber number : succession.lists) out->contents.push_back(inode(number));
  for (const FileNumber number : succession.gone) slots_.erase(number);
  for (auto& [number, slot] : slots_) slot.failure = {};  // of a URL that may be another one now
  names_ = succession.next;
  return out;
}

}  // namespace skimfs::fs
