// SPDX-License-Identifier: MIT
//
// The status as programs and people read it.
#include "fs/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace skimfs::fs {
namespace {

using ::testing::HasSubstr;

Status sample() {
  Status status;
  status.source = "/etc/set.skimfs";
  status.mountpoint = "/data/set";
  status.pid = 4182;
  status.uptime = std::chrono::seconds(61);
  status.memory = 128u << 20;
  status.memory_of_connections = 16u << 20;
  status.process = {70u << 20, 90u << 20};
  status.parked = 3;
  status.oldest_parked = std::chrono::milliseconds(1500);
  status.longest_parked = std::chrono::milliseconds(2500);
  status.skipped_lines = 2;
  status.cache.limit = 112u << 20;
  status.cache.used = 56u << 20;
  status.cache.hits = 7;
  status.fetch.bytes_received = 5'000'000;
  status.fetch.mirror_switches = 6;
  status.fetch.hedges = 12;
  status.fetch.hedges_won = 11;
  status.fetch.lanes = 2;
  status.fetch.connections_open = 4;
  status.fetch.connections_limit = 64;
  status.fetch.network_changes = 6;
  status.fetch.hosts.push_back(
      {"cdn.example:443", 4, 1, 16, 9, 30, 5, 39, 2, 1, "open", 3, 7, 8, std::chrono::seconds(2)});
  status.files.reads = 200;
  status.files.read_hits = 150;
  status.files.bytes_served = 9'000'000;
  return status;
}

TEST(Status, JsonHasEveryNumberAProgramWouldWatch) {
  const auto json = nlohmann::json::parse(to_json(sample()));
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["mountpoint"], "/data/set");
  EXPECT_EQ(json["uptime_seconds"], 61);
  EXPECT_EQ(json["memory"]["limit"], 128u << 20);
  EXPECT_EQ(json["memory"]["resident_peak"], 90u << 20);
  EXPECT_EQ(json["cache"]["used"], 56u << 20);
  EXPECT_EQ(json["cache"]["hits"], 7);
  EXPECT_EQ(json["fetch"]["lanes"], 2);
  EXPECT_EQ(json["fetch"]["connections_limit"], 64);
  EXPECT_EQ(json["fetch"]["bytes_received"], 5'000'000);
  EXPECT_EQ(json["fetch"]["mirror_switches"], 6);
  EXPECT_EQ(json["fetch"]["hedges"], 12);
  EXPECT_EQ(json["fetch"]["hedges_won"], 11);
  EXPECT_EQ(json["reads"]["bytes_served"], 9'000'000);
  EXPECT_EQ(json["parked"]["requests"], 3);
  EXPECT_EQ(json["parked"]["oldest_ms"], 1500);
  EXPECT_EQ(json["parked"]["longest_ms"], 2500);
  EXPECT_EQ(json["manifest"]["skipped_lines"], 2);
}

TEST(Status, JsonTellsEachHostApart) {
  const auto host = nlohmann::json::parse(to_json(sample()))["fetch"]["hosts"].at(0);
  EXPECT_EQ(host["host"], "cdn.example:443");
  EXPECT_EQ(host["connections_open"], 4);
  EXPECT_EQ(host["connections_limit"], 16);
  EXPECT_EQ(host["connections_reused"], 30);
  EXPECT_EQ(host["retries"], 2);
  EXPECT_EQ(host["breaker"], "open");
  EXPECT_EQ(host["breaker_opened"], 3);
  EXPECT_EQ(host["retry_budget"], 7);
  EXPECT_EQ(host["pauses"], 8);
  EXPECT_EQ(host["paused_ms"], 2000);
}

TEST(Status, JsonStaysValidWhenANameIsNotUtf8) {
  Status status = sample();
  status.mountpoint = "/data/\xff\xfe";
  EXPECT_TRUE(nlohmann::json::accept(to_json(status)));
}

TEST(Status, TextNamesUnitsAndShares) {
  const std::string text = to_text(sample());
  EXPECT_THAT(text, HasSubstr("/etc/set.skimfs on /data/set (pid 4182, up 61 s)\n"));
  EXPECT_THAT(text, HasSubstr("128.0 MiB = cache 112.0 MiB + connections 16.0 MiB\n"));
  EXPECT_THAT(text, HasSubstr("56.0 MiB used (50.0 %)"));
  EXPECT_THAT(text, HasSubstr("200 (75.0 % from memory)"));
  EXPECT_THAT(text, HasSubstr("3 requests, oldest 1500 ms, longest so far 2500 ms"));
  EXPECT_THAT(text, HasSubstr("0 running, 0 queued; 2 lanes\n"));
  EXPECT_THAT(text, HasSubstr("4 open (0 idle) of 64, peak 0;"));
  EXPECT_THAT(text, HasSubstr("cdn.example:443: 4 open (1 idle) of 16"));
  EXPECT_THAT(
      text, HasSubstr("breaker open, opened 3 times; 7 repetitions left; 8 pauses, 2000 ms to go"));
  EXPECT_THAT(text, HasSubstr("6 network changes"));
  EXPECT_THAT(text, HasSubstr("12 second requests, 11 taken instead"));
}

TEST(Status, TheLogGetsItInOneLine) {
  const std::string line = to_line(sample());
  EXPECT_THAT(line, HasSubstr("parked=3 oldest_ms=1500 longest_ms=2500"));
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

TEST(Status, AProcessHasResidentMemoryAndAPeakAboveIt) {
  const ProcessMemory memory = process_memory();
  EXPECT_GT(memory.resident, 0u);
  EXPECT_GE(memory.peak, memory.resident);
}

}  // namespace
}  // namespace skimfs::fs
