// SPDX-License-Identifier: MIT
//
// See version_pin.h.
#include "fs/version_pin.h"

#include <algorithm>
#include <utility>

#include "fetch/accept.h"
#include "fetch/header_parse.h"

namespace skimfs::fs {

namespace {

// A source that did not have the version is asked again after this: mirrors catch up.
constexpr std::chrono::seconds kRefusedTime{60};

}  // namespace

VersionPin::VersionPin(Stated stated) : validator_(stated.validator), verified_(stated.verified) {
  parts_.reserve(stated.parts.size());
  for (Stated::Part& from : stated.parts) {
    Part& part = parts_.emplace_back();
    part.total = from.total;
    part.sources.reserve(from.etags.size());
    for (std::string& etag : from.etags) {
      Source& source = part.sources.emplace_back();
      source.stated = !etag.empty();
      source.etag = std::move(etag);
    }
  }
}

VersionPin::VersionPin(Stated stated, const Learned& learned) : VersionPin(std::move(stated)) {
  Part& part = parts_.front();
  part.home = part.last = 0;
  part.total = learned.total;
  part.sources.front().etag = learned.etag;
  part.sources.front().last_modified = learned.last_modified;
  part.sources.front().learned = true;
  seen_ = learned.seen;
}

// Must this source first show that its bytes are those of the home?
bool VersionPin::must_prove(const Part& part, std::size_t source) const {
  if (part.home == kNone || part.home == source || verified_) return false;
  const Source& one = part.sources[source];
  return !one.learned && !(one.stated && part.sources[part.home].stated);
}

// What an equal answer elsewhere would prove; empty where nothing could.
std::optional<fetch::Version> VersionPin::proof(const Part& part) const {
  const Source& home = part.sources[part.home];
  switch (validator_) {
    case Validator::strict:
      if (!fetch::is_strong_etag(home.etag)) return std::nullopt;
      return fetch::Version{std::nullopt, home.etag, std::nullopt};
    case Validator::time:
      if (!home.last_modified) return std::nullopt;
      return fetch::Version{std::nullopt, {}, home.last_modified};
    case Validator::size:
      return fetch::Version{};
  }
  return std::nullopt;
}

fetch::Version VersionPin::expected(const Part& part, std::size_t source) const {
  const Source& one = part.sources[source];
  fetch::Version version{part.total, one.etag, one.last_modified};
  if (!must_prove(part, source)) return version;
  if (const auto same = proof(part)) {
    if (version.etag.empty()) version.etag = same->etag;
    if (!version.last_modified) version.last_modified = same->last_modified;
  }
  return version;
}

bool VersionPin::provable(const Part& part, std::size_t source) const {
  if (!must_prove(part, source)) return true;
  const auto same = proof(part);
  const Source& one = part.sources[source];
  return same &&
         (same->etag.empty() || !one.stated || fetch::same_strong_etag(same->etag, one.etag));
}

bool VersionPin::belongs(const Part& part, std::size_t source, const fetch::Version& seen) const {
  if (!provable(part, source)) return false;
  const fetch::Version wanted = expected(part, source);
  if (!fetch::is_version(wanted, seen)) return false;
  if (!must_prove(part, source)) return true;
  // What is merely not said proves nothing, and a tag of its own that is equal proves nothing where
  // the time is what counts.
  if (wanted.total && wanted.total != seen.total) return false;
  return validator_ != Validator::time || wanted.last_modified == seen.last_modified;
}

// Does the manifest say which version the object has?
bool VersionPin::fixed(const Part& part) {
  return part.home == kNone || part.sources.front().stated || part.sources[part.home].stated;
}

fetch::Version VersionPin::expect(std::size_t part, std::size_t source) const {
  const std::lock_guard lock(mutex_);
  return expected(parts_[part], source);
}

fetch::Version VersionPin::known(std::size_t part) const {
  const std::lock_guard lock(mutex_);
  const Part& mine = parts_[part];
  return expected(mine, mine.home == kNone ? 0 : mine.home);
}

fetch::Standing VersionPin::standing(std::size_t part, std::size_t source,
                                     fetch::TimePoint now) const {
  const std::lock_guard lock(mutex_);
  const Part& mine = parts_[part];
  if (!provable(mine, source)) return fetch::Standing::unusable;
  return now < mine.sources[source].refused_until ? fetch::Standing::doubtful
                                                  : fetch::Standing::usable;
}

bool VersionPin::decides(std::size_t part, std::size_t source) const {
  const std::lock_guard lock(mutex_);
  return parts_[part].home == source && !fixed(parts_[part]);
}

void VersionPin::refuse(std::size_t part, std::size_t source, fetch::TimePoint now) {
  const std::lock_guard lock(mutex_);
  parts_[part].sources[source].refused_until = now + kRefusedTime;
  if (source == 0) doubted_ = true;
}

bool VersionPin::matches(std::size_t part, std::size_t source, const fetch::Version& seen) const {
  const std::lock_guard lock(mutex_);
  return belongs(parts_[part], source, seen);
}

bool VersionPin::learn(std::size_t part, std::size_t source, const fetch::Version& seen,
                       fetch::TimePoint now) {
  const std::lock_guard lock(mutex_);
  Part& mine = parts_[part];
  // The caller compared with what it read from expect(); somebody may have learned since.
  if (!belongs(mine, source, seen)) return false;
  const bool first = mine.home == kNone;
  if (first) mine.home = static_cast<std::uint32_t>(source);
  mine.last = static_cast<std::uint32_t>(source);
  if (!mine.total) mine.total = seen.total;
  // A later answer may say more than the first: from then on that must match too.
  Source& one = mine.sources[source];
  one.learned = true;
  one.refused_until = {};
  if (validator_ == Validator::strict && one.etag.empty()) one.etag = seen.etag;
  if (validator_ != Validator::size && !one.last_modified) one.last_modified = seen.last_modified;
  if (source == 0) doubted_ = false;
  if (source == 0 || first) seen_ = now;
  return true;
}

bool VersionPin::speaks(std::size_t part, std::size_t source) const {
  const std::lock_guard lock(mutex_);
  return source == 0 || parts_[part].home == source;
}

bool VersionPin::credible(std::size_t part, std::size_t source, const fetch::Version& seen) const {
  const std::lock_guard lock(mutex_);
  const Source& one = parts_[part].sources[source];
  if (one.etag.empty() && !one.last_modified) return true;
  return !seen.etag.empty() || seen.last_modified;
}

VersionPin::Difference VersionPin::differs(std::size_t part) {
  const std::lock_guard lock(mutex_);
  // Where nothing was learned yet it is the manifest that the server disagrees with.
  if (fixed(parts_[part])) return Difference::contradiction;
  ended_ = true;
  return Difference::changed;
}

void VersionPin::confirmed(fetch::TimePoint now) {
  const std::lock_guard lock(mutex_);
  seen_ = now;
  doubted_ = false;
}

bool VersionPin::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

bool VersionPin::learned() const {
  const std::lock_guard lock(mutex_);
  return std::any_of(parts_.begin(), parts_.end(),
                     [](const Part& part) { return part.home != kNone; });
}

bool VersionPin::adds_nothing() const {
  const std::lock_guard lock(mutex_);
  const auto known = [](const Source& source) {
    return source.learned || source.refused_until != fetch::TimePoint{};
  };
  return !ended_ && !doubted_ && std::none_of(parts_.begin(), parts_.end(), [&](const Part& part) {
    return std::any_of(part.sources.begin(), part.sources.end(), known);
  });
}

std::optional<VersionPin::Learned> VersionPin::learned_alone() const {
  const std::lock_guard lock(mutex_);
  if (ended_ || doubted_ || parts_.size() != 1 || parts_.front().sources.size() != 1)
    return std::nullopt;
  const Part& part = parts_.front();
  const Source& source = part.sources.front();
  if (!source.learned || source.refused_until != fetch::TimePoint{}) return std::nullopt;
  return Learned{source.etag, source.last_modified, part.total, seen_};
}

bool VersionPin::due(fetch::TimePoint now, std::chrono::seconds age) const {
  const std::lock_guard lock(mutex_);
  return doubted_ || now - seen_ >= age;
}

bool VersionPin::has_mirrors(std::size_t part) const {
  const std::lock_guard lock(mutex_);
  return parts_[part].sources.size() > 1;
}

std::optional<std::size_t> VersionPin::last_source(std::size_t part) const {
  const std::lock_guard lock(mutex_);
  const std::uint32_t last = parts_[part].last;
  return last == kNone ? std::nullopt : std::optional<std::size_t>(last);
}

std::optional<Validator> parse_validator(std::string_view word) {
  if (word == "strict") return Validator::strict;
  if (word == "time") return Validator::time;
  if (word == "size") return Validator::size;
  return std::nullopt;
}

}  // namespace skimfs::fs
