// SPDX-License-Identifier: MIT
//
// A whole mount, from its start to its end, with content that needs no network.
//
// What programs see of remote files is in tests/mount.
#include "fs/shell/mount.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "fs/control.h"
#include "fs/log.h"
#include "fs/mount_table.h"
#include "fs/shell/daemonise.h"
#include "fs/shell/kernel_mount.h"
#include "fs/shell/steward.h"
#include "tests/mount/sandbox.h"

namespace skimfs::fs::shell {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;
namespace stdfs = std::filesystem;

constexpr const char* kManifest =
    "#skimfs 1\n"
    "/hello.txt\t5\t2024-02-03T04:05:06Z\t-\t-\t!data=base64:aGVsbG8=\n"
    "/deep/er/empty\t0\t-\t-\t-\t!data=base64:\n"
    "/link\t-\t-\t-\t-\t!link=deep/er\n"
    "/run.sh\t5\t-\t-\t-\tmode=0555\t!data=base64:aGVsbG8=\n"
    "@end 4\n";

std::string read_file(const stdfs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool is_mounted(const std::string& directory) {
  const auto row = topmost_at(read_mount_table(), directory);
  return row && row->type == kMountType;
}

class MountTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = test::cannot_mount(); !why.empty())
      GTEST_SKIP() << "no FUSE mount possible: " << why;
    ASSERT_NE(mkdtemp(place_.data()), nullptr);
    stdfs::create_directory(directory());
    options_.source = beside("set.skimfs");
    std::ofstream(options_.source) << kManifest;
    options_.mountpoint = directory();
    options_.log_level = log::Level::error;
  }

  void TearDown() override {
    if (place_.ends_with("XXXXXX")) return;
    while (umount2(directory().c_str(), MNT_DETACH) == 0) {
    }
    while (waitpid(-1, nullptr, 0) > 0) {  // every daemon ends with its mount
    }
    if (own_device_) umount2("/dev/fuse", MNT_DETACH);
    stdfs::remove_all(place_);
  }

  std::string beside(const std::string& name) const { return place_ + "/" + name; }
  std::string directory() const { return beside("m"); }
  // `user` may use the place and /dev/fuse: a node of its own, seen in this sandbox alone.
  void give_to(uid_t user) {
    const std::string node = beside("fuse");
    ASSERT_EQ(mknod(node.c_str(), S_IFCHR, makedev(10, 229)), 0);
    ASSERT_EQ(chmod(node.c_str(), 0666), 0);
    ASSERT_EQ(::mount(node.c_str(), "/dev/fuse", nullptr, MS_BIND, nullptr), 0);
    own_device_ = true;
    for (const std::string& path : {place_, directory()})
      ASSERT_EQ(chown(path.c_str(), user, user), 0);
  }
  stdfs::path file(const std::string& name) const { return stdfs::path(directory()) / name; }

  // As `user`, who must be able to reach the manifest and own the directory.
  Outcome mount(uid_t user = 0) const {
    return run_in_background(30s, [this, user](const auto& ready) -> Outcome {
      if (setgid(user) != 0 || setuid(user) != 0) return {kSystemError, "setuid"};
      try {
        serve(options_, ready);
        return {};
      } catch (const MountError& error) {
        return {error.code, error.what()};
      } catch (const std::exception& error) {
        return {kMountFailed, error.what()};
      }
    });
  }

  // The daemon, as it tells of itself.
  pid_t daemon() const {
    return nlohmann::json::parse(control::ask(directory(), "status --json"))["pid"].get<pid_t>();
  }

  // Its exit code; it is a child of this process.
  static int wait_for(pid_t pid) {
    int status = 0;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  Options options_;

 private:
  bool own_device_ = false;
  std::string place_ = stdfs::temp_directory_path() / "skimfs-mount-XXXXXX";
};

TEST_F(MountTest, WhatTheManifestNamesCanBeReadAndThenUnmounted) {
  ASSERT_EQ(mount().text, "");
  EXPECT_EQ(read_file(file("hello.txt")), "hello");
  EXPECT_EQ(stdfs::file_size(file("deep/er/empty")), 0u);
  EXPECT_EQ(stdfs::read_symlink(file("link")), "deep/er");
  const pid_t pid = daemon();
  EXPECT_EQ(umount2(directory().c_str(), 0), 0);
  EXPECT_EQ(wait_for(pid), 0);
}

TEST_F(MountTest, AUserMountsThroughFusermount3AndItUnmountsAtTheEnd) {
  constexpr uid_t kNobody = 65534;
  struct stat helper;
  if (stat("/usr/bin/fusermount3", &helper) != 0 || (helper.st_mode & S_ISUID) == 0)
    GTEST_SKIP() << "needs a setuid fusermount3";
  give_to(kNobody);
  options_.kernel_options = "noexec";
  ASSERT_EQ(mount(kNobody).text, "");
  const auto row = topmost_at(read_mount_table(), directory());
  ASSERT_TRUE(row);
  EXPECT_EQ(row->type, "fuse.skimfs");
  EXPECT_EQ(row->source, options_.source);
  EXPECT_EQ(row->user, kNobody);
  const pid_t pid = daemon();  // root asks a user's mount
  kill(pid, SIGTERM);
  EXPECT_EQ(wait_for(pid), 0);
  EXPECT_FALSE(is_mounted(directory()));
}

TEST_F(MountTest, AUserWhoMayNotAllowOthersIsToldWhatIsMissing) {
  constexpr uid_t kNobody = 65534;
  if (read_file("/etc/fuse.conf").find("\nuser_allow_other") != std::string::npos)
    GTEST_SKIP() << "/etc/fuse.conf has user_allow_other";
  give_to(kNobody);
  options_.allow_other = true;
  const Outcome outcome = mount(kNobody);
  EXPECT_EQ(outcome.code, kUsageOrPermission);
  EXPECT_THAT(outcome.text, HasSubstr("\"user_allow_other\" in /etc/fuse.conf"));
}

TEST_F(MountTest, AUserWhoMayNotOpenTheDeviceIsToldSo) {
  struct stat device;
  if (stat("/dev/fuse", &device) != 0 || (device.st_mode & 0006) != 0)
    GTEST_SKIP() << "/dev/fuse is open to everybody";
  ASSERT_EQ(chmod(stdfs::path(options_.source).parent_path().c_str(), 0755), 0);
  const Outcome outcome = mount(65534);
  EXPECT_EQ(outcome.code, kUsageOrPermission);
  EXPECT_THAT(outcome.text, HasSubstr("/dev/fuse is not open to this user"));
}

TEST_F(MountTest, ADirectoryListsItsNamesInManifestOrderAndTheirInodesAscend) {
  ASSERT_EQ(mount().text, "");
  std::vector<std::string> names;
  for (const auto& entry : stdfs::directory_iterator(directory()))
    names.push_back(entry.path().filename());
  EXPECT_THAT(names, ::testing::ElementsAre("hello.txt", "deep", "link", "run.sh"));
  // Read again: this time from the kernel's cache of the directory.
  std::size_t again = 0;
  for ([[maybe_unused]] const auto& entry : stdfs::directory_iterator(directory())) ++again;
  EXPECT_EQ(again, names.size());
}

TEST_F(MountTest, EveryChangeIsRefusedAsOnAReadOnlyFileSystem) {
  ASSERT_EQ(mount().text, "");
  EXPECT_EQ(open(file("hello.txt").c_str(), O_WRONLY | O_CLOEXEC), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(open(file("new").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(unlink(file("hello.txt").c_str()), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(mkdir(file("d").c_str(), 0700), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(chmod(file("hello.txt").c_str(), 0600), -1);
  EXPECT_EQ(errno, EROFS);
}

TEST_F(MountTest, AMissingNameIsMissingAndSaidSoTwice) {
  ASSERT_EQ(mount().text, "");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(access(file("missing").c_str(), F_OK), -1);
    EXPECT_EQ(errno, ENOENT);
  }
}

TEST_F(MountTest, ANameLongerThanAnyMayBeIsToldApartFromAMissingOne) {
  ASSERT_EQ(mount().text, "");
  EXPECT_EQ(access(file(std::string(255, 'n')).c_str(), F_OK), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(access(file(std::string(256, 'n')).c_str(), F_OK), -1);
  EXPECT_EQ(errno, ENAMETOOLONG);
}

TEST_F(MountTest, TheFileSystemShowsItsSourceItsTypeAndNoFreeSpace) {
  ASSERT_EQ(mount().text, "");
  const auto row = topmost_at(read_mount_table(), directory());
  ASSERT_TRUE(row);
  EXPECT_EQ(row->type, "fuse.skimfs");
  EXPECT_EQ(row->source, options_.source);
  struct statvfs space;
  ASSERT_EQ(statvfs(directory().c_str(), &space), 0);
  EXPECT_EQ(space.f_bavail, 0u);
  EXPECT_EQ(space.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV),
            unsigned{ST_RDONLY | ST_NOSUID | ST_NODEV});
}

TEST_F(MountTest, TheKernelReadsAheadAsFarAsAsked) {
  options_.read_ahead_kb = 768;
  ASSERT_EQ(mount().text, "");
  const auto row = topmost_at(read_mount_table(), directory());
  EXPECT_EQ(read_file("/sys/class/bdi/" + row->device + "/read_ahead_kb"), "768\n");
}

TEST_F(MountTest, SigtermUnmountsEvenWhileAFileIsOpen) {
  ASSERT_EQ(mount().text, "");
  const pid_t pid = daemon();
  const int held = open(file("hello.txt").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(held, 0);
  kill(pid, SIGTERM);
  EXPECT_EQ(wait_for(pid), 0);
  EXPECT_FALSE(is_mounted(directory()));
  close(held);
}

TEST_F(MountTest, AnAbortedConnectionLeavesNoDeadMountBehind) {
  ASSERT_EQ(mount().text, "");
  const pid_t pid = daemon();
  const std::string number = topmost_at(read_mount_table(), directory())->device;
  const std::string connections = beside("connections");
  stdfs::create_directory(connections);
  if (::mount("none", connections.c_str(), "fusectl", 0, nullptr) != 0)
    GTEST_SKIP() << "needs the fusectl file system";
  std::ofstream(connections + "/" + number.substr(2) + "/abort") << 1 << std::flush;
  umount2(connections.c_str(), MNT_DETACH);
  EXPECT_EQ(wait_for(pid), 0);
  EXPECT_FALSE(is_mounted(directory()));
}

TEST_F(MountTest, SigtermUnmountsWhereADirectoryAboveWasRenamed) {
  const std::string before = beside("before"), after = beside("after");
  options_.mountpoint = before + "/m";
  stdfs::create_directories(options_.mountpoint);
  ASSERT_EQ(mount().text, "");
  const pid_t pid =
      nlohmann::json::parse(control::ask(options_.mountpoint, "status --json"))["pid"];
  stdfs::rename(before, after);
  stdfs::create_directories(options_.mountpoint);
  ASSERT_EQ(::mount("tmpfs", options_.mountpoint.c_str(), "tmpfs", 0, nullptr), 0);
  kill(pid, SIGTERM);
  EXPECT_EQ(wait_for(pid), 0);
  EXPECT_FALSE(is_mounted(after + "/m"));
  EXPECT_EQ(umount2(options_.mountpoint.c_str(), MNT_DETACH), 0) << "it was another's";
  umount2((after + "/m").c_str(), MNT_DETACH);
}

TEST_F(MountTest, AMountThatCoversOursStays) {
  ASSERT_EQ(mount().text, "");
  const pid_t pid = daemon();
  ASSERT_EQ(::mount("tmpfs", directory().c_str(), "tmpfs", 0, nullptr), 0);
  kill(pid, SIGTERM);
  EXPECT_EQ(wait_for(pid), 0);
  EXPECT_EQ(topmost_at(read_mount_table(), directory())->type, "tmpfs");
}

// The table may name ours last.
TEST_F(MountTest, AMountThatWasMovedOverOursStays) {
  const std::string other = beside("other");
  stdfs::create_directories(other);
  ASSERT_EQ(::mount("tmpfs", other.c_str(), "tmpfs", 0, nullptr), 0);
  ASSERT_EQ(mount().text, "");
  const pid_t pid = daemon();
  ASSERT_EQ(::mount(other.c_str(), directory().c_str(), nullptr, MS_MOVE, nullptr), 0);
  kill(pid, SIGTERM);
  EXPECT_EQ(wait_for(pid), 0);
  EXPECT_TRUE(stdfs::is_empty(directory())) << "the tmpfs";
  EXPECT_EQ(umount2(directory().c_str(), MNT_DETACH), 0);
  umount2(directory().c_str(), MNT_DETACH);
}

TEST_F(MountTest, SigtermUnmountsWhatIsBoundOverItself) {
  const std::string above = beside("above");
  options_.mountpoint = above + "/m";
  stdfs::create_directories(options_.mountpoint);
  ASSERT_EQ(mount().text, "");
  const pid_t pid =
      nlohmann::json::parse(control::ask(options_.mountpoint, "status --json"))["pid"];
  ASSERT_EQ(::mount(above.c_str(), above.c_str(), nullptr, MS_BIND | MS_REC, nullptr), 0);
  kill(pid, SIGTERM);
  EXPECT_EQ(wait_for(pid), 0);
  EXPECT_TRUE(stdfs::is_empty(options_.mountpoint)) << "and not dead";
  umount2(above.c_str(), MNT_DETACH);
  umount2(options_.mountpoint.c_str(), MNT_DETACH);
}

TEST_F(MountTest, SigtermUnmountsAMountThatIsBoundOverItself) {
  ASSERT_EQ(mount().text, "");
  const pid_t pid = daemon();
  const char* const at = options_.mountpoint.c_str();
  ASSERT_EQ(::mount(at, at, nullptr, MS_BIND, nullptr), 0);
  kill(pid, SIGTERM);
  EXPECT_EQ(wait_for(pid), 0);
  EXPECT_FALSE(topmost_at(read_mount_table(), directory()));
}

// A user may own a directory above, where root unmounts.
TEST_F(MountTest, ALinkInPlaceOfADirectoryAboveLeadsToNoOthersMount) {
  const std::string above = beside("above"), others = beside("others");
  const std::string ours = above + "/d/m";
  stdfs::create_directories(ours);
  stdfs::create_directories(others + "/m");
  Steward steward(ours);
  ASSERT_EQ(::mount("tmpfs", ours.c_str(), "tmpfs", 0, nullptr), 0);
  ASSERT_EQ(::mount("tmpfs", (others + "/m").c_str(), "tmpfs", 0, nullptr), 0);
  EXPECT_EQ(steward.mounted(), 0);
  ASSERT_EQ(::mount("tmpfs", above.c_str(), "tmpfs", 0, nullptr), 0);
  stdfs::create_directory_symlink(others, above + "/d");
  EXPECT_NE(steward.unmount(false, false), 0) << "it cannot be reached";
  EXPECT_TRUE(topmost_at(read_mount_table(), others + "/m")) << "another's";
  umount2(above.c_str(), MNT_DETACH);
  EXPECT_EQ(steward.unmount(false, false), 0);
  EXPECT_FALSE(topmost_at(read_mount_table(), ours));
  umount2((others + "/m").c_str(), MNT_DETACH);
}

TEST_F(MountTest, ADirectoryWithALivingMountIsRefused) {
  ASSERT_EQ(mount().code, 0);
  const Outcome second = mount();
  EXPECT_EQ(second.code, kMountFailed);
  EXPECT_THAT(second.text,
              HasSubstr("another skimfs is there already (pid " + std::to_string(daemon()) + ")"));
  EXPECT_EQ(read_file(file("hello.txt")), "hello");
}

TEST_F(MountTest, ADeadMountMakesRoomForANewOne) {
  ASSERT_EQ(mount().code, 0);
  const pid_t pid = daemon();
  kill(pid, SIGKILL);
  wait_for(pid);
  ASSERT_TRUE(is_mounted(directory()));
  EXPECT_EQ(mount().text, "");
  EXPECT_EQ(read_file(file("hello.txt")), "hello");
}

TEST_F(MountTest, ADeadMountStaysWhereThatIsWanted) {
  ASSERT_EQ(mount().code, 0);
  const pid_t pid = daemon();
  kill(pid, SIGKILL);
  wait_for(pid);
  options_.replace_stale = false;
  EXPECT_THAT(mount().text, HasSubstr("a dead mount is in the way"));
}

#ifndef __SANITIZE_ADDRESS__  // sanitizers need descriptors of their own for their checks
// The last descriptor goes to the device, so that the list of mounts cannot be read afterwards.
TEST_F(MountTest, AStartThatFailsJustAfterMountingLeavesNothingMounted) {
  const pid_t pid = fork();
  if (pid == 0) {
    Steward steward(directory());
    const int lowest = dup(STDIN_FILENO);
    close(lowest);
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = static_cast<rlim_t>(lowest) + 1;  // one more
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) _exit(2);
    try {
      const KernelMount mount({directory(), options_.source, "", false, true}, steward);
      _exit(1);
    } catch (const std::system_error& error) {
      _exit(error.code().value() == EMFILE ? 0 : 3);
    }
  }
  EXPECT_EQ(wait_for(pid), 0);
  EXPECT_FALSE(is_mounted(directory()));
}
#endif

TEST_F(MountTest, AMountpointThatIsMissingOrNoDirectoryIsSaidSo) {
  options_.mountpoint = directory() + "/none";
  Outcome outcome = mount();
  EXPECT_EQ(outcome.code, kMountFailed);
  EXPECT_EQ(outcome.text,
            options_.mountpoint + ": not mounted; there is no such directory: create it first");
  options_.mountpoint = options_.source;
  EXPECT_THAT(mount().text, HasSubstr("it is not a directory"));
}

TEST_F(MountTest, ABrokenManifestMountsNothing) {
  std::ofstream(options_.source) << "#skimfs 1\n/a/../b\t1\t-\t-\t-\n";
  const Outcome outcome = mount();
  EXPECT_EQ(outcome.code, kMountFailed);
  EXPECT_THAT(outcome.text, HasSubstr("set.skimfs:2:"));
  EXPECT_FALSE(is_mounted(directory()));
}

// A server that takes connections, by its backlog, and never says a word.
class SilentServer {
 public:
  SilentServer() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(fd_, 16), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/x";
  }
  ~SilentServer() { close(fd_); }
  const std::string& url() const { return url_; }

 private:
  const int fd_;
  std::string url_;
};

TEST_F(MountTest, ALookupThatWaitsForAServerHoldsUpNoOtherInItsDirectory) {
  const SilentServer server;
  std::ofstream(options_.source) << "#skimfs 1\n/waits\t-\t-\t-\t" << server.url()
                                 << "\n/known\t5\t-\t-\t" << server.url() << "\n@end 2\n";
  ASSERT_EQ(mount().text, "");
  const pid_t reader = fork();
  if (reader == 0) _exit(access(file("waits").c_str(), F_OK));
  const auto waiting = [this] {
    return nlohmann::json::parse(control::ask(directory(), "status --json"))["parked"]["requests"];
  };
  while (waiting() != 1) sched_yield();
  EXPECT_EQ(stdfs::file_size(file("known")), 5u);
  EXPECT_EQ(waiting(), 1);
  kill(reader, SIGKILL);
}

TEST_F(MountTest, TheStatusTellsOfTheMount) {
  ASSERT_EQ(mount().text, "");
  read_file(file("hello.txt"));
  const auto status = nlohmann::json::parse(control::ask(directory(), "status --json"));
  EXPECT_EQ(status["mountpoint"], control::mount_name(directory()));
  EXPECT_EQ(status["manifest"]["files"], 3);
  EXPECT_EQ(status["memory"]["limit"], options_.memory);
  EXPECT_EQ(status["parked"]["requests"], 0);
  EXPECT_THAT(control::ask(directory(), "status"), HasSubstr("budget"));
}

TEST_F(MountTest, AfterTheEndThereIsNoSocketLeft) {
  ASSERT_EQ(mount().text, "");
  const pid_t pid = daemon();
  kill(pid, SIGINT);
  wait_for(pid);
  EXPECT_THROW(control::ask(directory(), "status"), control::NotServed);
}

}  // namespace
}  // namespace skimfs::fs::shell
