// SPDX-License-Identifier: MIT
//
// See shares.h.
#include "cache/shares.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace skimfs::cache {

Shares::Group& Shares::enter(GroupId id) {
  Group& group = obtain(id);
  ++group.blocks;
  return group;
}

void Shares::leave(Group& group) noexcept {
  assert(group.blocks > 0);
  --group.blocks;
  drop_if_unused(group);
}

void Shares::hold(Group& group, std::uint64_t cost) noexcept {
  if (!is_active(group)) ++active_;
  group.held += cost;
  held_ += cost;
  assert(held_ <= limit_);
}

void Shares::let_go(Group& group, std::uint64_t cost) noexcept {
  assert(group.held >= cost);
  group.held -= cost;
  held_ -= cost;
  if (!is_active(group)) --active_;
}

bool Shares::admits(GroupId id, std::uint64_t cost, std::uint64_t reserve) const noexcept {
  if (cost + reserve > available()) return false;
  if (held_ == 0) return true;
  const Group* const group = find(id);
  const std::uint64_t before = group != nullptr ? group->held : 0;
  if (before + cost + reserve > available() - cost) return false;
  const bool waits = group != nullptr && !group->rooms.empty();
  if (waiting_.size() == (waits ? 1u : 0u)) return true;
  // Another group waits, perhaps for more than the rule above will ever leave to it.  Until it has
  // its turn the others keep to equal parts, one of them free; what they hold more ends by itself.
  // One claim is always admitted, since it may be larger than a part.
  const std::size_t parts = active_ + (group != nullptr && is_active(*group) ? 1 : 2);
  return before == 0 || before + cost <= limit_ / parts;
}

bool Shares::behind(GroupId id, const Waiter* waiter) const noexcept {
  if (turn_ != nullptr && turn_group_ == id) return waiter != turn_;
  const Group* const group = find(id);
  return group != nullptr && !group->rooms.empty();
}

void Shares::queue(GroupId id, std::uint64_t cost, std::shared_ptr<Waiter> waiter) {
  Group& group = obtain(id);
  const bool first = group.rooms.empty();
  const bool again = waiter.get() == turn_;
  try {
    if (first) waiting_.reserve(waiting_.size() + 1);
    group.rooms.insert(again ? group.rooms.begin() : group.rooms.end(),
                       Room{cost, again ? 0 : ++orders_, std::move(waiter)});
  } catch (...) {
    drop_if_unused(group);
    throw;
  }
  if (!first) return;
  waiting_.push_back(&group);
  if (group.held == 0) ++active_;
}

Shares::Rooms Shares::forget(const Waiter& waiter) noexcept {
  Rooms out;
  for (Group* const group : waiting_) {
    const auto at = std::find_if(group->rooms.begin(), group->rooms.end(),
                                 [&](const Room& room) { return room.waiter.get() == &waiter; });
    if (at == group->rooms.end()) continue;
    out.splice(out.end(), group->rooms, at);
    left_queue(*group);
    break;
  }
  return out;
}

Shares::Rooms Shares::begin_turn() noexcept {
  Group* const group = next();
  assert(group != nullptr && turn_ == nullptr);
  Rooms out;
  out.splice(out.end(), group->rooms, group->rooms.begin());
  turn_ = out.front().waiter.get();
  turn_group_ = group->id;
  left_queue(*group);
  return out;
}

const Shares::Group* Shares::find(GroupId id) const noexcept {
  const auto found = groups_.find(id);
  return found == groups_.end() ? nullptr : &found->second;
}

Shares::Group* Shares::next() const noexcept {
  Group* best = nullptr;
  for (Group* const group : waiting_) {
    const Room& head = group->rooms.front();
    const bool earlier = best == nullptr || head.order < best->rooms.front().order;
    if (earlier && admits(group->id, head.cost, 0)) best = group;
  }
  return best;
}

Shares::Group& Shares::obtain(GroupId id) { return groups_.try_emplace(id, id).first->second; }

// One has been taken out of its queue.
void Shares::left_queue(Group& group) noexcept {
  if (!group.rooms.empty()) return;
  waiting_.erase(std::find(waiting_.begin(), waiting_.end(), &group));
  if (group.held == 0) --active_;
  drop_if_unused(group);
}

void Shares::drop_if_unused(Group& group) noexcept {
  if (group.blocks == 0 && group.rooms.empty()) groups_.erase(group.id);
}

}  // namespace skimfs::cache
