// SPDX-License-Identifier: MIT
//
// How much of the memory each group of fillers may hold, and who waits for room.
//
// Held is what cannot leave now: being filled, or pinned.  What waits for a server that says
// nothing is held until its readers give up, so a group may hold no more than it leaves to all
// others: half of the memory, the next one half of the rest.  Within a group it is first come,
// first served; groups do not wait for each other, but for the foremost they leave as much as it
// wants, in time: who waits longest of those whose group holds nothing.  Who holds something waits
// for its own server first.  A group's record is not charged: there is one for each server, not
// for each block.  Pure; guarded by its owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "cache/block.h"
#include "cache/names.h"

namespace skimfs::cache {

class Shares {
 public:
  struct Room {
    std::uint64_t cost = 0;   // bytes
    std::uint64_t order = 0;  // smaller: came earlier
    std::shared_ptr<Waiter> waiter;
  };
  using Rooms = std::list<Room>;

  struct Group {
    explicit Group(GroupId of) noexcept : id(of) {}

    const GroupId id;
    std::uint64_t blocks = 0;  // of it in the cache
    std::uint64_t held = 0;    // bytes
    Rooms rooms;               // who waits, oldest first
  };

  // `limit`: bytes, of all groups together.
  explicit Shares(std::uint64_t limit) noexcept : limit_(limit) {}

  // A block of this group comes into being.  It is not held yet.  Throws std::bad_alloc.
  Group& enter(GroupId id);
  void leave(Group& group) noexcept;  // and ends; not held any more
  void hold(Group& group, std::uint64_t cost) noexcept;
  void let_go(Group& group, std::uint64_t cost) noexcept;

  std::uint64_t held() const noexcept { return held_; }
  std::uint64_t available() const noexcept { return limit_ - held_; }  // free, or may leave

  // May the group hold `cost` more, so that `reserve` stays free beside it?  What nobody competes
  // for is not refused: the first claim on idle memory may have all of it.  Nor is what fits
  // refused to the foremost, if its group holds nothing.
  bool admits(GroupId id, std::uint64_t cost, std::uint64_t reserve) const noexcept;

  // Is somebody of the group before `waiter` (null: before a newcomer)?
  bool behind(GroupId id, const Waiter* waiter) const noexcept;
  // Joins the queue of its group; whose turn it is, at its head.  Throws std::bad_alloc.
  void queue(GroupId id, std::uint64_t cost, std::shared_ptr<Waiter> waiter);
  // Out of the queue; empty: it was not there.  To be destroyed with no lock held.
  Rooms forget(const Waiter& waiter) noexcept;
  bool idle() const noexcept { return waiting_.empty(); }

  // Is there one whose room is there now?
  bool due() const noexcept { return next() != nullptr; }
  // The one of them that came first, out of the queue; it has the turn until end_turn().  Due.
  Rooms begin_turn() noexcept;
  void end_turn() noexcept { turn_ = {}; }

 private:
  // Who comes before all others: has the turn, or waits longest of groups that hold nothing, if
  // there are such.
  struct Foremost {
    GroupId group = 0;
    std::uint64_t cost = 0;  // to be left to it; 0: nobody waits
  };

  const Group* find(GroupId id) const noexcept;
  Foremost foremost() const noexcept;
  bool admits(GroupId id, std::uint64_t cost, std::uint64_t reserve,
              const Foremost& foremost) const noexcept;
  Group* next() const noexcept;  // whose head is due
  Group& obtain(GroupId id);
  void left_queue(Group& group) noexcept;
  void drop_if_unused(Group& group) noexcept;
  // Keeps active_ right around a change of a group's holdings or queue.
  static bool is_active(const Group& group) noexcept {
    return group.held > 0 || !group.rooms.empty();
  }

  const std::uint64_t limit_;
  std::uint64_t held_ = 0;                     // bytes, of all groups
  std::unordered_map<GroupId, Group> groups_;  // with blocks or waiters
  std::size_t active_ = 0;                     // groups that hold or wait
  std::vector<Group*> waiting_;                // groups with a queue; few
  std::uint64_t orders_ = 0;                   // given out
  struct Turn {
    const Waiter* waiter = nullptr;  // may claim before its group's queue
    GroupId group = 0;
    std::uint64_t cost = 0;
  } turn_;
};

}  // namespace skimfs::cache
