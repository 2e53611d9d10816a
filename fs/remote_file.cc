// SPDX-License-Identifier: MIT
//
// See remote_file.h.
#include "fs/remote_file.h"

#include <algorithm>
#include <functional>

namespace skimfs::fs {

namespace {

// Inodes stay below: they would need 2^23 generations of a row to come here.
constexpr cache::VersionId kLists = cache::VersionId{1} << 63;

std::vector<std::shared_ptr<const fetch::Object>> objects_of(
    manifest::Content& content, const std::shared_ptr<const fetch::Profile>& profile) {
  std::vector<std::shared_ptr<const fetch::Object>> objects;
  objects.reserve(content.parts.size());
  for (manifest::Part& part : content.parts) {
    if (part.urls.empty()) {
      objects.push_back(nullptr);
      continue;
    }
    auto object = std::make_shared<fetch::Object>();
    object->urls = std::move(part.urls);
    object->profile = profile;
    objects.push_back(std::move(object));
  }
  return objects;
}

}  // namespace

RemoteFile::RemoteFile(Inode inode, std::string path, std::uint64_t size, manifest::Content content,
                       const std::shared_ptr<const fetch::Profile>& profile,
                       std::shared_ptr<VersionPin> pin, std::shared_ptr<Integrity> integrity)
    : RemoteFile(inode, inode, std::move(path), size, std::move(content), profile, std::move(pin),
                 std::move(integrity)) {}

std::shared_ptr<RemoteFile> RemoteFile::list_of(
    Inode inode, const Verification::List& list,
    const std::shared_ptr<const fetch::Profile>& profile, const VerifyPolicy& policy) {
  auto plan =
      plan_verification(list.content, list.size, {policy.mode, policy.list_max, policy.list_max});
  std::shared_ptr<Integrity> integrity;
  if (plan.how != Verification::How::nothing)
    integrity =
        std::make_shared<Integrity>(std::move(plan), list.size, nullptr, Integrity::Found{});
  auto pin =
      std::make_shared<VersionPin>(stated_versions(list.content, list.size, Validator::strict));
  return std::shared_ptr<RemoteFile>(new RemoteFile(inode, inode | kLists, {}, list.size,
                                                    list.content, profile, std::move(pin),
                                                    std::move(integrity)));
}

RemoteFile::RemoteFile(Inode inode, cache::VersionId version, std::string path, std::uint64_t size,
                       manifest::Content content,
                       const std::shared_ptr<const fetch::Profile>& profile,
                       std::shared_ptr<VersionPin> pin, std::shared_ptr<Integrity> integrity)
    : inode_(inode),
      version_(version),
      path_(std::move(path)),
      size_(size),
      pin_(std::move(pin)),
      integrity_(std::move(integrity)) {
  parts_.reserve(content.parts.size());
  for (manifest::Part& from : content.parts) {
    const std::uint64_t length = from.length.value_or(size);
    const bool remote = !from.urls.empty();
    const bool whole = !from.length || (from.offset == 0 && from.total == length);
    parts_.push_back(
        {{from.at, length}, from.offset, remote && whole, remote, std::move(from.literal)});
  }
  objects_ = objects_of(content, profile);
}

std::shared_ptr<const fetch::Object> RemoteFile::object(std::size_t part) const {
  const std::lock_guard lock(mutex_);
  return objects_[part];
}

void RemoteFile::renew(manifest::Content content,
                       const std::shared_ptr<const fetch::Profile>& profile) {
  auto objects = objects_of(content, profile);
  const std::lock_guard lock(mutex_);
  if (objects.size() == objects_.size()) objects_.swap(objects);  // else it was not the same
}

std::size_t RemoteFile::part_at(std::uint64_t offset) const noexcept {
  const auto after =
      std::upper_bound(parts_.begin(), parts_.end(), offset,
                       [](std::uint64_t at, const Part& part) { return at < part.bytes.offset; });
  return static_cast<std::size_t>(after - parts_.begin()) - 1;
}

std::string_view authority(std::string_view url) noexcept {
  const std::size_t scheme = url.find("://");
  url.remove_prefix(scheme == std::string_view::npos ? 0 : scheme + 3);
  return url.substr(0, url.find_first_of("/?"));
}

// Two spellings of one server only make two shares of it.
cache::GroupId group_of(const std::vector<std::string>& urls) noexcept {
  return std::hash<std::string_view>()(authority(urls.front()));
}

cache::GroupId RemoteFile::group_at(std::uint64_t offset) const noexcept {
  const auto held = object(part_at(offset));
  return held ? group_of(held->urls) : 0;
}

ReadPlanner::Plan RemoteFile::plan_read(cache::Extent bytes, ReadPlanner::Found found,
                                        fetch::TimePoint now, const PlannerLimits& limits) {
  const std::lock_guard lock(mutex_);
  return planner_.on_read(bytes, found, size_, now, limits,
                          pace_ ? pace_->get() : fetch::HostPace{});
}

void RemoteFile::set_pace(std::shared_ptr<const fetch::Pace> pace) {
  const std::lock_guard lock(mutex_);
  if (!pace_) pace_ = std::move(pace);
  has_pace_ = true;
}

void RemoteFile::refused(cache::Extent segment) noexcept {
  const std::lock_guard lock(mutex_);
  planner_.refused(segment);
}

Stated stated_versions(const manifest::Content& content, std::optional<std::uint64_t> size,
                       Validator standard) {
  Stated stated;
  // Without a digest the size alone says too little.
  const bool may_be_size = !content.digests.empty() || !content.pieces.empty();
  stated.validator = parse_validator(content.validator).value_or(standard);
  if (stated.validator == Validator::size && !may_be_size) stated.validator = Validator::strict;
  stated.parts.reserve(content.parts.size());
  for (const manifest::Part& from : content.parts) {
    Stated::Part& part = stated.parts.emplace_back();
    part.total = from.length ? from.total : size;
    part.etags = {from.etag};
    part.etags.insert(part.etags.end(), from.mirror_etags.begin(), from.mirror_etags.end());
    part.etags.resize(std::max<std::size_t>(from.urls.size(), 1));
  }
  return stated;
}

}  // namespace skimfs::fs
