// SPDX-License-Identifier: MIT
//
// What FetchLoop knows of one order and of one exchange for it.
//
// FetchLoop's own; its source files only.
#pragma once

#include <algorithm>
#include <list>
#include <memory>
#include <new>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "fetch/fetch_loop.h"

namespace skimfs::fetch {

// What an order ends with for which there is no memory.
inline std::error_code no_memory() noexcept {
  return std::make_error_code(std::errc::not_enough_memory);
}

constexpr std::chrono::milliseconds kNoRetry{-1};  // FetchEvent::wait
// A transfer without a byte for so long is taken for stuck where others wait for its place, or
// after the network changed.
constexpr std::chrono::seconds kStuck{2};

struct FetchLoop::Order {
  // One source as this order has met it.
  struct Source {
    Url url;
    bool out = false;   // asked for the last time
    TimePoint ready{};  // not before
    unsigned failures = 0;
    Tries tries;
    std::error_code error;           // of the last failure
    std::optional<Version> suspect;  // what its last mismatch said
    unsigned mismatches = 0;
    bool fresh = false;    // trust no connection that was used before
    bool plain = false;    // without conditions: the host may not bear them
    bool by_head = false;  // a probe whose range was refused
  };

  Age age = 0;
  OrderId id = 0;
  std::shared_ptr<const Object> object;
  ByteRange range;
  bool whole = false;
  bool fresh = false;  // asked for so: of every source
  Priority priority = Priority::demand;
  std::shared_ptr<RangeSink> sink;  // one of these two, the second first; or none: a scout
  std::shared_ptr<ProbeSink> probe;
  bool beginning = false;  // it was a probe, and goes on as the fetch of its answer's body

  enum class State { queued, waiting, running } state = State::waiting;
  Attempt* attempt = nullptr;  // while running
  Attempt* hedge = nullptr;    // races it
  bool hedged = false;         // has had one
  std::chrono::seconds timeout = std::chrono::seconds::max();
  TimePoint deadline{};
  TimePoint timer{};
  TimePoint patience{};          // behind an open breaker
  const Host* awaits = nullptr;  // whose connection, in patient_
  bool impatient = false;        // has waited for one

  std::vector<Source> sources;  // as in the object
  std::shared_ptr<Pace> pace;   // of the preferred one, as those see it who ask for the object
  std::size_t at = 0;           // the one that is asked
  Url target;                   // where to ask: the source, or where it redirects to
  Host* host = nullptr;         // of the target
  unsigned hops = 0;            // redirects followed to get there
  bool remembered = false;      // the target comes from an earlier order
  bool from_public = false;     // a server of the whole Internet has led there
  std::string question;         // asks it, or waits for who does, in reresolving_; empty: none

  unsigned attempts = 0;
  std::uint64_t kept = 0;  // at the last failure
  unsigned cuts = 0;       // answers shorter than asked for
  std::error_code last;    // of the last failure

  Source& source() noexcept { return sources[at]; }
  const Source& source() const noexcept { return sources[at]; }
  const Url& origin() const noexcept { return sources[at].url; }
  Question asked() const noexcept { return {origin(), profile_of(*object)}; }
};

// One exchange for an order; outlives it while it drains.
class FetchLoop::Attempt final : public Exchange {
 public:
  Attempt(FetchLoop& l, Order& o, TimePoint now)
      : loop(l),
        order(&o),
        host(*o.host),
        probe(!o.sink),
        head_only(o.source().by_head),
        began(now),
        progressed(now) {}

  void connected(bool over_used, bool public_peer) noexcept override {
    loop.serve(served(), [&] { loop.on_connected(*this, over_used, public_peer); });
  }
  void lost() noexcept override {
    loop.serve(served(), [&] { loop.on_lost(*this); });
  }
  bool head(const ResponseHead& head) noexcept override {
    bool more = false;
    loop.serve(served(), [&] { more = loop.on_head(*this, head); });
    return more;
  }
  std::span<std::byte> space() noexcept override { return loop.space(*this); }
  bool body(std::span<const std::byte> bytes) noexcept override {
    bool more = false;
    loop.serve(served(), [&] { more = loop.on_body(*this, bytes); });
    return more;
  }
  void end(const ExchangeEnd& end) noexcept override {
    loop.serve(served(), [&] { loop.on_end(*this, end); });
    loop.release(*this);
  }

  // Its first byte tells how far the host is.
  bool timed() const noexcept { return sent && !pipelined; }

  // Null: nobody, it only drains.
  const Order* served() const noexcept { return order ? order : hedges; }

  // Of an accepted body whose order still wants it: what is to come of the range.
  std::uint64_t left() const noexcept {
    const std::uint64_t end = slice->skip + slice->length;
    return end - std::min(end, received);  // a body of chunks may go on
  }

  FetchLoop& loop;
  Order* order;             // null: drains, or hedges
  Order* hedges = nullptr;  // the second one for this order, until it is the only one
  Host& host;
  std::list<Attempt>::iterator self;

  bool probe;  // nobody takes its body
  const bool head_only;
  ByteRange asked;
  bool conditional = false;
  bool reused = false;
  bool peer_is_public = false;  // at an address of the whole Internet (address.h)
  bool started = false;         // the transport knows it
  bool pipelined = false;       // sent behind another, or about to be
  bool followed = false;        // has, or had, one behind it
  bool sent = false;
  bool trial = false;          // of the host's breaker
  bool heard = false;          // the host said something
  std::optional<Slice> slice;  // once a head is accepted
  std::uint64_t received = 0;  // of the body

  TimePoint began;
  TimePoint progressed;                  // sent, or last received
  std::optional<TimePoint> shaken = {};  // when the network changed under it
  Duration first_byte{};                 // from the request sent to the head
  TimePoint accepted{};                  // when the head was
  TimePoint window{};                    // in which the speed is measured
  std::uint64_t window_start = 0;
  TimePoint look{};  // the same, to tell whether the host has given a connection more
  std::uint64_t look_start = 0;

  std::uint64_t drain_left = 0;
  TimePoint drain_until{};
};

// The slots of an exchange, until it is there to give them back itself.
class FetchLoop::Slots {
 public:
  Slots(FetchLoop& loop, Host& host) noexcept
      : loop_(loop), host_(&host), trial_(host.breaker().state() != Breaker::State::closed) {}
  ~Slots() { give_back(); }
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  bool trial() const noexcept { return trial_; }  // of the host's breaker
  void keep() noexcept { host_ = nullptr; }
  void give_back() noexcept {
    Host* const host = std::exchange(host_, nullptr);
    if (!host) return;
    if (trial_) host->breaker().trial_over(loop_.clock_.now());
    loop_.admission_.ended(*host);
  }

 private:
  FetchLoop& loop_;
  Host* host_;
  const bool trial_;
};

template <class Body>
bool FetchLoop::attempted(Body body) noexcept {
  try {
    body();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

template <class Body>
bool FetchLoop::serve(const Order* order, Body body) noexcept {
  const Age age = order ? order->age : 0;  // it may be gone when the body fails
  if (attempted(std::move(body))) return true;
  end_without_memory(age);
  return false;
}

}  // namespace skimfs::fetch
