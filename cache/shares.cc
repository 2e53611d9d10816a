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
  return admits(id, cost, reserve, foremost());
}

bool Shares::admits(GroupId id, std::uint64_t cost, std::uint64_t reserve,
                    const Foremost& foremost) const noexcept {
  if (cost + reserve > available()) return false;
  if (held_ == 0) return true;
  const Group* const group = find(id);
  const std::uint64_t before = group != nullptr ? group->held : 0;
  const bool is_foremost = foremost.cost > 0 && foremost.group == id;
  if (is_foremost && before == 0) return true;
  if (before + cost + reserve > available() - cost) return false;
  if (is_foremost || foremost.cost == 0) return true;
  // Until it has its turn the others keep to equal parts of what it leaves, one of them free; what
  // they hold more ends by itself.
  const auto active = [](const Group* of) { return of != nullptr && is_active(*of) ? 1u : 0u; };
  const std::size_t others = active_ + 1 - active(group) - active(find(foremost.group));
  if (before + cost <= (limit_ - foremost.cost) / (others + 1)) return true;
  // One claim at a time may be larger: nobody is held up by one that cannot have its room.
  return before == 0 && cost <= limit_ / (others + 2);
}

Shares::Foremost Shares::foremost() const noexcept {
  const auto order = [](const Group* group) {
    return std::pair(group->held > 0, group->rooms.front().order);
  };
  const auto found = std::ranges::min_element(waiting_, {}, order);
  const Group* const group = found == waiting_.end() ? nullptr : *found;
  const std::uint64_t cost = group != nullptr ? group->rooms.front().cost : 0;
  if (turn_.waiter != nullptr) return {turn_.group, std::max(turn_.cost, cost)};
  return {group != nullptr ? group->id : 0, cost};
}

bool Shares::behind(GroupId id, const Waiter* waiter) const noexcept {
  if (turn_.waiter != nullptr && turn_.group == id) return waiter != turn_.waiter;
  const Group* const group = find(id);
  return group != nullptr && !group->rooms.empty();
}

void Shares::queue(GroupId id, std::uint64_t cost, std::shared_ptr<Waiter> waiter) {
  Group& group = obtain(id);
  const bool first = group.rooms.empty();
  const bool again = waiter.get() == turn_.waiter;
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
  assert(group != nullptr && turn_.waiter == nullptr);
  Rooms out;
  out.splice(out.end(), group->rooms, group->rooms.begin());
  turn_ = {out.front().waiter.get(), group->id, out.front().cost};
  left_queue(*group);
  return out;
}

const Shares::Group* Shares::find(GroupId id) const noexcept {
  const auto found = groups_.find(id);
  return found == groups_.end() ? nullptr : &found->second;
}

Shares::Group* Shares::next() const noexcept {
  const Foremost foremost = this->foremost();  // once: many may wait
  Group* best = nullptr;
  for (Group* const group : waiting_) {
    const Room& head = group->rooms.front();
    const bool earlier = best == nullptr || head.order < best->rooms.front().order;
    if (earlier && admits(group->id, head.cost, 0, foremost)) best = group;
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
