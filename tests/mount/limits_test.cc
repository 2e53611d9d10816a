// SPDX-License-Identifier: MIT
//
// What the machine refuses: descriptors.
#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <vector>

#include "tests/mount/fixture.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using Json = nlohmann::json;
using namespace std::chrono_literals;

constexpr std::uint64_t kSize = 65536;
constexpr int kFiles = 80;
constexpr std::size_t kDescriptors = 64;

class Limits : public MountTest {
 protected:
  Limits() {
    for (int i = 0; i < kFiles; ++i) {
      const std::string path = "/" + std::to_string(i);
      origin_.add(path, kSize, {.hold = true});
      manifest_.file(path, kSize);
    }
    origin_.add("/greeting", kSize);
    manifest_.file("/greeting", kSize);
    if (cannot_mount().empty()) {
      mount_.emplace(manifest_, "timeout=30,connections=200,connections_per_host=200",
                     Command{"prlimit", "--nofile=32:" + std::to_string(kDescriptors)});
    }
  }

  std::string proc(const std::string& name) {
    return "/proc/" + std::to_string(mount_->daemon().pid()) + "/" + name;
  }
  std::size_t descriptors() {
    const std::filesystem::directory_iterator all(proc("fd"));
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }
  // What reading each file gives, all at once; `meanwhile` runs while they wait.
  template <class Meanwhile>
  std::vector<int> read_all(Meanwhile meanwhile) {
    std::vector<int> errors(kFiles);
    std::vector<std::thread> readers;
    for (int i = 0; i < kFiles; ++i) {
      readers.emplace_back([&, i] {
        const std::string path = "/" + std::to_string(i);
        const ReadResult got = read_at(mount_->dir() + path, 0, kSize, O_DIRECT);
        errors[static_cast<std::size_t>(i)] = got.error;
        EXPECT_TRUE(got.error != 0 || origin_.body(path).matches(0, kSize, got.bytes)) << i;
      });
    }
    meanwhile();
    for (auto& reader : readers) reader.join();
    return errors;
  }

  HostileOrigin origin_;
  Manifest manifest_{origin_.base()};
  std::optional<Mount> mount_;
};

TEST_F(Limits, TheDaemonTakesAllTheDescriptorsItMayHave) {
  const std::string limits = contents(proc("limits"));
  const std::string row = limits.substr(limits.find("Max open files"), 60);
  EXPECT_EQ(std::count(row.begin(), row.end(), '6'), 2) << row;  // 64 and 64
}

TEST_F(Limits, WithoutDescriptorsReadersWaitForThemAndNothingIsLeftBehind) {
  // Who has never answered would get no more than half of the connections.
  EXPECT_EQ(read_at(*mount_ / "greeting", 0, kSize, O_DIRECT).error, 0);
  origin_.forget_requests();
  const auto errors = read_all([&] {
    EXPECT_TRUE(origin_.await([&] { return origin_.count() >= kDescriptors / 2; }));
    EXPECT_TRUE(status_of(mount_->dir()).ok());
    EXPECT_LT(descriptors(), kDescriptors);
    for (int i = 0; i < kFiles; ++i) origin_.behave("/" + std::to_string(i), {});
    origin_.release();
  });
  for (int i = 0; i < kFiles; ++i)
    EXPECT_EQ(errors[static_cast<std::size_t>(i)], 0) << i << "\n" << mount_->log();
  // The network's figures may be a little old.
  Json status;
  for (int tries = 0; tries < 200; ++tries) {
    status = Json::parse(mount_->status());
    if (status.at("fetch").at("running") == 0 && status.at("fetch").at("queued") == 0) break;
  }
  EXPECT_EQ(status.at("parked").at("requests"), 0);
  EXPECT_EQ(status.at("cache").at("filling"), 0);
  EXPECT_EQ(status.at("cache").at("pinned"), 0);
  EXPECT_EQ(status.at("fetch").at("running"), 0);
  EXPECT_EQ(status.at("fetch").at("queued"), 0);
}

TEST_F(Limits, FewerThreadsThanWereAskedForAreToldOf) {
  EXPECT_EQ(mount_->log().find("ev=lanes"), std::string::npos) << "one is one";
  const Mount few(manifest_, "lanes=8", Command{"prlimit", "--nofile=70:70"});
  EXPECT_EQ(read_at(few / "greeting", 0, kSize, O_DIRECT).error, 0);
  EXPECT_TRUE(few.await_log("ev=lanes lanes=8 act=lower:3 why=\"at most 3 connections\"", 10s))
      << few.log();
}

}  // namespace
}  // namespace skimfs::test
