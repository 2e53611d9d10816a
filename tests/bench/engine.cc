// SPDX-License-Identifier: MIT
//
// Everything of skimfs but FUSE: manifest, file system, cache and fetcher read a file from begin to
// end, as the kernel asks for it, and the bytes go nowhere.
//
//   bench_engine URL SIZE
//
// Prints the seconds.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "cache/block_cache.h"
#include "fetch/clock.h"
#include "fetch/fetcher.h"
#include "fs/fetch_log.h"
#include "fs/filesystem.h"
#include "fs/manifest/load.h"
#include "fs/memory_plan.h"

namespace {

using namespace skimfs;

constexpr std::uint64_t kMemory = 128u << 20;
constexpr unsigned kConnections = 64;
constexpr std::uint64_t kRequest = 1u << 20;  // bytes, as read_ahead_kb=1024 has it

class Waiting final : public fs::ReadAnswer {
 public:
  bool open() const noexcept override { return !told_; }
  void work(std::weak_ptr<fs::Operation>) noexcept override {}
  void read(const fs::ReadView&) noexcept override { tell({}); }
  void fail(std::error_code why) noexcept override { tell(why); }

  std::error_code wait() {
    std::unique_lock lock(mutex_);
    moved_.wait(lock, [this] { return told_.load(); });
    return why_;
  }

 private:
  void tell(std::error_code why) noexcept {
    const std::lock_guard lock(mutex_);
    why_ = why;
    told_ = true;
    moved_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable moved_;
  std::atomic<bool> told_{false};
  std::error_code why_;
};

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "bench_engine: %s\n", what.c_str());
  std::exit(1);
}

}  // namespace

int main(int count, char* words[]) {
  if (count != 3) fail("usage: bench_engine URL SIZE");
  const std::string entry =
      std::string("#skimfs 1\n/f\t") + words[2] + "\t-\t-\t" + words[1] + "\n";
  const fs::MemoryPlan plan = fs::plan_memory(kMemory, kConnections);
  const fetch::SteadyClock clock;
  fs::FetchLog log;
  cache::BlockCache cache(plan.cache);
  fetch::FetchLimits limits;
  limits.connections = plan.connections;
  fetch::Fetcher fetcher(limits, clock, log);
  fs::FileSystem files(fs::manifest::load_text(entry, "engine", {}).tree, cache, fetcher, clock,
                       {});
  const auto found = files.try_lookup(1, "f");
  if (!found || !*found) fail("no such file");
  const auto file = files.try_open((*found)->attributes.inode)->value();

  const auto begin = std::chrono::steady_clock::now();
  const std::uint64_t size = fs::FileSystem::size(*file);
  for (std::uint64_t at = 0; at < size; at += kRequest) {
    const cache::Extent bytes{at, std::min(kRequest, size - at)};
    if (files.try_read(*file, bytes)) continue;
    const auto answer = std::make_shared<Waiting>();
    files.read(file, bytes, answer);
    if (const auto why = answer->wait()) fail(why.message());
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%.6f\n", took.count());
  fetcher.stop();
  return 0;
}
