// SPDX-License-Identifier: MIT
//
// The life of every order: admission, attempt, head, acceptance, sink, retry, finish.
//
// No thread of its own, never sleeps, holds no lock: one thread calls advance() and
// Transport::poll() in turn, and the transport calls back from inside poll().  Nothing here throws:
// an order for which there is no memory ends with std::errc::not_enough_memory (fetch_memory.cc).
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "fetch/accept.h"
#include "fetch/admission.h"
#include "fetch/clock.h"
#include "fetch/credential.h"
#include "fetch/fetcher.h"
#include "fetch/host_state.h"
#include "fetch/mirror_choice.h"
#include "fetch/redirect.h"
#include "fetch/retry_policy.h"
#include "fetch/single_flight.h"
#include "fetch/transport.h"
#include "fetch/url.h"

namespace skimfs::fetch {

class FetchLoop {
 public:
  // All references outlive the loop.  `seed`: of the jitter between retries.
  FetchLoop(const FetchLimits& limits, const Clock& clock, FetchObserver& observer,
            HostTable& hosts, Transport& transport, std::uint64_t seed);
  ~FetchLoop();

  void add(RangeOrder order) noexcept;
  void add(ProbeOrder order) noexcept;
  void promote(OrderId id) noexcept;

  // The machine is on another network, or slept; `why` in a word, for the log.  Whoever waits goes
  // on over new connections; what still brings bytes is left alone.  Never from inside poll().
  void network_changed(const char* why) noexcept;

  // Does what is due and starts what may start.  Never from inside poll().
  void advance() noexcept;
  // When advance() is due though nothing happens; TimePoint::max() for never.
  TimePoint wake_at() const noexcept;
  bool has_transfers() const noexcept { return !attempts_.empty(); }

  // Finishes every sink, present and later, with operation_canceled.
  void stop() noexcept;

  FetchStatus status() const;  // throws std::bad_alloc

 private:
  using Age = Admission::Age;
  struct Order;
  class Attempt;
  class Slots;

  // What becomes of an order that goes on, or the error it ends with.
  struct Next {
    std::error_code end = {};
    std::size_t source = 0;
    Duration wait{};
  };

  // Where there is no memory (fetch_memory.cc).
  // Does what is due for an order, which ends where there is no memory for it.  False: so it was.
  template <class Body>
  bool serve(const Order* order, Body body) noexcept;
  // Does what nobody waits for, or leaves it undone where there is no memory.  False: so it was.
  template <class Body>
  static bool attempted(Body body) noexcept;
  Order* new_order(OrderId id) noexcept;
  void end_without_memory(Age age) noexcept;

  void adopt(Order& order) noexcept;
  void begin(Order& order);
  Duration order_time(const Order& order) const noexcept;
  void give_more_time(Order& order) noexcept;
  void aim(Order& order, Url target);
  void enqueue(Order& order);
  void launch(Order& order);
  Attempt& begin_attempt(Order& order, Slots& slots);
  void start(Attempt& attempt, const WireRequest& request);
  WireRequest request_for(const Order& order, Attempt& attempt,
                          std::shared_ptr<const Credential> credential);
  bool must_be_public(const Order& order) const;
  bool add_condition(const Order& order, WireRequest& request) const;

  // Behind an answer that is not over (fetch_pipelining.cc).
  Attempt* exchange_before(const Order& order) noexcept;
  static bool is_answer(const Attempt& attempt, const ResponseHead& head);
  static TimePoint turn_over(const Attempt& attempt) noexcept;
  void give_up_turn(Attempt& attempt);
  void end_pipelining(const Attempt& attempt, std::string_view why);
  void ask_alone(Attempt& attempt, std::string_view why);
  void ask_again(Attempt& attempt);

  // Which connection (fetch_patience.cc).
  bool patient(const Order& order) const;
  void await_connection(Order& order);
  void forget_patient(Order& order) noexcept;
  void lose_patience(Age age) noexcept;
  std::optional<Age> who_awaits_connection(OrderId id) const noexcept;
  void connection_free(const Host& host) noexcept;

  // Which source (fetch_sources.cc).
  static bool read_sources(Order& order);
  const RedirectMemory::Target* known_target(const Order& order, const Url& url) const;
  const Url& expected_target(const Order& order, const Url& url) const;
  bool ailing(const Host& host) const noexcept;
  Prospect prospect(const Order& order, std::size_t source) const;
  std::vector<Prospect> prospects(const Order& order) const;
  std::optional<Choice> choose_source(const Order& order) const;
  void turn_to(Order& order, std::size_t source);
  void set_out(Order& order);
  Next next_step(const Order& order) const;
  void proceed(Order& order, const Next& next);
  void switch_to(Order& order, std::size_t source);
  static std::error_code preferred_error(const Order& order);
  static bool may_say_why(const Order& order, std::size_t source);
  static void refuse(Order& order);
  void host_failed(const Attempt& attempt) noexcept;
  void reconsider() noexcept;
  void scout_others(const Order& order);

  // Hosts that say nothing (fetch_silence.cc).
  static bool demanded(const Order& order);
  static bool useful(const Order& order);
  void heard(Attempt& attempt) noexcept;
  void judge(Attempt& attempt, Trouble& trouble) noexcept;
  void break_off(Host& host) noexcept;
  static bool may_have_moved(const Order& order);
  void give_up(Order& order);
  void pass_over(Order& order, std::error_code why, const char* what, std::string_view detail);
  void leave_trial(Order& order);
  bool yields(const Attempt& attempt) const noexcept;
  bool make_room() noexcept;
  void renew_connections() noexcept;

  // A second request for an answer that is late, or a body that is slow (fetch_hedge.cc).
  static TimePoint look_end(const Attempt& attempt);
  static TimePoint late_at(const Attempt& attempt);
  bool hedge_late() noexcept;
  bool help_if_slow(Attempt& attempt);
  void begin_look(Attempt& attempt) const noexcept;
  static std::uint64_t brought(const Attempt& attempt) noexcept;
  bool slow(const Attempt& attempt) const noexcept;
  Duration time_left(const Attempt& attempt) const noexcept;
  bool host_is_slow(const Attempt& slow) const noexcept;
  bool move_on(Attempt& slow);
  void start_hedge(Attempt& first) noexcept;
  void send_hedge(Attempt& first);
  bool outdone(const Attempt& first, const Attempt& hedge, const Slice& slice) const;
  bool on_hedge_head(Attempt& hedge, const ResponseHead& head);
  bool promising(const Order& order) const;
  bool leave_to_hedge(Attempt& first, const Trouble& trouble);
  bool another_is_ready(const Order& order) const;
  void succeed(Attempt& hedge) noexcept;
  void drop(Attempt& attempt) noexcept;
  void drop_hedge(Order& order) noexcept;

  // Redirect targets that expired (fetch_reresolve.cc).
  void reresolve(Order& order);
  void learn_target(const Order& order);
  void resolved(Order& order);
  void unresolved(Order& order, std::error_code outcome) noexcept;

  void on_connected(Attempt& attempt, bool reused, bool public_peer);
  void on_lost(Attempt& attempt);
  bool on_head(Attempt& attempt, const ResponseHead& head);
  bool on_range_head(Attempt& attempt, const ResponseHead& head);
  void answered(Attempt& attempt, bool well);
  void accepted(Attempt& attempt, Slice slice);
  bool on_probe_head(Attempt& attempt, const ResponseHead& head);
  bool becomes_fetch(Attempt& attempt, const ResponseHead& head, const Version& seen);
  bool may_speculate(const Attempt& attempt) const;
  static std::span<std::byte> space(const Attempt& attempt) noexcept;
  bool on_body(Attempt& attempt, std::span<const std::byte> bytes);
  void on_end(Attempt& attempt, const ExchangeEnd& end);
  void broken(Attempt& attempt, const ExchangeEnd& end);

  // Each of these settles what becomes of an order whose attempt is over.
  void redirected(Attempt& attempt, std::string_view location);
  bool refused(Attempt& attempt, const ResponseHead& head, const Refusal& refusal);
  bool another_way(Order& order, const Attempt& attempt, int status, Errc code);
  void back_to_origin(Order& order);
  void mismatched(Order& order, const Version& seen, int status);
  void part_done(Order& order, const Attempt& attempt);
  void failed(Order& order, Trouble trouble, int status, std::string_view detail);
  bool charge(Host& host, const Trouble& trouble, Retry& retry) const;
  void count_retry(const Order& order, const Next& next);
  void finish(Order& order, std::error_code outcome, const Version& seen = {}) noexcept;

  // Takes the order off its attempt, which from now on only drains or dies.
  Order& detach(Attempt& attempt) noexcept;
  // Whether it is worth receiving the rest of a body nobody wants, to keep the connection.
  bool drain(Attempt& attempt, std::uint64_t left) noexcept;
  bool drain_all(Attempt& attempt, const ResponseHead& head) noexcept;
  void release(Attempt& attempt) noexcept;
  void abort(Attempt& attempt) noexcept;

  void set_timer(Order& order, TimePoint at) noexcept;
  void on_timer(Order& order);
  void on_deadline(Order& order);
  void watch(Order& order);
  void watch_later(Order& order) noexcept;
  Duration patience(const Attempt& attempt) const noexcept;
  static TimePoint watched_since(const Attempt& attempt) noexcept;
  static TimePoint shaken_over(const Attempt& attempt) noexcept;
  static TimePoint trial_patience_over(const Attempt& attempt) noexcept;
  const char* too_slow(Attempt& attempt, TimePoint now) const noexcept;
  void end_slow_drains() noexcept;

  void report(const Host& host, const char* what, std::error_code error,
              std::string_view detail) noexcept;
  void report(const Order& order, const char* what, int status, std::error_code error,
              std::chrono::milliseconds wait, std::string_view detail) noexcept;

  const FetchLimits limits_;
  const Clock& clock_;
  FetchObserver& observer_;
  HostTable& hosts_;
  Transport& transport_;
  Admission admission_;
  RedirectMemory redirects_;
  SingleFlight reresolving_;  // by Question::text()
  std::mt19937_64 random_;
  bool stopped_ = false;
  bool reconsider_ = false;  // a host failed: who queues for it may do better elsewhere
  bool renew_ = false;       // the transport is still to hear of another network

  Age next_age_ = 1;
  std::unordered_map<Age, std::unique_ptr<Order>> orders_;
  std::unordered_multimap<OrderId, Age> ages_;  // of orders that have an id
  std::deque<OrderId> early_;                   // promoted before they came, oldest first
  std::set<std::pair<TimePoint, Age>> timers_;  // one for each order
  std::list<Attempt> attempts_;
  TimePoint looked_{};                            // for what is late, last
  std::map<const Host*, std::set<Age>> patient_;  // wait for a connection that is there already

  std::uint64_t requests_ = 0, reused_ = 0, retries_ = 0, errors_ = 0, followed_ = 0, bytes_ = 0;
  std::uint64_t hedges_ = 0, hedges_won_ = 0, switches_ = 0, network_changes_ = 0;
};

}  // namespace skimfs::fetch
