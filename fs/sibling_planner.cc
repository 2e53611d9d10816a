// SPDX-License-Identifier: MIT
//
// See sibling_planner.h.
#include "fs/sibling_planner.h"

#include <algorithm>
#include <utility>

namespace skimfs::fs {

using manifest::Kind;
using manifest::kRoot;
using manifest::Row;

namespace {

constexpr std::size_t kWalkers = 8;
// So many files may be left out between two reads: a filter, or several readers sharing a list.
constexpr int kSkipped = 4;
// The third read in order makes a walk; one or two are as likely chance.
constexpr std::uint32_t kWalk = 3;
constexpr std::uint32_t kFirstWindow = 16;
// So large a file is fetched whole; a larger one for a walk that reads files up to their ends.
constexpr std::uint64_t kWhole = 1 << 20;
constexpr std::uint64_t kWholeForCopies = 4 << 20;
constexpr std::uint32_t kCopies = 2;
constexpr std::uint64_t kFirstBytes = 256 * 1024;

}  // namespace

SiblingPlanner::SiblingPlanner(std::shared_ptr<const manifest::Tree> tree, SiblingLimits limits)
    : tree_(std::move(tree)), limits_(limits) {}

SiblingPlanner::Plan SiblingPlanner::on_first_read(Row row) {
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

// The next row in this order that is a file; at the end of a directory the rows go on.
Row SiblingPlanner::next_file(Row row, Order order) const {
  if (order == Order::directory) {
    const auto children = tree_->children(tree_->entry(row).parent);
    auto next = std::upper_bound(children.begin(), children.end(), row);
    for (; next != children.end(); ++next)
      if (tree_->entry(*next).kind == Kind::file) return *next;
  }
  while (++row < tree_->rows())
    if (tree_->entry(row).kind == Kind::file) return row;
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
    walker.planned_to = row;
  }
  passed(walker, row);
  ++walker.in_order;
  return true;
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
  const std::uint64_t size = tree_->entry(row).size.value_or(0);
  return size <= (walker.to_end < kCopies ? kWhole : kWholeForCopies) ? size : kFirstBytes;
}

void SiblingPlanner::on_read_to_end(Row row) {
  for (Walker& walker : walkers_)
    if (walker.last == row) ++walker.to_end;
}

// Plans in halves of a window, so that requests are made in batches and always some are under way.
// The window doubles while its walk goes on.
std::vector<SiblingPlanner::Early> SiblingPlanner::plan(Walker& walker) const {
  std::vector<Early> files;
  if (walker.in_order < kWalk || walker.planned > walker.window / 2) return files;
  walker.window = std::min(std::max(kFirstWindow, 2 * walker.window), limits_.files_max);
  while (walker.planned < walker.window) {
    const Row next = next_file(walker.planned_to, walker.order);
    if (next == kRoot) break;
    const std::uint64_t bytes = worth(walker, next);
    if (walker.planned_bytes + bytes > limits_.bytes_max) break;
    walker.planned_to = next;
    walker.planned_bytes += bytes;
    ++walker.planned;
    if (bytes > 0) files.push_back({next, bytes});
  }
  return files;
}

}  // namespace skimfs::fs
