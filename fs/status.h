// SPDX-License-Identifier: MIT
//
// How a mount is doing: one snapshot, told to programs as JSON and to people as text.
//
// Pure but for process_memory().  No URL, no query and no credential is in it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "cache/block_cache.h"
#include "fetch/fetcher.h"
#include "fs/filesystem.h"
#include "fs/manifest/tree.h"

namespace skimfs::fs {

struct ProcessMemory {
  std::uint64_t resident = 0;  // bytes now
  std::uint64_t peak = 0;      // bytes, the most so far
};

struct Status {
  std::string source;  // as mounted, without query
  std::string mountpoint;
  int pid = 0;
  std::chrono::seconds uptime{0};

  std::uint64_t memory = 0;                 // bytes: the option
  std::uint64_t memory_of_connections = 0;  // of it: set aside for them
  std::uint64_t memory_warn = 0;            // bytes of resident memory
  ProcessMemory process;

  std::uint64_t open_files = 0;                 // handles, or files read lately
  std::uint64_t parked = 0;                     // requests without an answer
  std::chrono::milliseconds oldest_parked{0};   // age
  std::chrono::milliseconds longest_parked{0};  // the greatest age of any so far

  manifest::Totals manifest;
  std::uint64_t skipped_lines = 0;   // of the manifest, with on_error=skip
  std::uint64_t reloads = 0;         // since the mount
  std::uint64_t failed_reloads = 0;  // each kept the manifest before

  cache::CacheStatus cache;
  fetch::FetchStatus fetch;
  FileSystemStatus files;
};

// One JSON object with "schema": 1; skimfs(1) lists its members.
std::string to_json(const Status& status);
// Aligned lines, each ended by a newline.
std::string to_text(const Status& status);
// One line of key=value for the log, without a newline.
std::string to_line(const Status& status);

// Of this process, proc(5) status; zero where it cannot be read.
ProcessMemory process_memory();

}  // namespace skimfs::fs
