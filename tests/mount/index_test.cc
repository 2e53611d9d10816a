// SPDX-License-Identifier: MIT
//
// Large manifests, compiled by the first mount and found compiled by the next.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>

#include "tests/mount/fixture.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

class CompiledMount : public MountTest {
 protected:
  static constexpr int kFiles = 60'000;  // more than 4 MiB of text

  CompiledMount() {
    origin_.add("/folder-0/file-0", 5000);
    Manifest manifest(origin_.base());
    for (int each = 0; each < kFiles; ++each)
      manifest.file("/folder-" + std::to_string(each / 1000) + "/file-" + std::to_string(each),
                    5000, "type=application/octet-stream\tmode=0444");
    manifest_ = scratch_.write("m.skimfs", manifest.text());
    std::filesystem::create_directory(dir_);
  }
  ~CompiledMount() override { stop(); }

  void start(const std::string& source) {
    daemon_ = std::make_unique<Process>(
        Command{skimfs(), source, dir_, "-f", "-o", "index=" + cache_}, log_);
    ASSERT_TRUE(await_mounted(dir_, true, 60s)) << contents(log_);
  }
  void stop() {
    if (!daemon_) return;
    daemon_->signal(SIGTERM);
    EXPECT_EQ(daemon_->wait(30s).value_or(-1), 0) << contents(log_);
    daemon_.reset();
  }

  // The one index that is kept.
  std::string kept() const {
    std::string found;
    for (const auto& each : std::filesystem::directory_iterator(cache_))
      if (each.path().extension() == ".skimx") found = each.path();
    return found;
  }
  void expect_all_there() const {
    std::uint64_t files = 0;
    for (const auto& each : std::filesystem::recursive_directory_iterator(dir_))
      files += each.is_regular_file() && each.file_size() == 5000;
    EXPECT_EQ(files, static_cast<std::uint64_t>(kFiles));
    EXPECT_TRUE(
        origin_.body("/folder-0/file-0").matches(0, 5000, contents(dir_ + "/folder-0/file-0")));
  }

  HostileOrigin origin_;
  const Scratch scratch_;
  std::string manifest_;
  const std::string dir_ = scratch_ / "mnt", cache_ = scratch_ / "cache", log_ = scratch_ / "log";
  std::unique_ptr<Process> daemon_;
};

TEST_F(CompiledMount, TheNextMountUsesWhatTheFirstOneMade) {
  start(manifest_);
  expect_all_there();
  stop();
  const std::string index = kept();
  ASSERT_NE(index, "");
  const auto made = std::filesystem::last_write_time(index);
  start(manifest_);
  expect_all_there();
  stop();
  EXPECT_EQ(kept(), index);
  EXPECT_EQ(std::filesystem::last_write_time(index), made);
}

TEST_F(CompiledMount, AnIndexIsASourceToo) {
  const std::string index = scratch_ / "m.skimx";
  const Outcome built = run({skimfs(), "manifest", "build", manifest_, index});
  ASSERT_TRUE(built.ok()) << built.all();
  start(index);
  expect_all_there();
}

// S-NAME-7
TEST_F(CompiledMount, DamageIsAnErrorAndTheNextMountIsWhole) {
  start(manifest_);
  const std::string index = kept();
  ASSERT_NE(index, "");
  std::fstream(index, std::ios::in | std::ios::out | std::ios::binary).seekp(100'000) << "damage";
  struct stat file {};
  EXPECT_EQ(stat((dir_ + "/folder-7/file-7000").c_str(), &file), -1);
  EXPECT_EQ(errno, EIO);
  const auto told = [this] { return contents(log_).find("ev=index") != std::string::npos; };
  for (int tries = 0; !told() && tries < 300; ++tries) usleep(100'000);
  EXPECT_TRUE(told()) << contents(log_);
  EXPECT_NE(access(index.c_str(), F_OK), 0);
  stop();
  EXPECT_EQ(kept(), "");
  start(manifest_);
  expect_all_there();
}

}  // namespace
}  // namespace skimfs::test
