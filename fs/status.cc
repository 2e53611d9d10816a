// SPDX-License-Identifier: MIT
#include "fs/status.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "fs/log.h"

namespace skimfs::fs {
namespace {

using Json = nlohmann::ordered_json;

Json host_json(const fetch::HostStatus& host) {
  return {{"host", host.host},
          {"connections_open", host.open},
          {"connections_idle", host.idle},
          {"connections_limit", host.limit},
          {"connections_opened", host.opened},
          {"connections_reused", host.reused},
          {"connections_closed", host.closed},
          {"requests", host.requests},
          {"retries", host.retries},
          {"errors", host.errors},
          {"breaker", host.breaker},
          {"breaker_opened", host.breaker_opened},
          {"retry_budget", host.retry_budget},
          {"pauses", host.pauses},
          {"paused_ms", host.paused.count()}};
}

Json memory_json(const Status& status) {
  return {{"limit", status.memory},
          {"connections", status.memory_of_connections},
          {"resident", status.process.resident},
          {"resident_peak", status.process.peak},
          {"warn_above", status.memory_warn}};
}

Json cache_json(const cache::CacheStatus& cache) {
  return {{"limit", cache.limit},         {"used", cache.used},
          {"peak", cache.peak},           {"pinned", cache.pinned},
          {"filling", cache.filling},     {"blocks", cache.blocks},
          {"hits", cache.hits},           {"misses", cache.misses},
          {"evictions", cache.evictions}, {"room_waits", cache.room_waits}};
}

Json fetch_json(const fetch::FetchStatus& fetch) {
  Json hosts = Json::array();
  for (const fetch::HostStatus& host : fetch.hosts) hosts.push_back(host_json(host));
  return {{"lanes", fetch.lanes},
          {"connections_limit", fetch.connections_limit},
          {"connections_open", fetch.connections_open},
          {"connections_idle", fetch.connections_idle},
          {"connections_peak", fetch.connections_peak},
          {"connections_opened", fetch.connections_opened},
          {"connections_reused", fetch.connections_reused},
          {"running", fetch.orders_running},
          {"queued", fetch.orders_queued},
          {"requests", fetch.requests},
          {"retries", fetch.retries},
          {"errors", fetch.errors},
          {"redirects", fetch.redirects},
          {"hedges", fetch.hedges},
          {"hedges_won", fetch.hedges_won},
          {"mirror_switches", fetch.mirror_switches},
          {"bytes_received", fetch.bytes_received},
          {"network_changes", fetch.network_changes},
          {"hosts", std::move(hosts)}};
}

Json files_json(const FileSystemStatus& files) {
  return {{"reads", files.reads},
          {"read_hits", files.read_hits},
          {"bytes_served", files.bytes_served},
          {"errors", files.errors},
          {"probes", files.probes},
          {"versions_changed", files.versions_changed},
          {"bytes_verified", files.bytes_verified},
          {"digest_mismatches", files.digest_mismatches},
          {"files_remembered", files.files_remembered}};
}

Json manifest_json(const Status& status) {
  return {{"files", status.manifest.files},
          {"directories", status.manifest.directories},
          {"links", status.manifest.links},
          {"bytes", status.manifest.bytes},
          {"unknown_sizes", status.manifest.unknown_sizes},
          {"memory", status.manifest.memory},
          {"skipped_lines", status.skipped_lines},
          {"reloads", status.reloads},
          {"failed_reloads", status.failed_reloads}};
}

// "1.5 GiB"
std::string size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.{}f} {}", value, unit == 0 ? 0 : 1, kUnits[unit]);
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.1f} %", 100 * static_cast<double>(part) / static_cast<double>(whole));
}

// The number after "name:" in kB, proc(5) status.
std::uint64_t kilobytes(std::string_view line) {
  const std::size_t start = line.find_first_of("0123456789");
  if (start == std::string_view::npos) return 0;
  std::uint64_t value = 0;
  std::from_chars(line.data() + start, line.data() + line.size(), value);
  return value;
}

}  // namespace

std::string to_json(const Status& status) {
  const Json json{{"schema", 1},
                  {"source", status.source},
                  {"mountpoint", status.mountpoint},
                  {"pid", status.pid},
                  {"uptime_seconds", status.uptime.count()},
                  {"memory", memory_json(status)},
                  {"cache", cache_json(status.cache)},
                  {"fetch", fetch_json(status.fetch)},
                  {"reads", files_json(status.files)},
                  {"open_files", status.open_files},
                  {"parked",
                   {{"requests", status.parked},
                    {"oldest_ms", status.oldest_parked.count()},
                    {"longest_ms", status.longest_parked.count()}}},
                  {"manifest", manifest_json(status)}};
  // Paths need not be UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string to_text(const Status& status) {
  const cache::CacheStatus& cache = status.cache;
  const fetch::FetchStatus& fetch = status.fetch;
  const FileSystemStatus& files = status.files;
  std::string out;
  const auto line = [&out](std::string_view name, const std::string& value) {
    out += fmt::format("{:<13}{}\n", name, value);
  };
  line("mount", fmt::format("{} on {} (pid {}, up {} s)", log::escape(status.source),
                            log::escape(status.mountpoint), status.pid, status.uptime.count()));
  line("files",
       fmt::format("{} files, {} directories, {}; {} of unknown size, {} lines skipped",
                   status.manifest.files, status.manifest.directories, size(status.manifest.bytes),
                   status.manifest.unknown_sizes, status.skipped_lines));
  line("reloads", fmt::format("{}, {} failed", status.reloads, status.failed_reloads));
  line("memory", fmt::format("{} resident, peak {}, warned above {}", size(status.process.resident),
                             size(status.process.peak), size(status.memory_warn)));
  line("budget", fmt::format("{} = cache {} + connections {}", size(status.memory),
                             size(cache.limit), size(status.memory_of_connections)));
  line("cache", fmt::format("{} used ({}), peak {}; {} pinned, {} filling, {} blocks",
                            size(cache.used), percent(cache.used, cache.limit), size(cache.peak),
                            size(cache.pinned), size(cache.filling), cache.blocks));
  line("blocks", fmt::format("{} hits, {} misses, {} evicted, {} waits for room", cache.hits,
                             cache.misses, cache.evictions, cache.room_waits));
  line("reads",
       fmt::format("{} ({} from memory), {} served, {} errors", files.reads,
                   percent(files.read_hits, files.reads), size(files.bytes_served), files.errors));
  line("waiting",
       fmt::format("{} requests, oldest {} ms, longest so far {} ms; {} files open", status.parked,
                   status.oldest_parked.count(), status.longest_parked.count(), status.open_files));
  line("fetched",
       fmt::format("{} in {} requests; {} retries, {} errors, {} redirects, "
                   "{} changes to a mirror, {} network changes",
                   size(fetch.bytes_received), fetch.requests, fetch.retries, fetch.errors,
                   fetch.redirects, fetch.mirror_switches, fetch.network_changes));
  line("hedges",
       fmt::format("{} second requests, {} taken instead", fetch.hedges, fetch.hedges_won));
  line("transfers",
       fmt::format("{} running, {} queued; {}", fetch.orders_running, fetch.orders_queued,
                   fetch.lanes == 1 ? "1 lane" : fmt::format("{} lanes", fetch.lanes)));
  line("connections",
       fmt::format("{} open ({} idle) of {}, peak {}; {} opened, {} reused", fetch.connections_open,
                   fetch.connections_idle, fetch.connections_limit, fetch.connections_peak,
                   fetch.connections_opened, fetch.connections_reused));
  for (const fetch::HostStatus& host : fetch.hosts) {
    line("host", fmt::format("{}: {} open ({} idle) of {}; {} opened, {} reused, {} requests, "
                             "{} retries, {} errors",
                             log::escape(host.host), host.open, host.idle, host.limit, host.opened,
                             host.reused, host.requests, host.retries, host.errors));
    line("", fmt::format("breaker {}, opened {} times; {} repetitions left; {} pauses, {} ms to go",
                         host.breaker, host.breaker_opened, host.retry_budget, host.pauses,
                         host.paused.count()));
  }
  line("versions", fmt::format("{} probes, {} changed; {} files remembered", files.probes,
                               files.versions_changed, files.files_remembered));
  line("digests", fmt::format("{} verified, {} mismatches", size(files.bytes_verified),
                              files.digest_mismatches));
  return out;
}

std::string to_line(const Status& status) {
  return fmt::format(
      "rss={} peak={} budget={} used={} blocks={} hits={} misses={} served={} fetched={} "
      "requests={} retries={} errors={} connections={} idle={} parked={} oldest_ms={} "
      "longest_ms={} open={}",
      status.process.resident, status.process.peak, status.memory, status.cache.used,
      status.cache.blocks, status.cache.hits, status.cache.misses, status.files.bytes_served,
      status.fetch.bytes_received, status.fetch.requests, status.fetch.retries, status.files.errors,
      status.fetch.connections_open, status.fetch.connections_idle, status.parked,
      status.oldest_parked.count(), status.longest_parked.count(), status.open_files);
}

ProcessMemory process_memory() {
  ProcessMemory memory;
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmRSS:")) memory.resident = kilobytes(line) * 1024;
    if (line.starts_with("VmHWM:")) memory.peak = kilobytes(line) * 1024;
  }
  return memory;
}

}  // namespace skimfs::fs
