// SPDX-License-Identifier: MIT
//
// What a mounted process may still do, seen from outside.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "fs/control.h"
#include "tests/mount/fixture.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

class Rights : public MountTest {
 protected:
  Rights() { origin_.add("/f", 100'000); }
  Manifest manifest() const { return Manifest(origin_.base()).file("/f", 100'000); }

  // The words after `field` in the status of each thread, one value for each that differs.
  static std::string of_threads(pid_t pid, const std::string& field) {
    std::string all;
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
      std::ifstream status(task.path() / "status");
      for (std::string line; std::getline(status, line);) {
        if (!line.starts_with(field + ":")) continue;
        const auto begin = line.find_first_not_of(" \t", field.size() + 1);
        const std::string value = begin == line.npos ? "" : line.substr(begin);
        if (all.find(value) == std::string::npos) all += (all.empty() ? "" : " ") + value;
      }
    }
    return all;
  }

  HostileOrigin origin_;
};

// S-SEC-5
TEST_F(Rights, NoThreadHasCapabilitiesOrMayGetThem) {
  Mount mount(manifest());
  EXPECT_TRUE(origin_.body("/f").matches(0, 100'000, mount.text("f")));
  const pid_t pid = mount.daemon().pid();
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    EXPECT_EQ(of_threads(pid, set), "0000000000000000") << set;
  EXPECT_EQ(of_threads(pid, "NoNewPrivs"), "1");
  EXPECT_EQ(of_threads(pid, "Seccomp"), "2");
}

TEST_F(Rights, AreKeptWhereTheSandboxIsOff) {
  Mount mount(manifest(), "sandbox=off");
  EXPECT_EQ(of_threads(mount.daemon().pid(), "Seccomp"), "0");
  EXPECT_NE(of_threads(mount.daemon().pid(), "CapEff"), "0000000000000000");
}

// A crash must not look like an empty directory: a mirror of it would delete everything.
TEST_F(Rights, AKilledDaemonLeavesADeadMountAndNobody) {
  Scratch scratch;
  const std::string list = scratch.write("m.skimfs", manifest().text());
  const std::string dir = scratch / "mnt";
  std::filesystem::create_directory(dir);
  Process daemon({skimfs(), list, dir, "-f"}, scratch / "log");
  ASSERT_TRUE(await_mounted(dir, true, 20s)) << contents(scratch / "log");
  daemon.signal(SIGKILL);
  EXPECT_EQ(daemon.wait(kAtOnce), -SIGKILL);
  struct stat found {};
  EXPECT_NE(::stat(dir.c_str(), &found), 0);
  EXPECT_EQ(errno, ENOTCONN);
  const auto processes = [&] { return run({"pgrep", "-fc", "--", list}).out; };
  for (int tries = 0; tries < 500 && processes() != "0\n"; ++tries) ::usleep(10'000);
  EXPECT_EQ(processes(), "0\n") << "its steward goes too";
  EXPECT_TRUE(run({"umount", dir}).ok());
}

// S-SEC-6
TEST_F(Rights, OfRootsMountAreThoseOfTheUserItNames) {
  Mount mount(manifest(), "setuid=nobody,read_ahead_kb=768");
  EXPECT_TRUE(origin_.body("/f").matches(0, 100'000, mount.text("f")));
  const pid_t pid = mount.daemon().pid();
  EXPECT_EQ(of_threads(pid, "Uid"), "65534\t65534\t65534\t65534");
  EXPECT_EQ(of_threads(pid, "Gid"), "65534\t65534\t65534\t65534");
  EXPECT_EQ(of_threads(pid, "Groups"), "");
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    EXPECT_EQ(of_threads(pid, set), "0000000000000000") << set;
  EXPECT_EQ(of_threads(pid, "NoNewPrivs"), "1");
  EXPECT_EQ(of_threads(pid, "Seccomp"), "2");

  struct stat file {};
  ASSERT_EQ(::stat((mount / "f").c_str(), &file), 0);
  EXPECT_EQ(file.st_uid, 0u) << "still shown as the mounting user's";
  const std::string row = mount_row(mount.dir());
  const std::string number = row.substr(0, row.find(' '));
  EXPECT_EQ(contents("/sys/class/bdi/" + number + "/read_ahead_kb"), "768\n");
  EXPECT_NE(mount.status().find("\"pid\":" + std::to_string(pid)), std::string::npos);
  mount.daemon().signal(SIGUSR1);
  EXPECT_TRUE(mount.await_log("ev=status", 5s)) << mount.log();
}

// S-SEC-6
TEST_F(Rights, OfAUserAreEnoughToUnmountAndToLeaveNothing) {
  std::string dir, socket;
  {
    Mount mount(manifest(), "setuid=nobody:daemon");
    dir = mount.dir();
    socket = fs::control::socket_directories(0).front() + "/" + fs::control::socket_name(dir);
    EXPECT_TRUE(std::filesystem::exists(socket));
    EXPECT_EQ(of_threads(mount.daemon().pid(), "Gid"), "1\t1\t1\t1");
    mount.text("f");
    mount.stop();  // by SIGTERM
    EXPECT_EQ(mount_row(dir), "");
    EXPECT_EQ(mount.log().find("ev=unmount_failed"), std::string::npos) << mount.log();
  }
  EXPECT_FALSE(std::filesystem::exists(socket));
}

TEST_F(Rights, OfAUserEndWithUmountAndMakeRoomWhenKilled) {
  Scratch scratch;
  const std::string list = scratch.write("m.skimfs", manifest().text()), dir = scratch / "mnt";
  std::filesystem::create_directory(dir);
  const Command start{skimfs(), list, dir, "-o", "setuid=nobody"};
  for (int round = 0; round < 2; ++round) {
    const Outcome outcome = run(start);
    ASSERT_TRUE(outcome.ok()) << outcome.all();
    EXPECT_TRUE(origin_.body("/f").matches(0, 100'000, contents(dir + "/f")));
    const auto pid = fs::control::serving_process(dir);
    ASSERT_TRUE(pid);
    if (round == 0) {
      ::kill(*pid, SIGKILL);
      EXPECT_EQ(wait_for(*pid, 5s), -SIGKILL);
    } else {
      EXPECT_TRUE(run({"umount", dir}).ok());
      EXPECT_EQ(wait_for(*pid, 5s), 0);
    }
  }
  EXPECT_EQ(mount_row(dir), "");
}

// The user may not even look into the folder of the mount.
TEST_F(Rights, OfAUserAreEnoughForAConnectionThatWasAborted) {
  Scratch scratch;
  const std::string list = scratch.write("m.skimfs", manifest().text()), dir = scratch / "mnt";
  std::filesystem::create_directory(dir);
  Process daemon({skimfs(), list, dir, "-f", "-o", "setuid=nobody"}, scratch / "log");
  ASSERT_TRUE(await_mounted(dir, true, 20s)) << contents(scratch / "log");
  struct stat found {};
  ASSERT_EQ(::stat(dir.c_str(), &found), 0);
  const std::string row = mount_row(dir);
  const std::string number = row.substr(row.find(':') + 1, row.find(' ') - row.find(':') - 1);
  const std::string abort = "/sys/fs/fuse/connections/" + number + "/abort";
  if (!std::filesystem::exists(abort)) GTEST_SKIP() << "needs the fusectl file system";
  std::ofstream(abort) << 1 << std::flush;
  EXPECT_EQ(daemon.wait(20s), 0) << contents(scratch / "log");
  EXPECT_EQ(mount_row(dir), "");
}

TEST_F(Rights, OfAUserThatCannotBeHadMountNothing) {
  Scratch scratch;
  const std::string list = scratch.write("m.skimfs", manifest().text()), dir = scratch / "mnt";
  std::filesystem::create_directory(dir);
  const auto refused = [&](const Command& under, const std::string& options,
                           const std::string& says) {
    Command command = under;
    command.insert(command.end(), {skimfs(), list, dir, "-o", options});
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.ending, 1) << outcome.all();
    EXPECT_NE(outcome.err.find(says), std::string::npos) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_EQ(mount_row(dir), "");
  };
  refused({}, "setuid=nosuchuser", "setuid=nosuchuser");
  refused({}, "setuid=nobody:nosuchgroup", "neither a number nor a group");
  const std::string secret = scratch.write("ca.pem", "");
  refused({}, "setuid=nobody,cacert=" + secret, "the user of setuid= cannot read it");
}

// What can never be read again is said when it is mounted, in the folder of another user's here.
class PrivateFolder : public Rights {
 protected:
  PrivateFolder() {
    std::filesystem::create_directory(scratch_ / "mnt");
    manifest_ = scratch_.write("m.skimfs", manifest().text());
    secret("auth.conf", "[p]\nmatch = " + origin_.base() + "/\nheader = X-Word: one\n");
    secret("ca.pem", "");
    secret("m.skimfs", manifest().text());
    EXPECT_EQ(::chmod((scratch_ / "private").c_str(), 0700), 0);
    EXPECT_EQ(::chown((scratch_ / "private").c_str(), 65534, 65534), 0);
  }
  void secret(const std::string& name, const std::string& text) {
    EXPECT_EQ(::chmod(scratch_.write("private/" + name, text).c_str(), 0600), 0);
  }
  Outcome mount(const std::string& source, const std::string& options) {
    const Outcome outcome = run({skimfs(), source, scratch_ / "mnt", "-o", options});
    if (outcome.ok()) {
      EXPECT_TRUE(run({skimfs(), "umount", scratch_ / "mnt"}).ok());
    }
    EXPECT_EQ(mount_row(scratch_ / "mnt"), "");
    return outcome;
  }

  Scratch scratch_;
  std::string manifest_;
};

// S-SEC-3
TEST_F(PrivateFolder, SecretsThatCouldNotBeReadAgainRefuseTheMount) {
  for (const std::string& option : {"auth_file=" + (scratch_ / "private/auth.conf"),
                                    "cacert=" + (scratch_ / "private/ca.pem")}) {
    const Outcome refused = mount(manifest_, option);
    EXPECT_EQ(refused.ending, 1) << refused.all();
    EXPECT_NE(refused.err.find("root cannot read it again"), std::string::npos) << refused.err;
    EXPECT_NE(refused.err.find("sandbox=off"), std::string::npos) << refused.err;
    EXPECT_EQ(std::count(refused.err.begin(), refused.err.end(), '\n'), 1) << refused.err;
    const Outcome mounted = mount(manifest_, option + ",sandbox=off");
    EXPECT_TRUE(mounted.ok()) << mounted.all();
    EXPECT_EQ(mounted.err, "");
  }
}

// The mount hides it: nobody may look for it there before the mount answers.
TEST_F(PrivateFolder, AManifestInTheDirectoryThatIsMountedOver) {
  const std::string source = scratch_.write("mnt/m.skimfs", manifest().text());
  const Outcome mounted = mount(source, "start_timeout=20s");
  EXPECT_TRUE(mounted.ok()) << mounted.all();
  EXPECT_EQ(mounted.err, "");
}

// S-SEC-3: also where only the file itself forbids it, not its folder.
TEST_F(PrivateFolder, SecretsThatAnotherUserCannotReadAgainAreWarnedOf) {
  const std::string auth =
      scratch_.write("auth.conf", "[p]\nmatch = " + origin_.base() + "/\nheader = X-Word: one\n");
  ASSERT_EQ(::chmod(auth.c_str(), 0600), 0);
  const Outcome mounted = mount(manifest_, "setuid=nobody,auth_file=" + auth);
  EXPECT_TRUE(mounted.ok()) << mounted.all();
  EXPECT_NE(mounted.err.find("act=keep-old-credentials"), std::string::npos) << mounted.err;
}

TEST_F(PrivateFolder, AManifestThatCouldNotBeReadAgainIsWarnedOf) {
  const Outcome warned = mount(scratch_ / "private/m.skimfs", "timeout=5");
  EXPECT_TRUE(warned.ok()) << warned.all();
  EXPECT_NE(warned.err.find("ev=no_reload"), std::string::npos) << warned.err;
  EXPECT_EQ(mount(scratch_ / "private/m.skimfs", "sandbox=off").err, "");
  EXPECT_EQ(mount(manifest_, "timeout=5").err, "");
}

// Root without its capabilities cannot enter another's private folder either.
TEST_F(Rights, TheTimeOfAManifestIsThatOfItsFileWhereverItIs) {
  Scratch scratch;
  const std::string list = scratch.write("private/m.skimfs", manifest().text());
  const std::string folder = scratch / "private", dir = scratch / "mnt";
  std::filesystem::create_directory(dir);
  ASSERT_EQ(::chmod(folder.c_str(), 0700), 0);
  ASSERT_EQ(::chown(folder.c_str(), 65534, 65534), 0);
  ASSERT_TRUE(run({skimfs(), list, dir}).ok());
  struct stat written {
  }, shown{};
  ASSERT_EQ(::stat(list.c_str(), &written), 0);
  ASSERT_EQ(::stat((dir + "/f").c_str(), &shown), 0);
  EXPECT_EQ(shown.st_mtim.tv_sec, written.st_mtim.tv_sec);
  EXPECT_TRUE(run({skimfs(), "umount", dir}).ok());
}

}  // namespace
}  // namespace skimfs::test
