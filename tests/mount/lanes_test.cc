// SPDX-License-Identifier: MIT
//
// A mount of several network threads: files, parts, mirrors and redirects at servers of them all.
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fetch/sharding.h"
#include "tests/mount/fixture.h"
#include "tests/support/digests_of.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using Json = nlohmann::json;
using namespace std::chrono_literals;

constexpr unsigned kLanes = 4;
constexpr unsigned kConnections = 18;
constexpr unsigned kPerHost = 6;
constexpr unsigned kHeardLater = 2;  // a server accepts the next one before it hears of an end
constexpr std::uint64_t kSize = 1u << 20;

const std::string kOptions = "lanes=4,connections=18,connections_per_host=6,timeout=60";

// What reading a file must give.
struct Expected {
  std::string name, bytes;
};

class Lanes : public MountTest {
 protected:
  // At least one server is at home in each lane.
  Lanes() {
    std::array<unsigned, kLanes> at_home{};
    while (servers_.size() < 6 || std::ranges::count(at_home, 0u) > 0) {
      servers_.push_back(std::make_unique<HostileOrigin>());
      const HostileOrigin& server = *servers_.back();
      ++at_home[fetch::home_lane("127.0.0.1:" + std::to_string(server.port()), kLanes)];
    }
    for (unsigned i = 0; i < servers_.size(); ++i) {
      add_plain(i);
      add_redirected(i);
    }
    add_joined("joined", false);
    add_joined("verified", true);
  }

  HostileOrigin& server(std::size_t i) { return *servers_[i % servers_.size()]; }
  static Behaviour slow() { return {.drip_bytes = 65536, .drip_every = 1ms}; }
  std::string whole(std::size_t i, const std::string& path) {
    return server(i).body(path).text(0, kSize);
  }
  void file(const std::string& path, std::uint64_t size, const std::string& url,
            const std::string& tail = {}) {
    manifest_.line(path + "\t" + std::to_string(size) + "\t-\t-\t" + url + tail);
  }

  void add_plain(unsigned i) {
    const std::string path = "/plain" + std::to_string(i);
    server(i).add(path, kSize, slow());
    file(path, kSize, server(i).url(path));
    expected_.push_back({path.substr(1), whole(i, path)});
  }
  // To a server of another lane, perhaps.
  void add_redirected(unsigned i) {
    const std::string path = "/away" + std::to_string(i);
    server(i + 1).add(path, kSize, slow());
    server(i).add(path, kSize, {.location = server(i + 1).url(path + "?signed=1")});
    file(path, kSize, server(i).url(path));
    expected_.push_back({path.substr(1), whole(i + 1, path)});
  }
  // The first breaks off early, each time, and the next connection to it is a new one.
  void add_mirrored(unsigned i) {
    const std::string path = "/mirrored" + std::to_string(i);
    server(i).add(path, kSize, {.stop_after = 300'000, .ending = Ending::reset});
    server(i + 2).add(path, kSize, slow());
    file(path, kSize, server(i).url(path), "\tmirror=" + server(i + 2).url(path));
    expected_.push_back({path.substr(1), whole(i, path)});
  }
  // From parts at all servers, in turn; `verified`: no byte is shown before all have come.
  void add_joined(const std::string& name, bool verified) {
    constexpr std::size_t kPart = 50'000;
    std::string bytes, parts;
    for (std::size_t i = 0; i < 3 * servers_.size(); ++i) {
      const std::string path = "/of-" + name + std::to_string(i);
      server(i).add(path, kSize, slow());
      bytes += server(i).body(path).text(i * 1000, kPart);
      parts += "\t!part=" + std::to_string(i * 1000) + "+" + std::to_string(kPart) + " " +
               server(i).url(path);
    }
    const std::string digest = verified ? digest_of(std::as_bytes(std::span(bytes))) : "-";
    manifest_.line("/" + name + "\t" + std::to_string(bytes.size()) + "\t-\t" + digest + "\t-" +
                   parts);
    expected_.push_back({name, bytes});
  }

  // Reads all files at once, each by several threads and in pieces of many sizes.
  void read_all(const Mount& mount) {
    std::vector<std::thread> readers;
    for (unsigned reader = 0; reader < 2; ++reader)
      for (const Expected& file : expected_)
        readers.emplace_back([&mount, &file] { EXPECT_EQ(mount.text(file.name), file.bytes); });
    for (unsigned reader = 0; reader < 8; ++reader) {
      readers.emplace_back([this, &mount, reader] {
        std::mt19937 random(reader);
        for (int i = 0; i < 60; ++i) {
          const Expected& file = expected_[random() % expected_.size()];
          const std::uint64_t at = random() % file.bytes.size() / 4096 * 4096;
          const ReadResult got = read_at(mount / file.name, at, 65536, O_DIRECT);
          EXPECT_EQ(got.error, 0) << file.name << ' ' << at;
          EXPECT_EQ(got.bytes, file.bytes.substr(at, 65536)) << file.name << ' ' << at;
        }
      });
    }
    for (auto& reader : readers) reader.join();
  }

  std::vector<std::unique_ptr<HostileOrigin>> servers_;
  Manifest manifest_{"http://127.0.0.1"};
  std::vector<Expected> expected_;
};

// S-READ-1, S-CONN-1, S-CONN-2
TEST_F(Lanes, TogetherGiveRightBytesAndKeepTheCapsAtEveryMoment) {
  for (unsigned i = 0; i < servers_.size(); ++i) add_mirrored(i);
  const Mount mount(manifest_, kOptions);
  std::atomic<bool> over{false};
  std::thread watcher([&] {
    while (!over) {
      const Json fetch = Json::parse(mount.status())["fetch"];
      EXPECT_LE(fetch["connections_open"], kConnections);
      for (const Json& host : fetch["hosts"]) EXPECT_LE(host["connections_open"], kPerHost) << host;
      std::this_thread::sleep_for(5ms);
    }
  });
  read_all(mount);
  over = true;
  watcher.join();
  Json fetch;
  const auto told = [&] {  // it may be a moment old
    fetch = Json::parse(mount.status())["fetch"];
    return fetch["hosts"].size() == servers_.size() && fetch["mirror_switches"] > 0 &&
           fetch["redirects"] > 0;
  };
  EXPECT_TRUE(until(told, kAtOnce)) << "each host once: " << fetch;
  EXPECT_LE(fetch["connections_peak"], kConnections);
}

// S-CONN-1, S-CONN-2, as the servers see it
TEST_F(Lanes, ConnectToNoServerMoreThanItsCap) {
  const Mount mount(manifest_, kOptions);
  read_all(mount);
  for (const auto& server : servers_) EXPECT_LE(server->connections().peak, kPerHost + kHeardLater);
}

TEST_F(Lanes, AreAsManyThreads) {
  const auto threads = [](Mount& mount) {
    const std::filesystem::directory_iterator all("/proc/" + std::to_string(mount.daemon().pid()) +
                                                  "/task");
    return std::distance(begin(all), end(all));
  };
  Mount one(manifest_), four(manifest_, kOptions);
  // Others may still be starting when a mount answers.
  EXPECT_TRUE(until([&] { return threads(four) - threads(one) == kLanes - 1; }, 20s))
      << threads(one) << ' ' << threads(four);
}

// S-WAIT-4
TEST_F(Lanes, EndAtOnceWhileAllServersHang) {
  Manifest manifest("http://127.0.0.1");
  for (const auto& server : servers_) {
    const std::string path = "/held" + std::to_string(server->port());
    server->add(path, kSize, {.hold = true});
    manifest.line(path + "\t" + std::to_string(kSize) + "\t-\t-\t" + server->url(path));
  }
  Mount mount(manifest, kOptions);
  std::vector<std::thread> readers;
  for (const auto& server : servers_)
    readers.emplace_back([&mount, name = "held" + std::to_string(server->port())] {
      EXPECT_NE(read_at(mount / name, 0, 4096, O_DIRECT).error, 0);
    });
  EXPECT_TRUE(mount.await_waiting(static_cast<unsigned>(servers_.size()), 10s));
  EXPECT_LT(mount.stop(), kAtOnce);
  for (auto& reader : readers) reader.join();
}

TEST_F(Lanes, AreRefusedWhereNotEachCouldHaveASocket) {
  const Scratch scratch;
  const std::string path = scratch.write("m.skimfs", manifest_.text());
  std::filesystem::create_directory(scratch / "mnt");
  for (const auto& [options, why] :
       {std::pair{"lanes=4,connections=3", "lanes=4 is above connections=3"},
        std::pair{"lanes=4,connections_per_host=2", "lanes=4 is above connections_per_host=2"},
        std::pair{"lanes=9", "lanes=9 is not a number from 1 to 8"},
        std::pair{"lanes=0", "lanes=0 is not a number from 1 to 8"}}) {
    const Outcome refused = run({skimfs(), path, scratch / "mnt", "-o", options});
    EXPECT_FALSE(refused.ok());
    EXPECT_NE(refused.err.find(why), std::string::npos) << refused.all();
  }
}

}  // namespace
}  // namespace skimfs::test
