// SPDX-License-Identifier: MIT
//
// Nanoseconds per hit, without a file system around it.
#include <benchmark/benchmark.h>

#include <random>

#include "cache/block_cache.h"

namespace skimfs::cache {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

void load(BlockCache& cache, Extent bytes) {
  auto claim = cache.claim(1, bytes, BlockCache::Why::demand, {});
  for (FillTicket& ticket : claim->missing) {
    ticket.wrote(static_cast<std::uint32_t>(ticket.space().size()));
    ticket.publish();
  }
}

void find_128k_in_whole_blocks(benchmark::State& state) {
  BlockCache cache(64 * kMiB);
  for (std::uint64_t at = 0; at < 32 * kMiB; at += kMiB) load(cache, {at, kMiB});
  std::uint64_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(cache.find(1, {at, 128 * 1024}));
    at = (at + 128 * 1024) % (32 * kMiB);
  }
}
BENCHMARK(find_128k_in_whole_blocks);

void find_1m_in_whole_blocks(benchmark::State& state) {
  BlockCache cache(64 * kMiB);
  for (std::uint64_t at = 0; at < 32 * kMiB; at += kMiB) load(cache, {at, kMiB});
  std::uint64_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(cache.find(1, {at, kMiB}));
    at = (at + kMiB) % (32 * kMiB);
  }
}
BENCHMARK(find_1m_in_whole_blocks);

void find_random_4k_in_single_grains(benchmark::State& state) {
  BlockCache cache(64 * kMiB);
  constexpr std::uint64_t grains = 8192;
  for (std::uint64_t grain = 0; grain < grains; ++grain) load(cache, {grain * kGrain, kGrain});
  std::minstd_rand random(1);
  for (auto _ : state) {
    benchmark::DoNotOptimize(cache.find(1, {random() % grains * kGrain, kGrain}));
  }
}
BENCHMARK(find_random_4k_in_single_grains);

void claim_fill_evict_16m(benchmark::State& state) {
  BlockCache cache(64 * kMiB);
  std::uint64_t at = 0;
  for (auto _ : state) {
    load(cache, {at, 16 * kMiB});
    at += 16 * kMiB;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * 64);
}
BENCHMARK(claim_fill_evict_16m);

}  // namespace
}  // namespace skimfs::cache

BENCHMARK_MAIN();
