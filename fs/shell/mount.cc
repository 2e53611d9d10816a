// SPDX-License-Identifier: MIT
#include "fs/shell/mount.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "cache/block_cache.h"
#include "fetch/clock.h"
#include "fetch/fetcher.h"
#include "fetch/url.h"
#include "fs/auth/profiles.h"
#include "fs/control.h"
#include "fs/fetch_log.h"
#include "fs/filesystem.h"
#include "fs/load_manifest.h"
#include "fs/log.h"
#include "fs/memory_plan.h"
#include "fs/shell/confinement.h"
#include "fs/shell/control_socket.h"
#include "fs/shell/fuse.h"
#include "fs/shell/fuse_ops.h"
#include "fs/shell/handles.h"
#include "fs/shell/keeper.h"
#include "fs/shell/kernel_mount.h"
#include "fs/shell/look.h"
#include "fs/shell/recent_files.h"
#include "fs/shell/reloader.h"
#include "fs/shell/replies.h"
#include "fs/shell/rounds.h"
#include "fs/shell/served_manifest.h"
#include "fs/shell/session.h"
#include "fs/shell/settings.h"
#include "fs/shell/signals.h"
#include "fs/shell/steward.h"
#include "fs/status.h"

namespace skimfs::fs::shell {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kHandshake{10'000};
constexpr milliseconds kWatch{1000};  // how often resident memory is looked at

// What is not charged to memory= must stay under 24 MiB, so that is where a warning begins.
constexpr std::uint64_t kOverhead = 24u << 20;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// For root: where the kernel is told how much it may read ahead.
std::ofstream open_read_ahead(const KernelMount& mount) {
  if (geteuid() != 0 || mount.number().empty()) return {};
  return std::ofstream("/sys/class/bdi/" + mount.number() + "/read_ahead_kb");
}

class EventDescriptor {
 public:
  EventDescriptor() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0) fail("eventfd");
  }
  ~EventDescriptor() { close(fd_); }
  EventDescriptor(const EventDescriptor&) = delete;
  EventDescriptor& operator=(const EventDescriptor&) = delete;
  int descriptor() const noexcept { return fd_; }
  void signal() const noexcept { eventfd_write(fd_, 1); }
  bool is_signalled() const noexcept {
    eventfd_t times = 0;
    return eventfd_read(fd_, &times) == 0;
  }

 private:
  const int fd_;
};

// What the start has found out before anything is mounted.
struct Prepared {
  manifest::Loaded loaded;
  std::shared_ptr<auth::Profiles> profiles;
  fetch::Trust trust;
  manifest::Time written;
  Look look;
};

// What is opened while the process has all its rights, and used when it has not.
struct Opened {
  std::unique_ptr<ControlSocket> control;  // may be null
  std::ofstream read_ahead;
};

// Owns all but the mount itself.  Members die in reverse, after stop() has ended all threads.
class Mount {
 public:
  Mount(const Options& options, Prepared prepared, Opened opened, Signals& signals,
        KernelMount& kernel_mount, Steward& steward);
  ~Mount() { stop(); }
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  // Returns once the mount answers.
  void start();
  void run_until_ended();

 private:
  void stop() noexcept;
  void set_read_ahead();
  void take_commands();
  control::Reply reload(control::Ticket ticket);
  void end_commands() noexcept;
  bool go_round();          // false: the mount ends
  bool handle(int signal);  // false: the mount ends
  void watch_memory();
  void watch_profiles();
  Status status() const;

  const Options& options_;
  const std::string directory_;
  const MemoryPlan plan_;
  const std::uint64_t memory_warn_;
  const fetch::SteadyClock clock_;
  const fetch::TimePoint since_;
  Signals& signals_;
  EventDescriptor ended_;
  MemoryWatch memory_watch_;

  FetchLog fetch_log_;
  const std::shared_ptr<auth::Profiles> profiles_;
  cache::BlockCache cache_;
  Keeper keeper_;
  fetch::Fetcher fetcher_;
  FileSystem files_;
  Handles handles_;
  RecentFiles recent_;
  KernelReplies replies_;
  Served served_;
  KernelMount& kernel_mount_;
  Steward& steward_;
  Session session_;
  ServedManifest manifest_;
  Reloader reloader_;
  Rounds secrets_;
  Opened opened_;
};

Mount::Mount(const Options& options, Prepared prepared, Opened opened, Signals& signals,
             KernelMount& kernel_mount, Steward& steward)
    : options_(options),
      directory_(control::mount_name(options.mountpoint)),
      plan_(plan_memory(options.memory, connections_for(options))),
      memory_warn_(options.memory_warn != 0 ? options.memory_warn : options.memory + kOverhead),
      since_(clock_.now()),
      signals_(signals),
      memory_watch_(memory_warn_),
      profiles_(std::move(prepared.profiles)),
      cache_(plan_.cache),
      keeper_(clock_, options.timeout),
      fetcher_(fetch_limits(options, plan_, std::move(prepared.trust)), clock_, fetch_log_),
      files_(prepared.loaded.tree, cache_, fetcher_, clock_,
             file_limits(options, plan_, profiles_, prepared.written)),
      recent_(clock_),
      replies_(handles_, prepared.look, options.direct_io),
      served_{files_,
              keeper_,
              replies_,
              handles_,
              recent_,
              prepared.look,
              options.xattr,
              options.skip_open,
              KeptLists(clock_),
              [this] { reloader_.upkeep_soon(); }},
      kernel_mount_(kernel_mount),
      steward_(steward),
      session_(kernel_mount_.duplicate_device(), served_),
      manifest_(options, std::move(prepared.loaded), files_, session_, served_.lists),
      reloader_([this](const std::stop_token& stop) { return manifest_.reload(stop); },
                [this](const std::stop_token& stop) { manifest_.tell_again(stop); }),
      secrets_([this] { watch_profiles(); }),
      opened_(std::move(opened)) {}

void Mount::start() {
  session_.shake_hands(kHandshake);
  if (options_.skip_open && !served_.skip_open)
    log::event(log::Level::warning, "open", "",
               "act=ask why=\"this kernel does not know open=skip\"");
  set_read_ahead();
  keeper_.start();
  session_.start(worker_count(), [this] { ended_.signal(); });
  // Not before: what lies below the mount this process itself is asked for.
  if (options_.setuid || options_.sandbox) check_readable_later(options_, *profiles_);
  reloader_.start();
  secrets_.start();
  take_commands();
}

// Once FUSE_INIT has set the kernel's own idea of it.
void Mount::set_read_ahead() {
  std::ofstream& file = opened_.read_ahead;
  if (!file.is_open() || (file << options_.read_ahead_kb << std::flush)) return;
  log::event(log::Level::info, "read_ahead", "", "act=keep why=\"/sys is not writable\"");
}

void Mount::take_commands() {
  if (!opened_.control) return;
  opened_.control->start(
      [this](std::string_view command) {
        std::optional<control::Reply> reply;
        if (command == "status") reply = {true, to_text(status())};
        if (command == "status --json") reply = {true, to_json(status())};
        if (const auto ticket = control::ticket_of(command)) reply = reload(*ticket);
        return reply;
      },
      [this] { return kernel_mount_.may_be_there(); });
}

// The client asks again until there is an outcome, so that others are heard meanwhile.
control::Reply Mount::reload(control::Ticket ticket) {
  if (ticket == 0) return {true, std::to_string(reloader_.ask())};
  const auto outcome = reloader_.outcome(ticket);
  return outcome ? control::Reply{outcome->done, outcome->text} : control::Reply{true, ""};
}

void Mount::end_commands() noexcept {
  if (!opened_.control) return;
  const ino_t inode = opened_.control->inode();
  opened_.control.reset();
  if (options_.setuid) steward_.remove_socket(inode);
}

// From settle_all() on no request waits, so the workers are quick to end.
void Mount::stop() noexcept {
  end_commands();
  reloader_.hurry();
  secrets_.hurry();
  keeper_.settle_all();
  fetcher_.stop();
  manifest_.finish_telling();
  session_.stop();
  keeper_.tick();  // interrupts that came in meanwhile
  keeper_.stop();
  kernel_mount_.unmount();
  session_.disconnect();
  reloader_.stop();  // last: what they read the manifest and secrets from may hang
  secrets_.stop();
}

void Mount::run_until_ended() {
  go_rounds(std::array{signals_.descriptor(), ended_.descriptor()}, kWatch,
            [this] { return go_round(); });
}

// Nothing that may wait: SIGTERM is heard here.
bool Mount::go_round() {
  if (ended_.is_signalled()) return false;
  while (const auto signal = signals_.next())
    if (!handle(*signal)) return false;
  recent_.close_idle();
  manifest_.watch();
  watch_memory();
  return true;
}

bool Mount::handle(int signal) {
  if (signal == SIGUSR1)
    log::answer(log::Level::info, "status", to_line(status()));
  else if (signal == SIGHUP)
    reloader_.ask();
  else
    return false;
  return true;
}

void Mount::watch_memory() {
  const ProcessMemory memory = process_memory();
  if (!memory_watch_.crossed(memory.resident)) return;
  log::event(log::Level::warning, "memory_warn", "",
             "rss=" + std::to_string(memory.resident) + " limit=" + std::to_string(memory_warn_) +
                 " budget=" + std::to_string(options_.memory));
}

void Mount::watch_profiles() {
  const std::string why = profiles_->refresh();
  if (!why.empty())
    log::event(log::Level::error, "auth", "",
               "act=keep-old-credentials why=\"" + log::escape(why) + "\"");
}

Status Mount::status() const {
  Status status;
  status.source = manifest_.source();
  status.mountpoint = directory_;
  status.pid = getpid();
  status.uptime = std::chrono::duration_cast<std::chrono::seconds>(clock_.now() - since_);
  status.memory = options_.memory;
  status.memory_of_connections = plan_.connections * MemoryPlan::kConnection;
  status.memory_warn = memory_warn_;
  status.process = process_memory();
  status.open_files = handles_.count() + recent_.count();
  const Keeper::Gauge gauge = keeper_.gauge();
  status.parked = gauge.kept;
  status.oldest_parked = std::chrono::duration_cast<milliseconds>(gauge.oldest);
  status.longest_parked = std::chrono::duration_cast<milliseconds>(gauge.longest);
  status.manifest = files_.names()->tree().totals();
  status.skipped_lines = manifest_.skipped_lines();
  const Reloader::Counts reloads = reloader_.counts();
  status.reloads = reloads.done;
  status.failed_reloads = reloads.failed;
  status.cache = cache_.status();
  status.fetch = fetcher_.status();
  status.files = files_.status();
  return status;
}

// Null where no place will do.
std::unique_ptr<ControlSocket> listen_for_commands(const std::string& directory) {
  const std::string name = control::socket_name(directory);
  std::string why;
  for (const std::string& place : control::socket_directories(geteuid())) {
    try {
      return std::make_unique<ControlSocket>(place + "/" + name);
    } catch (const std::system_error& error) {
      why = error.what();
    }
  }
  log::event(log::Level::warning, "no_control", directory,
             "dir=" + log::escape(directory) +
                 " act=\"skimfs status will not work\" why=" + log::escape(why));
  return nullptr;
}

}  // namespace

void serve(const Options& options, const std::function<void()>& ready) {
  prepare_process();
  if (!options.debug_core) hide_memory();
  const std::string directory = control::mount_name(options.mountpoint);
  check_lanes(options);
  check_setuid(options);
  check_open(options);
  Steward steward(directory);
  Prepared prepared{load_manifest(options), load_profiles(options), find_trust(options),
                    manifest_time(options.source), Look::of(options)};
  Signals signals;  // from here on whoever ends us must be heard: the mount is taken down
  KernelMount kernel_mount({directory, std::string(fetch::redact(options.source)),
                            options.kernel_options, options.allow_other, options.replace_stale},
                           steward);
  Opened opened{listen_for_commands(directory), open_read_ahead(kernel_mount)};
  if (options.setuid) become(*options.setuid);
  const std::string kept = options.sandbox ? confine() : "";
  log::to_standard_error(options.log_level);
  if (!kept.empty())
    log::event(log::Level::warning, "sandbox", "", "act=go-on why=\"" + kept + "\"");
  report_loaded(prepared.loaded, options.source);
  Mount mount(options, std::move(prepared), std::move(opened), signals, kernel_mount, steward);
  mount.start();
  if (!options.foreground) log::to_syslog("skimfs[" + options.mountpoint + "]", options.log_level);
  ready();
  if (getsid(0) == getpid()) steward.leave_group();  // as ready() had us do
  mount.run_until_ended();
}

std::string fuse_version() { return fuse_pkgversion(); }

}  // namespace skimfs::fs::shell
