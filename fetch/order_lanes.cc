// SPDX-License-Identifier: MIT
//
// A word for each id, by its remainder.
#include "fetch/order_lanes.h"

namespace skimfs::fetch {
namespace {

constexpr unsigned kIdShift = 16;
constexpr std::uint64_t kPromoted = 1u << 8;
constexpr std::uint64_t kLanes = 0xff;

}  // namespace

bool OrderLanes::note(OrderId id, unsigned lane) noexcept {
  std::atomic<std::uint64_t>& word = words_[id % kRemembered];
  std::uint64_t before = word.load(), after = 0;
  do {
    after = before >> kIdShift == id ? before : id << kIdShift;
    after |= std::uint64_t{1} << lane;
  } while (!word.compare_exchange_weak(before, after));
  return after & kPromoted;
}

std::uint8_t OrderLanes::promote(OrderId id) noexcept {
  std::atomic<std::uint64_t>& word = words_[id % kRemembered];
  std::uint64_t before = word.load();
  do {
    if (before >> kIdShift != id) return kLanes;
  } while (!word.compare_exchange_weak(before, before | kPromoted));
  return before & kLanes;
}

}  // namespace skimfs::fetch
