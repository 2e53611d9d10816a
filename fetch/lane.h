// SPDX-License-Identifier: MIT
//
// A lane: a thread, its mailbox, its loop and its transport.
//
// Lanes share nothing but the clock and the observer.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

#include "fetch/clock.h"
#include "fetch/fetch_loop.h"
#include "fetch/fetcher.h"
#include "fetch/host_state.h"
#include "fetch/http_transport.h"
#include "fetch/net_watch.h"
#include "fetch/pace.h"
#include "fetch/sharding.h"

namespace skimfs::fetch {

class Lane {
 public:
  // Starts the thread.  `limits`: this lane's own; `caps`: likewise.
  Lane(const FetchLimits& limits, const HostCaps& caps, const Clock& clock, FetchObserver& observer,
       std::unique_ptr<NetSource> network);
  ~Lane();

  struct Promotion {
    OrderId id;
  };
  using Mail = std::variant<RangeOrder, ProbeOrder, Promotion>;

  // Any thread, as the rest; nothing here waits but join().
  void post(Mail mail);
  std::shared_ptr<Pace> pace(std::string_view host_port);
  FetchStatus status() const;

  // Finishes every sink, present and later, with operation_canceled.
  void end() noexcept;
  void join() noexcept;  // after end(); one thread

 private:
  // Nothing of this throws: who has no memory ends one order (fetch_memory.cc).
  void run() noexcept;
  bool collect(std::vector<Mail>& mails) noexcept;
  void deliver(std::vector<Mail>& mails) noexcept;
  void hand_in(RangeOrder&& order) { loop_.add(std::move(order)); }
  void hand_in(ProbeOrder&& order) { loop_.add(std::move(order)); }
  void hand_in(Promotion&& promotion) { loop_.promote(promotion.id); }
  std::chrono::milliseconds rest() noexcept;
  void publish() noexcept;
  bool take_status() noexcept;
  void close_mailbox() noexcept;

  const Clock& clock_;

  // The lane's thread only.
  HostTable hosts_;          // paces() by any thread
  HttpTransport transport_;  // wake() by any thread
  FetchLoop loop_;
  NetWatch network_;
  TimePoint published_{};
  bool dirty_ = true;

  mutable std::mutex mutex_;
  std::vector<Mail> mails_;  // guarded by mutex_, as are the rest
  FetchStatus status_;
  bool asleep_ = false;    // the lane is in poll() and a letter must wake it
  bool stopping_ = false;  // asked to end
  bool ended_ = false;     // takes no more letters

  std::thread thread_;
};

}  // namespace skimfs::fetch
