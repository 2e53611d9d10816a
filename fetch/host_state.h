// SPDX-License-Identifier: MIT
//
// What is known of each peer ("host:port"): how much it bears, and what was done with it.
//
// The lane's thread only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "fetch/breaker.h"
#include "fetch/clock.h"
#include "fetch/fetcher.h"
#include "fetch/hedge_policy.h"
#include "fetch/host_health.h"
#include "fetch/pace.h"
#include "fetch/retry_budget.h"
#include "fetch/sharding.h"
#include "fetch/transport.h"

namespace skimfs::fetch {

// How many exchanges a peer gets at once: halved when it pushes back, never above the cap.  After
// it said that it is busy it gets one more for each 32 good answers; after it was merely away, one
// more for each.
class Host {
 public:
  Host(std::string name, unsigned cap) : name_(std::move(name)), cap_(cap), limit_(cap) {}

  const std::string& name() const noexcept { return name_; }
  unsigned limit() const noexcept { return limit_; }
  unsigned running() const noexcept { return running_; }

  void started(TimePoint now) noexcept;
  void ended() noexcept { --running_; }

  void good() noexcept;
  enum class Why {
    busy,  // 429, 503
    away   // no connection
  };
  // What began before the last cut says nothing new.
  void pushed_back(Why why, TimePoint began, TimePoint now) noexcept;

  // Nothing starts before `until`; the later of two pauses counts.
  void pause(TimePoint until) noexcept;
  TimePoint paused_until() const noexcept { return paused_until_; }

  Breaker& breaker() noexcept { return breaker_; }
  const Breaker& breaker() const noexcept { return breaker_; }
  RetryBudget& retry_budget() noexcept { return budget_; }

  // This peer refuses requests because they carry a condition.
  void never_condition() noexcept { conditional_ = false; }
  bool conditional() const noexcept { return conditional_; }

  // A request that was pipelined to this peer came to nothing: none is for a while.
  void no_pipelining(TimePoint now) noexcept { pipelines_at_ = now + kNoPipelining; }
  bool bears_pipelining(TimePoint now) const noexcept { return now >= pipelines_at_; }

  // The network is another one: what it was away for may have passed.
  void network_changed(TimePoint now) noexcept;

  HostStatus status(TimePoint now) const;
  // Nobody wants it and no socket is open.
  bool unused() const noexcept { return orders == 0 && running_ == 0 && opened == closed; }
  // Nothing is lost by forgetting this host.
  bool idle(TimePoint now) const noexcept;
  TimePoint last_used() const noexcept { return last_used_; }

  HostHealth health;
  HedgePolicy hedging;
  unsigned orders = 0;                               // that point here
  std::uint64_t opened = 0, reused = 0, closed = 0;  // sockets; exchanges on a used one
  std::uint64_t requests = 0, retries = 0, errors = 0;
  std::shared_ptr<Pace> pace;  // the table's

 private:
  static constexpr std::chrono::minutes kNoPipelining{10};

  std::string name_;
  unsigned cap_;
  unsigned limit_;
  unsigned running_ = 0;
  unsigned good_ = 0;      // answers since the limit last moved
  bool was_busy_ = false;  // since it was last at its cap
  TimePoint cut_{};        // when it was last halved
  TimePoint paused_until_{};
  std::uint64_t pauses_ = 0;
  TimePoint last_used_{};
  bool conditional_ = true;
  TimePoint pipelines_at_{};
  Breaker breaker_;
  RetryBudget budget_;
};

// All hosts; a reference to one stays good until forget_idle().
class HostTable final : public SocketWatch {
 public:
  explicit HostTable(HostCaps caps) : caps_(caps) {}

  Host& at(std::string_view name);
  // When there are more than `most`, drops those without a story, and then the unused ones that
  // were used longest ago.
  void forget_idle(std::size_t most, TimePoint now);
  void network_changed(TimePoint now) noexcept;

  unsigned most(std::string_view host_port) const noexcept override { return caps_.of(host_port); }
  void opened(std::string_view host_port) noexcept override;
  void closed(std::string_view host_port) noexcept override;

  unsigned open() const noexcept { return open_; }
  unsigned peak() const noexcept { return peak_; }
  std::uint64_t opened_ever() const noexcept { return opened_ever_; }
  PaceBook& paces() noexcept { return paces_; }  // any thread
  const std::map<std::string, Host, std::less<>>& all() const noexcept { return hosts_; }

 private:
  const HostCaps caps_;
  PaceBook paces_;
  std::map<std::string, Host, std::less<>> hosts_;
  unsigned open_ = 0;
  unsigned peak_ = 0;
  std::uint64_t opened_ever_ = 0;
};

}  // namespace skimfs::fetch
