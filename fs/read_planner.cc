// SPDX-License-Identifier: MIT
//
// Streams, windows, segments.
//
// Speculation is earned: what is planned and not yet read never exceeds what was read in order
// (or kUnearned), so a stream over-reads at most twice and a lone random read costs its grains.
// The one exception is a file read in order from its first byte, past its first MiB: who does that
// reads on, and at a distance each doubling of what was earned costs a round trip.
#include "fs/read_planner.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <utility>

namespace skimfs::fs {
namespace {

using cache::Extent;
using cache::kBlock;
using cache::kGrain;
using namespace std::chrono_literals;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;

constexpr std::size_t kStreams = 8;
constexpr std::uint64_t kUnearned = 128 * kKiB;
constexpr std::uint64_t kGlance = 64 * kKiB;  // the kernel asks for more when a program reads on
constexpr std::uint64_t kWindowMin = kMiB;
// The kernel's read-ahead arrives out of order by up to 256 KiB back and 512 KiB forward.
constexpr std::uint64_t kBackward = kMiB;
constexpr std::uint64_t kForward = 512 * kKiB;
constexpr auto kIdle = 2s;   // halves a window
constexpr auto kDead = 10s;  // ends a stream
constexpr double kWorthwhile = 1.1;
constexpr auto kNoTrial = 8s;  // after one that brought nothing
// At a distance: windows up to here are four requests, larger ones eight of capped connections.  A
// new connection begins slowly, and what it brings is waited for in its turn.
constexpr std::uint64_t kFewRequests = 16 * kMiB;
constexpr double kFarShare = 1.0 / 4;
// What a reader in order may get unearned at the beginning of a file: from a host not heard of yet,
// and the most from a distant one, whose line may be busy with it for so many first-byte times.
constexpr std::uint64_t kStartUnknown = 4 * kMiB;
constexpr std::uint64_t kStartMax = 16 * kMiB;
constexpr double kStartTimes = 4;
constexpr double kStartShare = 1.0 / 4;

std::uint64_t round_down(std::uint64_t value, std::uint64_t unit) noexcept {
  return value - value % unit;
}

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) noexcept {
  return round_down(value + unit - 1, unit);
}

std::uint64_t clamp_window(std::uint64_t window, std::uint64_t most) noexcept {
  return std::clamp(window, std::min(kWindowMin, most), most);
}

std::uint64_t part_of(std::uint64_t bytes, double share) noexcept {
  return static_cast<std::uint64_t>(static_cast<double>(bytes) * share);
}

}  // namespace

// Near: one request at a time, the next one asked for while the last fifth is still unread; more
// would only be memory.  Far: several, as long as they bring more.
ReadPlanner::Reach ReadPlanner::reach(const PlannerLimits& limits,
                                      const fetch::HostPace& pace) noexcept {
  Reach reach{.window_max = limits.window_max,
              .window_free = 2 * limits.segment_max,
              .window_kept = limits.window_max,
              .start = std::min(kStartUnknown, limits.window_max / 4),
              .segment_max = limits.segment_max,
              .share = 1.0 / 2,
              .share_beyond = 1.0 / 2};
  if (!pace.known()) return reach;
  if (pace.near()) {
    reach.share = reach.share_beyond = 4.0 / 5;
    reach.window_max = std::min(limits.window_max, limits.segment_max / 5 * 6);
    reach.start = 0;
    reach.near = true;
    return reach;
  }
  reach.round_trip = pace.first_byte;
  reach.window_free = pace.capped() ? 2 * kFewRequests : kFewRequests;
  reach.window_kept = kFewRequests;
  reach.share = kFarShare;
  reach.share_beyond = pace.capped() ? kFarShare / 2 : kFarShare;
  if (pace.rate == 0) return reach;
  const double waiting = std::chrono::duration<double>(pace.first_byte).count();
  const double start = std::min(kStartTimes * waiting * pace.rate, double{kStartMax});
  reach.start = std::min(static_cast<std::uint64_t>(start), limits.window_max / 4);
  return reach;
}

bool ReadPlanner::reads_on(const Stream& stream) noexcept {
  return stream.begin == 0 && stream.earned >= kMiB;
}

// How much may be planned and unread.
std::uint64_t ReadPlanner::allowed(const Stream& stream, const Reach& reach) noexcept {
  const std::uint64_t earned = stream.earned + (reads_on(stream) ? reach.start : 0);
  return std::min(stream.window, std::max(kUnearned, earned));
}

Extent ReadPlanner::grains(Extent bytes, std::uint64_t size) noexcept {
  const std::uint64_t first = round_down(bytes.offset, kGrain);
  return {first, std::min(round_up(bytes.end(), kGrain), size) - first};
}

ReadPlanner::Plan ReadPlanner::on_read(Extent bytes, Found found, std::uint64_t size,
                                       fetch::TimePoint now, const PlannerLimits& limits,
                                       const fetch::HostPace& pace) {
  assert(!bytes.empty() && bytes.end() <= size);
  std::erase_if(streams_, [&](const Stream& each) { return now - each.used >= kDead; });
  Plan plan{grains(bytes, size), {}, false};

  const Reach reach = ReadPlanner::reach(limits, pace);
  Stream* stream = continued_by(bytes);
  if (stream == nullptr) {
    const std::uint64_t before = length_of_run_at(steps_.start());
    for (const Extent& next : steps_.on_step(bytes, before, size, limits.window_max / 4))
      plan.ahead.push_back(grains(next, size));
    Stream* const behind = reread_by(bytes);
    if (behind != nullptr && found != Found::absent) {
      behind->used = now;
      return plan;
    }
    // Read before and lost, say with a transfer that failed: who reads it again has earned it.
    const std::uint64_t earned = behind == nullptr ? 0 : behind->earned;
    Stream& fresh = begin(bytes, now);
    fresh.earned += earned;
    fresh.ahead_end = plan.demand.end();
    if (bytes.offset != 0) return plan;
    // The rest of the first segment, too, when its beginning was fetched before the file was
    // opened.
    const bool glance = reach.near && bytes.length <= kGlance && size > kFirstSegment;
    const std::uint64_t first = glance ? kFirstGlance : kFirstSegment;
    fresh.ahead_end = std::max(fresh.ahead_end, std::min(size, first));
    const std::uint64_t rest = fresh.ahead_end - plan.demand.end();
    if (found != Found::ready)
      plan.demand.length += rest;
    else if (rest > 0)
      plan.ahead.push_back({plan.demand.end(), rest});
    if (!reads_on(fresh)) return plan;
    fresh.start = reach.start;
    fresh.window = std::max(fresh.window, reach.start);
    Reach beginning = reach;
    beginning.share = std::min(reach.share, kStartShare);
    for (const Extent& segment : look_ahead(fresh, size, beginning)) plan.ahead.push_back(segment);
    return plan;
  }

  const bool planned = bytes.end() <= stream->ahead_end;
  advance(*stream, bytes, found, now, reach);
  if (stream->reads == 2) stream = &absorb_runs_behind(*stream);
  if (found == Found::absent && planned) stream->ahead_end = plan.demand.end();  // it was lost
  if (found == Found::absent && plan.demand.end() >= stream->ahead_end) {
    // Where speculation finds no room, a reader in order still fetches blocks and not grains.
    const std::uint64_t end = std::min(round_up(plan.demand.end(), kBlock), size);
    if (end - stream->next <= allowed(*stream, reach)) {
      plan.demand.length = end - plan.demand.offset;
    }
  }
  stream->ahead_end = std::max(stream->ahead_end, plan.demand.end());
  plan.ahead = look_ahead(*stream, size, reach);
  plan.in_order = true;
  return plan;
}

void ReadPlanner::refused(Extent segment) noexcept {
  for (Stream& stream : streams_) {
    if (segment.offset < stream.next || segment.offset >= stream.ahead_end) continue;
    stream.ahead_end = segment.offset;
    const std::uint64_t granted = stream.ahead_end - stream.next;
    stream.window = std::min(stream.window, std::max({stream.window / 2, granted, kWindowMin}));
    stream.on_trial = false;
    return;
  }
}

// The stream whose end the read touches and moves; of several the one nearest to the read.
ReadPlanner::Stream* ReadPlanner::continued_by(Extent bytes) noexcept {
  Stream* best = nullptr;
  for (Stream& each : streams_) {
    const bool touches = bytes.offset <= each.next && bytes.end() > each.next &&
                         bytes.offset + kBackward >= each.next;
    if (touches && (best == nullptr || each.next < best->next)) best = &each;
  }
  return best;
}

std::uint64_t ReadPlanner::length_of_run_at(std::uint64_t begin) const noexcept {
  for (const Stream& each : streams_)
    if (each.begin == begin) return each.next - each.begin;
  return 0;
}

// The stream that has just passed these bytes: a straggler of the kernel's, or a short step back.
ReadPlanner::Stream* ReadPlanner::reread_by(Extent bytes) noexcept {
  for (Stream& each : streams_) {
    if (bytes.end() <= each.next && bytes.offset + kBackward >= each.next) return &each;
  }
  return nullptr;
}

ReadPlanner::Stream& ReadPlanner::begin(Extent bytes, fetch::TimePoint now) {
  if (streams_.size() == kStreams) {
    // A run nobody continued goes before a stream, then the longest unused.
    const auto worth = [](const Stream& each) { return std::pair(each.reads > 1, each.used); };
    streams_.erase(
        std::min_element(streams_.begin(), streams_.end(),
                         [&](const Stream& a, const Stream& b) { return worth(a) < worth(b); }));
  }
  Stream stream;
  stream.begin = bytes.offset;
  stream.next = bytes.end();
  stream.earned = bytes.length;
  stream.window = kWindowMin;
  stream.grown_at = bytes.offset;
  stream.grown_time = stream.used = now;
  stream.reads = 1;
  return streams_.emplace_back(stream);
}

// A run that began a little ahead of another and goes on is that other stream: the kernel reordered
// its reads, or its reader skipped some bytes inside what was planned for it.
ReadPlanner::Stream& ReadPlanner::absorb_runs_behind(Stream& stream) noexcept {
  Stream whole = stream;
  std::erase_if(streams_, [&](const Stream& other) {
    if (other.begin == stream.begin && other.next == stream.next) return true;  // itself
    const bool behind =
        other.next <= stream.begin && stream.begin - other.next <= std::max(kForward, other.window);
    if (!behind) return false;
    whole.begin = std::min(whole.begin, other.begin);
    whole.earned += other.earned;
    whole.ahead_end = std::max(whole.ahead_end, other.ahead_end);
    whole.start = std::max(whole.start, other.start);
    if (other.window >= whole.window) {
      whole.window = other.window;
      whole.grown_at = std::min(other.grown_at, whole.grown_at);
      whole.grown_time = other.grown_time;
      whole.best_rate = other.best_rate;
      whole.on_trial = other.on_trial;
      whole.no_trial = other.no_trial;
    }
    return true;
  });
  return streams_.emplace_back(whole);
}

// The window halves while nobody reads and doubles when a reader waited although half a window's
// worth has passed since it was last judged.  Beyond what hides a round trip it doubles only while
// that makes the reader faster; what comes within one round trip comes in bursts and tells nothing
// of that.
void ReadPlanner::advance(Stream& stream, Extent bytes, Found found, fetch::TimePoint now,
                          const Reach& reach) noexcept {
  // A reader that waited for the planner's lock comes with an older time than the one before it.
  const auto idle = std::clamp<std::int64_t>((now - stream.used) / kIdle, 0, 63);
  stream.window = clamp_window(stream.window >> idle, reach.window_max);
  stream.used = now;
  stream.earned += bytes.end() - stream.next;
  stream.next = bytes.end();
  ++stream.reads;

  const bool far = reach.round_trip > fetch::Duration::zero();
  if (reads_on(stream) && (far || found != Found::ready) && reach.start > stream.start) {
    stream.start = reach.start;  // once: where it found no room, or nobody read, it stays smaller
    stream.window = std::max(stream.window, std::min(reach.start, reach.window_max));
  }
  if (found == Found::ready) return;
  const std::uint64_t progress = stream.next - stream.grown_at;
  if (progress < stream.window / 2) return;
  const bool burst = now - stream.grown_time < reach.round_trip;
  if (burst && stream.window >= reach.window_kept) return;
  const double seconds = std::chrono::duration<double>(now - stream.grown_time).count();
  const double rate = burst ? 0 : static_cast<double>(progress) / std::max(seconds, 1e-9);
  const bool worthwhile = rate > kWorthwhile * stream.best_rate;
  const bool in_vain = std::exchange(stream.on_trial, false) && !worthwhile;
  if (in_vain && stream.window > reach.window_kept) {
    stream.window /= 2;
    stream.no_trial = now + kNoTrial;
  } else if (worthwhile || (stream.window < reach.window_free && now >= stream.no_trial)) {
    const std::uint64_t before = stream.window;
    stream.window = clamp_window(2 * stream.window, reach.window_max);
    stream.on_trial = stream.window > before;
  }
  stream.best_rate = std::max(stream.best_rate, rate);
  stream.grown_at = stream.next;
  stream.grown_time = now;
}

std::vector<Extent> ReadPlanner::look_ahead(Stream& stream, std::uint64_t size,
                                            const Reach& reach) {
  std::vector<Extent> segments;
  const std::uint64_t most = allowed(stream, reach);
  const std::uint64_t part = part_of(most, most > kFewRequests ? reach.share_beyond : reach.share);
  const std::uint64_t longest = std::min(reach.segment_max, std::max(part, kWindowMin));
  while (stream.ahead_end < size) {
    const std::uint64_t unread = stream.ahead_end - stream.next;
    if (unread >= most || most - unread < std::min(longest, part)) break;
    std::uint64_t end = stream.ahead_end + std::min(most - unread, longest);
    if (round_down(end, kBlock) > stream.ahead_end) end = round_down(end, kBlock);
    end = std::min(round_down(end, kGrain), size);
    if (end <= stream.ahead_end) break;
    segments.push_back({stream.ahead_end, end - stream.ahead_end});
    stream.ahead_end = end;
  }
  return segments;
}

}  // namespace skimfs::fs
