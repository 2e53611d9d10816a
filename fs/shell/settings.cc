// SPDX-License-Identifier: MIT
#include "fs/shell/settings.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "fetch/url.h"
#include "fs/log.h"
#include "fs/shell/confinement.h"
#include "fs/shell/mount_error.h"

namespace skimfs::fs::shell {
namespace {

// Of each thread: frames of ours are small, libcurl's and getaddrinfo's need most of it. Sanitizers
// keep much of their own beside each frame.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kStack = 8u << 20;
#else
constexpr std::size_t kStack = 256u << 10;
#endif

// To who has lost what capabilities(7) call CAP_DAC_READ_SEARCH: root reads only what its mode lets
// uid 0 read, so nothing in another's private folder.
constexpr const char* kWithoutRights =
    "root cannot read it again without capabilities; move it to a folder that root's own "
    "permissions reach, such as /etc/skimfs, or use sandbox=off";

// libcurl reads certificates anew for later connections.
void check_authorities_later(const Options& options) {
  if (options.cacert.empty()) return;
  struct stat found {};
  const bool there = stat(options.cacert.c_str(), &found) == 0;
  const int wanted = R_OK | (there && S_ISDIR(found.st_mode) ? X_OK : 0);
  if ((there && access(options.cacert.c_str(), wanted) == 0) || errno != EACCES) return;
  throw OptionError("cacert=" + options.cacert + ": " +
                    (options.setuid ? "the user of setuid= cannot read it" : kWithoutRights));
}

// A user of setuid= who cannot is let be: skimfs-auth.conf(5) says so.  So is a file that was taken
// away since the start, which is no question of rights.
void check_secrets_later(const Options& options, auth::Profiles& profiles) {
  try {
    profiles.read_again();
  } catch (const auth::SecretError& error) {
    if (error.out_of_reach && !options.auth_file.empty() && !options.setuid)
      throw OptionError(std::string(error.what()) + ": " + kWithoutRights);
    log::event(log::Level::warning, "auth", "",
               "act=keep-old-credentials why=\"" + log::escape(error.what()) + "\"");
  }
}

void check_manifest_later(const Options& options) {
  if (options.source == "-" || access(options.source.c_str(), R_OK) == 0 || errno != EACCES) return;
  log::event(log::Level::warning, "no_reload", options.source,
             "source=" + log::escape(fetch::redact(options.source)) + " act=go-on why=\"" +
                 (options.setuid ? "the user of setuid= cannot read it" : kWithoutRights) + "\"");
}

}  // namespace

manifest::Time manifest_time(const std::string& source) {
  struct stat file {};
  if (stat(source.c_str(), &file) != 0) return {};
  return {file.st_mtim.tv_sec, static_cast<std::uint32_t>(file.st_mtim.tv_nsec)};
}

void check_setuid(const Options& options) {
  if (options.setuid && geteuid() != 0)
    throw MountError(kUsageOrPermission,
                     "setuid= is for root: nobody else can become another user");
}

void check_open(const Options& options) {
  if (!options.skip_open) return;
  if (options.direct_io)
    throw OptionError(
        "open=skip does not go with direct_io: without an open the kernel keeps pages; give one");
  if (!options.immutable)
    throw OptionError(
        "open=skip needs revalidate=immutable: nobody can ask at open whether a file changed");
}

void prepare_process() {
  // Two arenas: more cost memory, and block memory does not come from malloc anyway.  Fixed
  // thresholds: glibc would raise them to 32 MiB and keep what was freed.  Both are above what
  // comes and goes with connections: mapping and trimming each time costs more than the memory is
  // worth (tests/bench/ALLOCATORS.md).
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
  mallopt(M_TRIM_THRESHOLD, 16 * 1024 * 1024);

  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStack);
  pthread_setattr_default_np(&attributes);
  pthread_attr_destroy(&attributes);

  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

unsigned worker_count() { return std::clamp(std::thread::hardware_concurrency() / 2, 2u, 4u); }

// As many as descriptors allow: without one, a connection would look like a server that cannot be
// reached, and a command would find nobody.  What waits for a connection is the fetcher's business.
unsigned connections_for(const Options& options) {
  // The device, epoll, the log, commands, resolving names; a third idle.
  constexpr rlim_t kOther = 32;
  constexpr rlim_t kLane = 5;  // epoll, a wake-up, two of libcurl's, the network watched
  const unsigned wanted = options.connections;
  const rlim_t other = kOther + kLane * (options.lanes - 1);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) return wanted;
  const rlim_t left = files.rlim_cur > other ? files.rlim_cur - other : 1;
  if (wanted <= left) return wanted;
  log::event(log::Level::warning, "descriptors", "",
             "connections=" + std::to_string(wanted) + " act=lower:" + std::to_string(left) +
                 " why=\"at most " + std::to_string(files.rlim_cur) + " descriptors (ulimit -n)\"");
  return static_cast<unsigned>(left);
}

void check_lanes(const Options& options) {
  for (const auto& [name, cap] : {std::pair{"connections", options.connections},
                                  std::pair{"connections_per_host", options.connections_per_host}})
    if (options.lanes > cap)
      throw OptionError("lanes=" + std::to_string(options.lanes) + " is above " + name + "=" +
                        std::to_string(cap) + ": each lane needs a socket; lower lanes= or raise " +
                        name + "=");
}

fetch::Trust find_trust(const Options& options) {
  fetch::Trust trust;
  trust.verify = !options.insecure_tls;
  if (options.insecure_tls)
    log::event(log::Level::warning, "insecure_tls", "", "act=verify-nothing");
  if (options.cacert.empty()) return trust;
  struct stat found {};
  if (stat(options.cacert.c_str(), &found) != 0 || access(options.cacert.c_str(), R_OK) != 0) {
    throw OptionError("cacert=" + options.cacert + ": " + std::generic_category().message(errno));
  }
  (S_ISDIR(found.st_mode) ? trust.ca_directory : trust.ca_file) = options.cacert;
  return trust;
}

// Only a file that was asked for must be there and be right.
std::shared_ptr<auth::Profiles> load_profiles(const Options& options) {
  const std::string path =
      options.auth_file.empty() ? auth::default_auth_file() : options.auth_file;
  std::shared_ptr<auth::Profiles> profiles = std::make_shared<auth::Profiles>();
  if (path.empty() && !options.auth.empty())
    throw OptionError("auth=" + options.auth +
                      " names a profile, and there is no auth.conf; give auth_file=");
  if (path.empty()) return profiles;
  try {
    profiles = std::make_shared<auth::Profiles>(path, options.setuid ? options.setuid->user : 0);
  } catch (const auth::SecretError& error) {
    if (!options.auth_file.empty()) throw OptionError(error.what());
    log::event(log::Level::warning, "auth", path,
               "act=no-profiles why=\"" + log::escape(error.what()) + "\"");
  }
  if (!options.auth.empty() && !profiles->knows(options.auth))
    throw OptionError("auth=" + options.auth + ": no such profile in " + path);
  return profiles;
}

void check_readable_later(const Options& options, auth::Profiles& profiles) {
  if (!options.setuid && geteuid() != 0) return;  // who had no capabilities has lost none
  check_authorities_later(options);
  check_secrets_later(options, profiles);
  check_manifest_later(options);
}

fetch::FetchLimits fetch_limits(const Options& options, const MemoryPlan& plan,
                                fetch::Trust trust) {
  fetch::FetchLimits limits;
  limits.connections = plan.connections;
  limits.connections_per_host = std::min(options.connections_per_host, plan.connections);
  limits.lanes = std::min(options.lanes, limits.connections_per_host);
  if (limits.lanes < options.lanes)
    log::event(log::Level::warning, "lanes", "",
               "lanes=" + std::to_string(options.lanes) +
                   " act=lower:" + std::to_string(limits.lanes) + " why=\"at most " +
                   std::to_string(limits.connections) + " connections\"");
  limits.idle_timeout = options.idle_timeout;
  limits.order_timeout = options.timeout;
  limits.user_agent = "skimfs/" SKIMFS_VERSION;
  limits.trust = std::move(trust);
  limits.private_addresses = options.private_addresses;
  limits.proxy = options.proxy;
  return limits;
}

FileSystemLimits file_limits(const Options& options, const MemoryPlan& plan,
                             std::shared_ptr<const auth::Profiles> profiles,
                             manifest::Time written) {
  FileSystemLimits limits;
  limits.credentials = {std::move(profiles), options.auth};
  limits.default_mtime = written;
  limits.revalidate = options.revalidate;
  limits.immutable = options.immutable;
  limits.tell_ended = options.skip_open;
  limits.validator = options.validator;
  limits.spool_max = options.memory / 4;
  limits.verify = {options.verify, options.whole_max(), options.memory / 4};
  limits.window_max = plan.cache / 2;
  limits.segment_max = std::min<std::uint64_t>(limits.segment_max, plan.cache / 4);
  limits.siblings_max = std::min(limits.siblings_max, 2 * plan.connections);
  limits.siblings_bytes_max = std::min<std::uint64_t>(limits.siblings_bytes_max, plan.cache / 4);
  return limits;
}

}  // namespace skimfs::fs::shell
