// SPDX-License-Identifier: MIT
//
// See sibling_reader.h.
#include "fs/sibling_reader.h"

#include <algorithm>
#include <new>
#include <utility>

#include "fs/next_hosts.h"
#include "fs/probe_width.h"

namespace skimfs::fs {

namespace {

// What warms a connection: about what a new one may send at once (RFC 6928), a small file or a
// header.
constexpr std::uint64_t kWarming = 16 * 1024;
// Where more must come so that its digest can be compared: up to here.
constexpr std::uint64_t kWarmingMost = 256 * 1024;
// Sizes that are asked for and not yet looked at, for one walk: more than a host has sockets for
// speculation, and twice as many as beginnings are asked for on account.
constexpr std::uint32_t kSizesMost = 2 * ProbeWidth::kMost;

}  // namespace

SiblingReader::SiblingReader(Files& files, cache::BlockCache& cache, Reader& reader,
                             Resolver& resolver, fetch::Fetching& fetching,
                             const fetch::Clock& clock, SiblingLimits limits)
    : files_(files),
      cache_(cache),
      reader_(reader),
      resolver_(resolver),
      fetching_(fetching),
      clock_(clock),
      limits_(limits),
      names_(files.names()),
      reads_(reads(names_)),
      lookups_(lookups(*names_)) {}

SiblingPlanner SiblingReader::reads(const std::shared_ptr<const Catalogue>& names) const {
  const auto told = [this, names](manifest::Row row) -> std::optional<std::uint64_t> {
    const auto attributes = files_.attributes(*names, row);
    // Its beginning, which comes with the answer, is not to be asked for twice.
    if (!attributes || resolver_.asks_size(names->number(row))) return std::nullopt;
    return attributes->size;
  };
  return {names->share_tree(), limits_, SiblingPlanner::Of::reads, told};
}

SiblingPlanner SiblingReader::lookups(const Catalogue& names) const {
  SiblingLimits limits = limits_;
  limits.files_max = std::min(limits.files_max, kSizesMost);
  return {names.share_tree(), limits, SiblingPlanner::Of::lookups};
}

void SiblingReader::note_read(const RemoteFile& file, cache::Extent bytes, bool first) noexcept {
  try {
    if (first) look_behind(file);
  } catch (const std::bad_alloc&) {
    // Speculation is left out.
  }
  if (bytes.end() < file.size()) return;
  const std::lock_guard lock(mutex_);
  if (const auto row = names_->row(number_of(file.inode()))) reads_.on_read_to_end(*row);
}

void SiblingReader::note_lookup(FileNumber number) noexcept {
  try {
    ask_sizes_behind(number);
  } catch (const std::bad_alloc&) {
    // Speculation is left out.
  }
}

void SiblingReader::rename(std::shared_ptr<const Catalogue> names) {
  SiblingPlanner reads = this->reads(names);
  SiblingPlanner lookups = this->lookups(*names);
  const std::lock_guard lock(mutex_);
  names_ = std::move(names);
  reads_ = std::move(reads);
  lookups_ = std::move(lookups);
}

void SiblingReader::ask_sizes_behind(FileNumber number) {
  SiblingPlanner::Plan plan;
  std::shared_ptr<const Catalogue> names;
  {
    const std::lock_guard lock(mutex_);
    names = names_;
    const auto row = names->row(number);
    if (!row) return;
    plan = lookups_.on_use(*row);
  }
  for (const auto& early : plan.files) resolver_.size_early(names->number(early.row), plan.walk);
}

void SiblingReader::look_behind(const RemoteFile& file) {
  SiblingPlanner::Plan plan;
  std::shared_ptr<const Catalogue> names;
  std::optional<manifest::Row> row;
  {
    const std::lock_guard lock(mutex_);
    names = names_;
    row = names->row(number_of(file.inode()));
    if (!row) return;
    plan = reads_.on_use(*row);
  }
  for (const auto& early : plan.files) {
    const auto attributes = files_.attributes(*names, early.row);
    if (!attributes) continue;
    const cache::Extent bytes{0, early.bytes};
    if (cache_.absent(attributes->inode, bytes).empty()) continue;
    if (const auto next = files_.open(attributes->inode))
      reader_.fetch_early(*next, bytes, plan.walk);
  }
  if (plan.entered) warm_next_hosts(file, *names, *row, plan.walk);
}

void SiblingReader::warm_next_hosts(const RemoteFile& read, const Catalogue& names,
                                    manifest::Row row, const SiblingPlanner::Walk& walk) {
  const auto own = read.object(0);
  for (const NextHost& next : next_hosts(names.tree(), row)) {
    const auto attributes = files_.attributes(names, next.row);
    if (!attributes) continue;
    const auto file = files_.open(attributes->inode);
    if (!file) continue;
    const cache::Extent bytes = (*file)->cover({0, std::min(attributes->size, kWarming)});
    if (bytes.length > kWarmingMost || cache_.absent(attributes->inode, bytes).empty()) continue;
    // A list of digests may be long, and comes before the bytes that are to warm.
    if ((*file)->units() && !digests_at_hand(**file, bytes, cache_)) continue;
    const auto pace = fetching_.pace(next.object);
    // Its own host may be spelled in another way.
    if (own && pace == fetching_.pace(*own)) continue;
    if (!pace->claim_warming(clock_.now())) continue;
    reader_.fetch_early(*file, bytes, walk);
  }
}

}  // namespace skimfs::fs
