// SPDX-License-Identifier: MIT
//
// Claims, pins and the queue for room.
//
// Costs are checked before anything is touched, so a claim that fails has evicted nothing.  What a
// change makes due (waiters whose turn has come) is taken out under the lock and woken after it.
#include "cache/block_cache.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "cache/entry.h"
#include "cache/eviction.h"
#include "cache/shelves.h"

namespace skimfs::cache {
namespace {

static_assert(Arena::kPage == kGrain, "a block of whole grains wastes no memory");
static_assert(Arena::kChunkPages * Arena::kPage == kBlock, "the arena can hold a block in one run");

constexpr std::uint64_t kLeastDemandShare = 2u << 20;
// Of what passes through, so much stays for a second reader close behind the first.
constexpr std::uint64_t kSpentTail = 4u << 20;

std::uint32_t pages_for(std::uint64_t bytes) noexcept {
  return static_cast<std::uint32_t>((bytes + Arena::kPage - 1) / Arena::kPage);
}

// What a claim may cost: fragmented memory can make a block of every page.
std::uint64_t cost_at_most(std::uint64_t bytes) noexcept {
  return (bytes + Arena::kPage - 1) / Arena::kPage * (Arena::kPage + kBookkeeping);
}

// Room is promised without knowing which version it is for: two blocks that overlap the ends of a
// claim may be evictable, and then are not, because the claim pins them.
constexpr std::uint64_t kRoomSlack = 2 * (kBlock + kBookkeeping);

Eviction::For for_whom(BlockCache::Why why) noexcept {
  return why == BlockCache::Why::demand ? Eviction::For::demand : Eviction::For::ahead;
}

Extent after(Extent bytes, Extent done) noexcept { return {done.end(), bytes.end() - done.end()}; }

// In the usual case; there are more where blocks are small.
std::size_t blocks_in(Extent bytes) noexcept {
  return static_cast<std::size_t>(bytes.length / kBlock + 2);
}

}  // namespace

Pin::Pin(Pin&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}

Pin& Pin::operator=(Pin&& other) noexcept {
  Pin taken(std::move(other));  // leaves with what this held
  std::swap(block_, taken.block_);
  return *this;
}

Pin::~Pin() {
  if (block_ == nullptr) return;
  Entry& entry = static_cast<Entry&>(*block_);
  entry.cache.unpin(entry);
}

BlockCache::BlockCache(std::uint64_t limit, TimePoint (*now)() noexcept)
    : limit_(limit),
      now_(now),
      arena_(limit),
      shelves_(std::make_unique<Shelves>()),
      eviction_(std::make_unique<Eviction>()),
      shares_(limit) {
  status_.limit = limit;
}

BlockCache::~BlockCache() {
  assert(shares_.idle());
  while (eviction_->next(Eviction::For::demand) != nullptr) evict(Why::demand);
  assert(status_.blocks == 0 && status_.used == 0);  // else a pin or a ticket outlives the cache
}

std::optional<std::vector<Pin>> BlockCache::find(VersionId version, Extent bytes) {
  std::vector<Pin> pins;  // dies after the lock
  pins.reserve(blocks_in(bytes));
  const std::lock_guard lock(mutex_);
  for (Extent rest = bytes; !rest.empty();) {
    const Shelves::Part part = shelves_->first(version, rest);
    if (part.entry == nullptr) return {};
    const Extent extent = part.entry->extent();
    if (extent.offset + part.entry->readable() < part.bytes.end()) return {};
    part.entry->unread = part.entry->consumed = false;
    pin(*part.entry, pins);
    rest = after(rest, part.bytes);
  }
  status_.hits += pins.size();
  return pins;
}

std::optional<BlockCache::Claim> BlockCache::claim(VersionId version, Extent bytes, Why why,
                                                   const Claimant& who) {
  assert(bytes.offset % kGrain == 0);
  Claim claim;  // dies after the lock
  std::vector<Pin> present;
  claim.pins.reserve(blocks_in(bytes));
  claim.missing.reserve(blocks_in(bytes));
  present.reserve(blocks_in(bytes));

  const std::lock_guard lock(mutex_);
  if (why == Why::ahead) eviction_->age(now_());
  if (!affordable(measure(version, bytes), why, who)) return {};

  // All that is there is pinned before anything is evicted for what is not.
  for (Extent rest = bytes; !rest.empty();) {
    const Shelves::Part part = shelves_->first(version, rest);
    if (part.entry != nullptr) {
      if (why == Why::demand) part.entry->unread = part.entry->consumed = false;
      pin(*part.entry, present);
    }
    rest = after(rest, part.bytes);
  }
  auto next_present = present.begin();
  for (Extent rest = bytes; !rest.empty();) {
    const Shelves::Part part = shelves_->first(version, rest);
    if (part.entry != nullptr) {
      claim.pins.push_back(std::move(*next_present++));
    } else {
      make(version, part.bytes, why, who, claim);
    }
    rest = after(rest, part.bytes);
  }
  if (why == Why::demand) {
    status_.hits += present.size();
    status_.misses += claim.missing.size();
  }
  check_invariants();
  return claim;
}

Wait BlockCache::await_room(std::uint64_t bytes, GroupId group, std::shared_ptr<Waiter> waiter) {
  const std::uint64_t cost = cost_at_most(bytes) + kRoomSlack;
  if (cost > limit_) return Wait::failed;
  bool due = false;
  {
    const std::lock_guard lock(mutex_);
    if (!shares_.behind(group, waiter.get()) && shares_.admits(group, cost, 0)) return Wait::ready;
    shares_.queue(group, cost, std::move(waiter));
    ++status_.room_waits;
    due = room_is_due();  // being the foremost may be all that was missing
  }
  if (due) serve();
  return Wait::waiting;
}

bool BlockCache::forget_room(const Waiter& waiter) noexcept {
  Shares::Rooms out;  // dies after the lock
  bool due = false;
  {
    const std::lock_guard lock(mutex_);
    out = shares_.forget(waiter);
    if (out.empty()) return false;
    due = room_is_due();  // the next one may need less
  }
  if (due) serve();
  return true;
}

void BlockCache::consumed(VersionId version, Extent bytes, bool passing) noexcept {
  const std::lock_guard lock(mutex_);
  for (Extent rest = bytes; !rest.empty();) {
    const Shelves::Part part = shelves_->first(version, rest);
    rest = after(rest, part.bytes);
    if (part.entry == nullptr || part.bytes.end() != part.entry->extent().end()) continue;
    part.entry->consumed = true;
    part.entry->passing = passing;
    if (part.entry->queue == Queue::none) continue;
    eviction_->remove(*part.entry);
    eviction_->add(*part.entry, now_());
  }
  recycle();
}

std::vector<Extent> BlockCache::absent(VersionId version, Extent bytes) const {
  std::vector<Extent> gaps;
  const std::lock_guard lock(mutex_);
  for (Extent rest = bytes; !rest.empty();) {
    const Shelves::Part part = shelves_->first(version, rest);
    rest = after(rest, part.bytes);
    if (part.entry != nullptr) continue;
    if (!gaps.empty() && gaps.back().end() == part.bytes.offset) {
      gaps.back().length += part.bytes.length;
    } else {
      gaps.push_back(part.bytes);
    }
  }
  return gaps;
}

std::uint64_t BlockCache::held(VersionId version) const {
  std::uint64_t bytes = 0;
  const std::lock_guard lock(mutex_);
  for (const Entry* const entry : shelves_->of(version)) bytes += entry->readable();
  return bytes;
}

void BlockCache::drop(VersionId version) noexcept {
  for (;;) {
    Entry* entry = nullptr;
    {
      const std::lock_guard lock(mutex_);
      while ((entry = shelves_->any(version)) != nullptr) {
        unlist(*entry);
        if (entry->queue != Queue::none) break;  // else it dies with its last pin or its ticket
      }
      if (entry == nullptr) return;
      eviction_->remove(*entry);
      shares_.hold(entry->group, entry->cost());
      ++entry->pins;  // ours
    }
    Arena::discard(entry->run());
    unpin(*entry);
  }
}

CacheStatus BlockCache::status() const {
  const std::lock_guard lock(mutex_);
  CacheStatus status = status_;
  status.pinned = shares_.held();
  return status;
}

BlockCache::Need BlockCache::measure(VersionId version, Extent bytes) const {
  Need need;
  for (Extent rest = bytes; !rest.empty();) {
    const Shelves::Part part = shelves_->first(version, rest);
    rest = after(rest, part.bytes);
    if (part.entry == nullptr) {
      need.cost += cost_at_most(part.bytes.length);
      continue;
    }
    const std::uint64_t cost = part.entry->cost();
    if (Eviction::may_leave(*part.entry, Eviction::For::demand)) need.kept_from_demand += cost;
    if (Eviction::may_leave(*part.entry, Eviction::For::ahead)) need.kept_from_ahead += cost;
  }
  return need;
}

bool BlockCache::affordable(const Need& need, Why why, const Claimant& who) const noexcept {
  if (need.cost == 0) return true;
  if (shares_.behind(who.group, who.waiter)) return false;
  const std::uint64_t more_held = need.cost + need.kept_from_demand;
  if (why == Why::demand) return shares_.admits(who.group, more_held, 0);
  const std::uint64_t ahead =
      limit_ - status_.used + eviction_->bytes(Eviction::For::ahead) - need.kept_from_ahead;
  return need.cost <= ahead &&
         shares_.admits(who.group, more_held, std::max(limit_ / 8, kLeastDemandShare));
}

void BlockCache::make(VersionId version, Extent gap, Why why, const Claimant& who, Claim& claim) {
  while (!gap.empty()) {
    const std::uint32_t pages = pages_for(gap.length);
    while (status_.used + std::uint64_t{pages} * Arena::kPage + kBookkeeping > limit_) evict(why);
    claim.missing.emplace_back();  // what may throw comes first
    Arena::Run run{nullptr, pages};
    if (pages < Arena::kChunkPages || !arena_.promise()) run = arena_.take(pages);
    assert(run.pages > 0);  // the limit is never above the arena's size
    const Extent part{gap.offset, std::min(gap.length, std::uint64_t{run.pages} * Arena::kPage)};
    Entry& entry = list(version, part, run, why, who);
    claim.missing.back().entry_ = &entry;
    claim.missing.back().extent_ = part;
    pin(entry, claim.pins);
    gap = after(gap, part);
  }
}

Entry& BlockCache::list(VersionId version, Extent bytes, Arena::Run run, Why why,
                        const Claimant& who) {
  Shares::Group* group = nullptr;
  std::unique_ptr<Entry> entry;
  try {
    group = &shares_.enter(who.group);
    entry =
        std::make_unique<Entry>(*this, *group, version, bytes, run, who.filler, why == Why::ahead);
    shelves_->insert(*entry);
  } catch (...) {
    if (group != nullptr) shares_.leave(*group);
    give_back(run);
    throw;
  }
  entry->listed = true;
  shares_.hold(*group, entry->cost());
  status_.used += entry->cost();
  status_.filling += entry->cost();
  status_.peak = std::max(status_.peak, status_.used);
  ++status_.blocks;
  return *entry.release();
}

void BlockCache::pin(Entry& entry, std::vector<Pin>& pins) {
  Pin& pin = pins.emplace_back();  // what may throw comes first
  ++entry.pins;
  if (entry.queue != Queue::none) {
    eviction_->remove(entry);
    shares_.hold(entry.group, entry.cost());
  }
  pin.block_ = &entry;
}

void BlockCache::rest(Entry& entry) noexcept {
  if (entry.pins > 0 || entry.filling) return;
  shares_.let_go(entry.group, entry.cost());
  if (entry.listed) {
    eviction_->add(entry, now_());
    recycle();
  } else {
    destroy(entry);
  }
}

void BlockCache::recycle() noexcept {
  while (eviction_->spent_bytes() > kSpentTail) evict(Why::ahead);
}

void BlockCache::evict(Why why) noexcept {
  Entry* const entry = eviction_->next(for_whom(why));
  assert(entry != nullptr);  // affordable() has counted
  eviction_->remove(*entry);
  unlist(*entry);
  destroy(*entry);
  ++status_.evictions;
}

void BlockCache::unlist(Entry& entry) noexcept {
  if (!std::exchange(entry.listed, false)) return;
  shelves_->erase(entry);
}

void BlockCache::destroy(Entry& entry) noexcept {
  give_back(entry.run());
  status_.used -= entry.cost();
  --status_.blocks;
  shares_.leave(entry.group);
  delete &entry;
}

void BlockCache::give_back(Arena::Run run) noexcept {
  if (run.data == nullptr)
    arena_.renounce();
  else
    arena_.give(run);
}

void BlockCache::unpin(Entry& entry) noexcept {
  bool due = false;
  {
    const std::lock_guard lock(mutex_);
    --entry.pins;
    rest(entry);
    due = room_is_due();
    check_invariants();
  }
  if (due) serve();
}

bool BlockCache::is_pinned(const Entry& entry) const noexcept {
  const std::lock_guard lock(mutex_);
  return entry.pins > 0;
}

void BlockCache::place(Entry& entry) noexcept {
  const std::lock_guard lock(mutex_);
  entry.place(arena_.redeem().data);
}

void BlockCache::abolish(Entry& entry) noexcept {
  const std::lock_guard lock(mutex_);
  unlist(entry);
}

void BlockCache::settle(Entry& entry) noexcept {
  bool due = false;
  {
    const std::lock_guard lock(mutex_);
    entry.filling = false;
    status_.filling -= entry.cost();
    rest(entry);
    due = room_is_due();
    check_invariants();
  }
  if (due) serve();
}

bool BlockCache::room_is_due() const noexcept { return !serving_ && shares_.due(); }

// One at a time: who is woken claims before the next one's turn is judged.  What becomes free
// meanwhile, here or on another thread, is seen by the next round, so nobody else needs to serve.
void BlockCache::serve() noexcept {
  Shares::Rooms due;  // until its turn is over: nobody else may get its waiter's address
  for (bool first = true;; first = false) {
    Shares::Rooms over;  // dies after the lock
    {
      const std::lock_guard lock(mutex_);
      if (!first) {
        serving_ = false;
        shares_.end_turn();
        over.swap(due);
      }
      if (!room_is_due()) return;
      serving_ = true;
      due = shares_.begin_turn();
    }
    due.front().waiter->wake({});
  }
}

void BlockCache::check_invariants() const noexcept {
#ifndef NDEBUG
  const std::uint64_t pages = arena_.pages() - arena_.free_pages();
  assert(status_.used == pages * Arena::kPage + status_.blocks * kBookkeeping);
  assert(status_.used <= limit_);
  assert(status_.used - eviction_->bytes(Eviction::For::demand) == shares_.held());
  assert(status_.filling <= shares_.held());
  assert(shelves_->size() <= status_.blocks);
#endif
}

}  // namespace skimfs::cache
