// SPDX-License-Identifier: MIT
//
// The way in for everybody who wants bytes from the network.
//
// Any thread may call; nothing here waits.  A lane (a thread with its FetchLoop and Transport)
// does the work and calls the sinks; where there are several, an order is its one lane's from
// beginning to end, the one that its object's first source is at home in (sharding.h).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/clock.h"
#include "fetch/net_watch.h"
#include "fetch/pace.h"
#include "fetch/range.h"

namespace skimfs::fetch {

// Smaller is sooner.
enum class Priority : std::uint8_t { demand, next, window, sibling };

// Names one order or a group of orders made together; 0 names none.
using OrderId = std::uint64_t;

struct RangeOrder {
  OrderId id = 0;
  std::shared_ptr<const Object> object;
  ByteRange range;     // never past the end of the object
  bool whole = false;  // the range is the whole object and a 200 may answer it
  Priority priority = Priority::demand;
  std::shared_ptr<RangeSink> sink;
  bool fresh = false;  // over no connection that was used before
};

struct ProbeOrder {
  OrderId id = 0;
  std::shared_ptr<const Object> object;
  std::shared_ptr<ProbeSink> sink;
  // Asked for, from the object's first: more than one if they have a taker.
  std::uint64_t bytes = 1;
  Priority priority = Priority::demand;
  // At most half of order_timeout, unless left alone.
  std::chrono::seconds timeout = std::chrono::seconds::max();
};

// Which servers are believed over TLS.
struct Trust {
  std::string ca_file = {};       // PEM; instead of the system's
  std::string ca_directory = {};  // likewise, hashed by openssl-rehash(1)
  bool verify = true;             // false: any certificate will do
};

struct FetchLimits {
  unsigned connections = 64;              // sockets in all
  unsigned connections_per_host = 16;     // sockets to one host and port
  unsigned lanes = 1;                     // at most as many as either of the two
  std::chrono::seconds idle_timeout{30};  // an idle socket is closed after this
  std::chrono::seconds connect_timeout{10};
  std::chrono::seconds first_byte_timeout{15};
  std::chrono::seconds stall_timeout{15};
  std::chrono::seconds order_timeout{60};  // retries included
  std::string user_agent;
  Trust trust;
  bool private_addresses = false;  // a redirect of a public server may lead to them
  std::string proxy;  // "http://host:port" or https; empty: none, whatever the environment says
};

struct HostStatus {
  std::string host;  // "host:port"
  unsigned open = 0, idle = 0, limit = 0;
  std::uint64_t opened = 0, reused = 0, closed = 0;
  std::uint64_t requests = 0, retries = 0, errors = 0;
  const char* breaker = "closed";       // or "doubtful", "open": breaker.h
  std::uint64_t breaker_opened = 0;     // times
  unsigned retry_budget = 0;            // repetitions it bears now
  std::uint64_t pauses = 0;             // it asked for by Retry-After
  std::chrono::milliseconds paused{0};  // still to go of the last one
};

struct FetchStatus {
  unsigned lanes = 0;  // network threads
  unsigned connections_open = 0, connections_idle = 0, connections_peak = 0;
  unsigned connections_limit = 0;
  unsigned orders_running = 0, orders_queued = 0;
  std::uint64_t connections_opened = 0, connections_reused = 0;
  std::uint64_t requests = 0, retries = 0, errors = 0, redirects = 0;
  std::uint64_t hedges = 0, hedges_won = 0;  // second requests, and those taken instead
  std::uint64_t mirror_switches = 0;         // orders that went on at another source
  std::uint64_t bytes_received = 0;          // body bytes handed to sinks
  std::uint64_t network_changes = 0;         // after which connections were made anew
  std::vector<HostStatus> hosts;
};

// One notable event, for the log.  Views die with the call.
struct FetchEvent {
  const char* what = "";       // "retry", "throttled", "refused", ... one word
  std::string_view url = {};   // of the transfer; empty: it is about the host, or all of them
  std::string_view host = {};  // "host:port"
  ByteRange range = {};
  int http_status = 0;                // 0: none came
  std::error_code error = {};         // the cause
  unsigned attempt = 0;               // counted from 1
  std::chrono::milliseconds wait{0};  // before the next attempt; negative: there is none
  std::string_view detail = {};       // what was wanted and what came; remote text, not escaped
  std::string_view profile = {};      // of the transfer; empty: none
};

// Any lane's thread, several at a time; must not block.
struct FetchObserver {
  virtual void on_event(const FetchEvent& event) noexcept = 0;

 protected:
  ~FetchObserver() = default;
};

// The seam the file system sees; tests script it.
struct Fetching {
  virtual OrderId new_id() noexcept = 0;
  virtual void fetch(RangeOrder order) = 0;
  virtual void probe(ProbeOrder order) = 0;
  // A reader now waits for what this id fetches: treat it as demand.
  virtual void promote(OrderId id) noexcept = 0;
  // Of the host an object is asked for at, wherever that leads; it goes on being written.
  virtual std::shared_ptr<Pace> pace(const Object& object) = 0;

 protected:
  ~Fetching() = default;
};

class Lane;
class OrderLanes;
using NetSources = std::function<std::unique_ptr<NetSource>()>;

class Fetcher final : public Fetching {
 public:
  // Starts the lanes' threads.  Throws std::system_error or std::runtime_error when it cannot.
  // `clock` and `observer` live longer than the fetcher.  `networks`: makes one for each lane.
  Fetcher(FetchLimits limits, const Clock& clock, FetchObserver& observer,
          const NetSources& networks = system_net_source);
  // As stop(); joins.
  ~Fetcher();

  OrderId new_id() noexcept override;
  void fetch(RangeOrder order) override;
  void probe(ProbeOrder order) override;
  void promote(OrderId id) noexcept override;
  std::shared_ptr<Pace> pace(const Object& object) override;

  // Finishes every sink, present and later, with operation_canceled and ends the lanes.  Returns
  // within a second whatever the servers do.
  void stop() noexcept;

  FetchStatus status() const;

 private:
  unsigned lane_of(std::string_view host_port) const noexcept;
  unsigned lane_of(const Object& object) const;

  std::atomic<OrderId> next_id_{1};
  const std::unique_ptr<OrderLanes> orders_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

// Of libcurl and its TLS library: "7.88.1 OpenSSL/3.0.11".
std::string transport_version();

}  // namespace skimfs::fetch
