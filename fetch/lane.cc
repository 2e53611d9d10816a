// SPDX-License-Identifier: MIT
//
// See lane.h.
#include "fetch/lane.h"

#include <signal.h>

#include <algorithm>
#include <new>
#include <random>
#include <utility>

namespace skimfs::fetch {
namespace {

using std::chrono::milliseconds;

// How old a status may be.
constexpr milliseconds kStatusAge{50};

// Signals are for the threads that expect them; a new thread inherits the mask.  Not so faults,
// which are a thread's own and have a handler (a mapped index that was cut): blocked, they kill.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    for (const int fault : {SIGBUS, SIGSEGV, SIGFPE, SIGILL}) sigdelset(&all, fault);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

void cancel(const Lane::Mail& mail) noexcept {
  const auto why = std::make_error_code(std::errc::operation_canceled);
  if (const auto* order = std::get_if<RangeOrder>(&mail)) order->sink->finish(why);
  if (const auto* order = std::get_if<ProbeOrder>(&mail)) order->sink->finish(why, {}, 0);
}

}  // namespace

Lane::Lane(const FetchLimits& limits, const HostCaps& caps, const Clock& clock,
           FetchObserver& observer, std::unique_ptr<NetSource> network)
    : clock_(clock),
      hosts_(caps),
      transport_(limits, hosts_),
      loop_(limits, clock, observer, hosts_, transport_, std::random_device()()),
      network_(std::move(network)) {
  const AllSignalsBlocked guard;
  thread_ = std::thread([this] { run(); });
}

Lane::~Lane() {
  end();
  join();
}

void Lane::post(Mail mail) {
  bool ended = false;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    ended = ended_;
    if (!ended) mails_.push_back(std::move(mail));
    wake = std::exchange(asleep_, false);
  }
  if (wake) transport_.wake();
  if (ended) cancel(mail);
}

std::shared_ptr<Pace> Lane::pace(std::string_view host_port) {
  return hosts_.paces().at(host_port);
}

FetchStatus Lane::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void Lane::end() noexcept {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    asleep_ = false;
  }
  transport_.wake();
}

void Lane::join() noexcept {
  if (thread_.joinable()) thread_.join();
}

void Lane::run() noexcept {
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
  close_mailbox();
}

// Takes the mail; false when the lane is to end, and the mail is left for close_mailbox().
bool Lane::collect(std::vector<Mail>& mails) noexcept {
  const std::lock_guard lock(mutex_);
  asleep_ = false;
  if (stopping_) return false;
  mails.swap(mails_);
  return true;
}

void Lane::deliver(std::vector<Mail>& mails) noexcept {
  for (Mail& mail : mails) std::visit([this](auto& letter) { hand_in(std::move(letter)); }, mail);
  mails.clear();
}

// How long poll() may sleep.  From here on a new letter wakes it.
milliseconds Lane::rest() noexcept {
  TimePoint at = loop_.wake_at();
  // What runs may hang on a network that is gone.
  if (loop_.has_transfers()) at = std::min(at, clock_.now() + NetWatch::kSpacing);
  if (dirty_) at = std::min(at, published_ + kStatusAge);  // something may have changed since
  const milliseconds most = at == TimePoint::max()
                                ? milliseconds::max()
                                : std::chrono::ceil<milliseconds>(at - clock_.now());
  const std::lock_guard lock(mutex_);
  if (!mails_.empty() || stopping_) return milliseconds(0);
  asleep_ = true;
  return std::max(most, milliseconds(0));
}

void Lane::publish() noexcept {
  const TimePoint now = clock_.now();
  dirty_ = now < published_ + kStatusAge;
  if (dirty_) return;
  published_ = now;
  dirty_ = !take_status();
}

// False: there is no memory, and the status stays what it was.
bool Lane::take_status() noexcept {
  try {
    FetchStatus status = loop_.status();
    const std::lock_guard lock(mutex_);
    std::swap(status_, status);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void Lane::close_mailbox() noexcept {
  std::vector<Mail> late;
  take_status();
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    late.swap(mails_);
  }
  for (Mail& mail : late) cancel(mail);
}

}  // namespace skimfs::fetch
