// SPDX-License-Identifier: MIT
//
// The lane: a thread, its mailbox, its loop and its transport.
#include "fetch/fetcher.h"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <random>
#include <thread>
#include <variant>

#include "fetch/curl_transport.h"
#include "fetch/fetch_loop.h"
#include "fetch/host_state.h"
#include "fetch/url.h"

namespace skimfs::fetch {
namespace {

using std::chrono::milliseconds;

// How old a status may be.
constexpr milliseconds kStatusAge{50};

struct Promotion {
  OrderId id;
};
using Mail = std::variant<RangeOrder, ProbeOrder, Promotion>;

// Signals are for the threads that expect them; a new thread inherits the mask.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

class Fetcher::Lane {
 public:
  Lane(const FetchLimits& limits, const Clock& clock, FetchObserver& observer,
       std::unique_ptr<NetSource> network)
      : clock_(clock),
        hosts_(limits.connections_per_host),
        transport_(limits, hosts_),
        loop_(limits, clock, observer, hosts_, transport_, std::random_device()()),
        network_(std::move(network)) {
    const AllSignalsBlocked guard;
    thread_ = std::thread([this] { run(); });
  }

  ~Lane() { stop(); }

  OrderId new_id() noexcept { return next_id_.fetch_add(1, std::memory_order_relaxed); }

  void post(Mail mail) {
    bool ended = false;
    bool wake = false;
    {
      const std::lock_guard lock(mutex_);
      ended = ended_;
      wake = std::exchange(asleep_, false);
      if (!ended) mails_.push_back(std::move(mail));
    }
    if (wake) transport_.wake();
    if (ended) cancel(mail);
  }

  void stop() noexcept {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      asleep_ = false;
    }
    transport_.wake();
    if (thread_.joinable()) thread_.join();
  }

  std::shared_ptr<const Pace> pace(const Object& object) {
    const auto url = object.urls.empty() ? Url::parse({}) : Url::parse(object.urls.front());
    return hosts_.paces().at(url ? url->host_port() : std::string());
  }

  FetchStatus status() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  void run() {
    std::vector<Mail> mails;
    while (collect(mails)) {
      deliver(mails);
      // Before anything starts: the first order after a sleep must not go over a dead connection.
      if (const char* why = network_.changed(clock_.now())) loop_.network_changed(why);
      loop_.advance();
      transport_.poll(rest());
      publish();
    }
    loop_.stop();
    end();
  }

  // Takes the mail; false when the lane is to end.
  bool collect(std::vector<Mail>& mails) {
    const std::lock_guard lock(mutex_);
    asleep_ = false;
    mails.swap(mails_);
    return !stopping_;
  }

  void deliver(std::vector<Mail>& mails) {
    for (Mail& mail : mails) std::visit([this](auto& letter) { hand_in(std::move(letter)); }, mail);
    mails.clear();
  }

  void hand_in(RangeOrder&& order) { loop_.add(std::move(order)); }
  void hand_in(ProbeOrder&& order) { loop_.add(std::move(order)); }
  void hand_in(Promotion&& promotion) { loop_.promote(promotion.id); }

  // How long poll() may sleep.  From here on a new letter wakes it.
  milliseconds rest() {
    milliseconds most = kStatusAge;  // something may have changed since the last publish()
    if (!dirty_) {
      const TimePoint at = loop_.wake_at();
      most = at == TimePoint::max() ? milliseconds::max()
                                    : std::chrono::ceil<milliseconds>(at - clock_.now());
    }
    const std::lock_guard lock(mutex_);
    if (!mails_.empty() || stopping_) return milliseconds(0);
    asleep_ = true;
    return std::max(most, milliseconds(0));
  }

  void publish() {
    const TimePoint now = clock_.now();
    dirty_ = now < published_ + kStatusAge;
    if (dirty_) return;
    published_ = now;
    FetchStatus status = loop_.status();
    const std::lock_guard lock(mutex_);
    std::swap(status_, status);
  }

  void end() {
    std::vector<Mail> late;
    FetchStatus status = loop_.status();
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      late.swap(mails_);
      std::swap(status_, status);
    }
    for (Mail& mail : late) cancel(mail);
  }

  static void cancel(const Mail& mail) noexcept {
    const auto why = std::make_error_code(std::errc::operation_canceled);
    if (const auto* order = std::get_if<RangeOrder>(&mail)) order->sink->finish(why);
    if (const auto* order = std::get_if<ProbeOrder>(&mail)) order->sink->finish(why, {}, 0);
  }

  const Clock& clock_;
  std::atomic<OrderId> next_id_{1};

  // The lane's thread only.
  HostTable hosts_;  // paces() by any thread
  CurlTransport transport_;  // wake() by any thread
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

Fetcher::Fetcher(FetchLimits limits, const Clock& clock, FetchObserver& observer,
                 std::unique_ptr<NetSource> network)
    : lane_(std::make_unique<Lane>(limits, clock, observer, std::move(network))) {}
Fetcher::~Fetcher() = default;

OrderId Fetcher::new_id() noexcept { return lane_->new_id(); }
void Fetcher::fetch(RangeOrder order) { lane_->post(std::move(order)); }
void Fetcher::probe(ProbeOrder order) { lane_->post(std::move(order)); }
void Fetcher::promote(OrderId id) noexcept { lane_->post(Promotion{id}); }
std::shared_ptr<const Pace> Fetcher::pace(const Object& object) { return lane_->pace(object); }
void Fetcher::stop() noexcept { lane_->stop(); }
FetchStatus Fetcher::status() const { return lane_->status(); }

}  // namespace skimfs::fetch
