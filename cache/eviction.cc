// SPDX-License-Identifier: MIT
//
// Four queues, each in the order of time.
#include "cache/eviction.h"

#include <cassert>

namespace skimfs::cache {

void Eviction::add(Entry& entry, TimePoint now) noexcept {
  assert(entry.queue == Queue::none && entry.pins == 0 && !entry.filling);
  entry.since = now;
  entry.queue = entry.consumed ? (entry.passing ? Queue::spent : Queue::consumed)
                : entry.unread ? Queue::unread
                               : Queue::recent;
  Line& to = line(entry.queue);
  to.entries.push_back(entry);
  to.bytes += entry.cost();
}

void Eviction::remove(Entry& entry) noexcept {
  if (entry.queue == Queue::none) return;
  Line& from = line(entry.queue);
  from.entries.erase(from.entries.iterator_to(entry));
  from.bytes -= entry.cost();
  entry.queue = Queue::none;
}

void Eviction::age(TimePoint now) noexcept {
  while (!unread_.entries.empty() && now - unread_.entries.front().since >= kUnreadGrace) {
    Entry& entry = unread_.entries.front();
    remove(entry);
    entry.consumed = true;
    add(entry, now);
  }
}

Entry* Eviction::next(For whom) noexcept {
  const auto front = [](Line& of) { return of.entries.empty() ? nullptr : &of.entries.front(); };
  if (Entry* const entry = front(spent_)) return entry;
  if (Entry* const entry = front(consumed_)) return entry;
  Entry* const recent = front(recent_);
  Entry* const unread = whom == For::demand ? front(unread_) : nullptr;
  if (recent == nullptr || unread == nullptr) return recent != nullptr ? recent : unread;
  return recent->since <= unread->since ? recent : unread;
}

std::uint64_t Eviction::bytes(For whom) const noexcept {
  return spent_.bytes + consumed_.bytes + recent_.bytes + (whom == For::demand ? unread_.bytes : 0);
}

bool Eviction::may_leave(const Entry& entry, For whom) noexcept {
  return entry.queue != Queue::none && (whom == For::demand || entry.queue != Queue::unread);
}

Eviction::Line& Eviction::line(Queue queue) noexcept {
  switch (queue) {
    case Queue::spent:
      return spent_;
    case Queue::consumed:
      return consumed_;
    case Queue::recent:
      return recent_;
    default:
      return unread_;
  }
}

}  // namespace skimfs::cache
