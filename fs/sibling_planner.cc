// SPDX-License-Identifier: MIT
//
// See sibling_planner.h.
#include "fs/sibling_planner.h"

#include <algorithm>
#include <utility>

#include "fs/probe_width.h"

namespace skimfs::fs {

using manifest::Kind;
using manifest::kRoot;
using manifest::Row;

namespace {

constexpr std::size_t kWalkers = 8;
// So many files may be left out between two reads: a filter, or several readers sharing a list.
constexpr int kSkipped = 4;
// So many rows are looked at for the next file: where it is farther it is no neighbour.
constexpr int kNear = 64;
// The third use in order makes a walk; one or two are as likely chance.
constexpr std::uint32_t kWalk = 3;
constexpr std::uint32_t kFirstWindow = 16;
// So large a file is fetched whole; a larger one for a walk that reads files up to their ends.
constexpr std::uint64_t kWhole = 1 << 20;
constexpr std::uint64_t kWholeForCopies = 4 << 20;
constexpr std::uint32_t kCopies = 2;
constexpr std::uint64_t kFirstBytes = 256 * 1024;

}  // namespace

SiblingPlanner::SiblingPlanner(std::shared_ptr<const manifest::Tree> tree, SiblingLimits limits,
                               Of of, Told told)
    : tree_(std::move(tree)), limits_(limits), of_(of), told_(std::move(told)) {}

SiblingPlanner::Plan SiblingPlanner::on_use(Row row) {
  const Row directory = tree_->entry(row).parent;
  const bool entered = std::ranges::none_of(
      walkers_, [directory](const Walker& each) { return each.directory == directory; });
  const auto walker = std::find_if(walkers_.begin(), walkers_.end(),
                                   [&](Walker& each) { return advance(each, row); });
  if (walker == walkers_.end()) {
    if (walkers_.size() == kWalkers) walkers_.pop_back();
    walkers_.insert(walkers_.begin(), Walker{.life = std::make_shared<char>(),
                                             .last = row,
                                             .directory = directory,
                                             .planned_to = row});
  } else {
    std::rotate(walkers_.begin(), walker, walker + 1);
  }
  Walker& current = walkers_.front();
  current.directory = directory;
  return {plan(current), current.life, entered};
}

bool SiblingPlanner::counts(Row row) const {
  const manifest::Entry entry = tree_->entry(row);
  return entry.kind == Kind::file && (of_ == Of::reads || !entry.size);
}

std::optional<std::uint64_t> SiblingPlanner::size(Row row) const {
  const auto stated = tree_->entry(row).size;
  return stated || !told_ ? stated : told_(row);
}

// The next row in this order that is a file; at the end of a directory the rows go on.
Row SiblingPlanner::next_file(Row row, Order order) const {
  int near = kNear;
  if (order == Order::directory) {
    const auto children = tree_->children(tree_->entry(row).parent);
    auto next = std::upper_bound(children.begin(), children.end(), row);
    for (; next != children.end() && near > 0; ++next, --near)
      if (counts(*next)) return *next;
  }
  for (; ++row < tree_->rows() && near > 0; --near)
    if (counts(row)) return row;
  return kRoot;
}

bool SiblingPlanner::follows(const Walker& walker, Row row, Order order) const {
  Row next = walker.last;
  for (int i = 0; i <= kSkipped; ++i) {
    next = next_file(next, order);
    if (next == row) return true;
    if (next == kRoot) return false;
  }
  return false;
}

bool SiblingPlanner::advance(Walker& walker, Row row) const {
  if (row == walker.last) return true;  // opened again
  const Order other = walker.order == Order::rows ? Order::directory : Order::rows;
  if (!follows(walker, row, walker.order)) {
    if (!follows(walker, row, other)) return false;
    walker.order = other;
    walker.planned_to = walker.last;
  }
  earn(walker, row);
  passed(walker, row);
  ++walker.in_order;
  return true;
}

// Sizes are asked for on account, so that never more are asked for in vain than lookups proved the
// guess right: the very next file pays for one, one that was planned for two.
void SiblingPlanner::earn(Walker& walker, Row row) const {
  if (row <= walker.planned_to)
    walker.earned += 2;
  else if (row == next_file(walker.last, walker.order))
    walker.earned += 1;
  walker.earned = std::min(walker.earned, limits_.files_max);
}

// Takes the files up to `row` off what is planned.
void SiblingPlanner::passed(Walker& walker, Row row) const {
  if (walker.planned_to <= row) {
    walker.planned = 0;
    walker.planned_bytes = 0;
    walker.planned_to = row;
  }
  for (Row at = walker.last; walker.planned > 0 && at != row;) {
    at = next_file(at, walker.order);
    --walker.planned;
    walker.planned_bytes -= std::min(walker.planned_bytes, worth(walker, at));
  }
  walker.last = row;
}

std::uint64_t SiblingPlanner::worth(const Walker& walker, Row row) const {
  if (of_ == Of::lookups) return ProbeWidth::kWidest;
  const std::uint64_t size = this->size(row).value_or(0);
  return size <= (walker.to_end < kCopies ? kWhole : kWholeForCopies) ? size : kFirstBytes;
}

void SiblingPlanner::on_read_to_end(Row row) {
  for (Walker& walker : walkers_)
    if (walker.last == row) ++walker.to_end;
}

// Opens the window for more, where it is time.
bool SiblingPlanner::open_window(Walker& walker) const {
  if (walker.in_order < kWalk) return false;
  if (of_ == Of::lookups) {
    walker.window = std::min(walker.planned + walker.earned, limits_.files_max);
    return true;
  }
  // Kept full, and wider by one with each file of the walk.
  walker.window = std::min(kFirstWindow + walker.in_order - kWalk, limits_.files_max);
  return true;
}

std::vector<SiblingPlanner::Early> SiblingPlanner::plan(Walker& walker) const {
  std::vector<Early> files;
  if (!open_window(walker)) return files;
  // Of a walk over such files the sizes are asked for ahead, too, and soon known.
  const bool await_sizes = of_ == Of::reads && !tree_->entry(walker.last).size;
  while (walker.planned < walker.window) {
    const Row next = next_file(walker.planned_to, walker.order);
    if (next == kRoot || (await_sizes && !size(next))) break;
    const std::uint64_t bytes = worth(walker, next);
    if (walker.planned_bytes + bytes > limits_.bytes_max) break;
    walker.planned_to = next;
    walker.planned_bytes += bytes;
    ++walker.planned;
    if (of_ == Of::lookups) --walker.earned;
    if (bytes > 0) files.push_back({next, bytes});
  }
  return files;
}

}  // namespace skimfs::fs
