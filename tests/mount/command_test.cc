// SPDX-License-Identifier: MIT
//
// The command as people and scripts use it: starting, refusing, telling, ending.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "fs/control.h"
#include "tests/mount/fixture.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

class Mounting : public MountTest {
 protected:
  Mounting() {
    origin_.add("/f", 100000);
    manifest_ = scratch_.write("m.skimfs", Manifest(origin_.base()).file("/f", 100000).text());
    dir_ = scratch_ / "mnt";
    std::filesystem::create_directory(dir_);
  }
  ~Mounting() override {
    if (!mount_row(dir_).empty()) run({"umount", "-l", dir_});
  }

  Outcome mount(Command more = {}) {
    Command command{skimfs(), manifest_, dir_};
    command.insert(command.end(), more.begin(), more.end());
    return run(command);
  }
  pid_t daemon_pid() {
    const Outcome outcome = status_of(dir_);
    EXPECT_TRUE(outcome.ok()) << outcome.all();
    return outcome.ok() ? Json::parse(outcome.out).at("pid").get<pid_t>() : 0;
  }

  HostileOrigin origin_;
  Scratch scratch_;
  std::string manifest_, dir_;
};

TEST_F(Mounting, ExitZeroMeansMountedAndAnswering) {
  const Outcome outcome = mount();
  ASSERT_TRUE(outcome.ok()) << outcome.all();
  EXPECT_NE(mount_row(dir_), "");
  EXPECT_TRUE(origin_.body("/f").matches(0, 100000, contents(dir_ + "/f")));
  EXPECT_EQ(outcome.err, "");
}

// Ctrl-C while the manifest is read: from a FIFO that nobody writes to the end of.
TEST_F(Mounting, AnInterruptedStartMountsNothingAndLeavesNobody) {
  const std::string fifo = scratch_ / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const int writer = ::open(fifo.c_str(), O_RDWR | O_CLOEXEC);  // no end of file either
  Process start({skimfs(), fifo, dir_}, scratch_ / "log");
  const auto processes = [&] { return run({"pgrep", "-fc", "--", fifo}).out; };
  const auto await = [&](const std::string& count) {
    for (int tries = 0; tries < 500 && processes() != count; ++tries) ::usleep(10000);
    return processes() == count;
  };
  EXPECT_TRUE(await("3\n")) << "itself, the mount to be and its steward";
  start.signal(SIGINT);
  EXPECT_EQ(start.wait(kAtOnce), 8);
  EXPECT_EQ(contents(scratch_ / "log"), "skimfs: not mounted: interrupted\n");
  EXPECT_TRUE(await("0\n"));
  EXPECT_EQ(mount_row(dir_), "");
  ::close(writer);
}

TEST_F(Mounting, TheDaemonLetsGoOfWhatItWasStartedWith) {
  ASSERT_TRUE(mount().ok());
  const std::string proc = "/proc/" + std::to_string(daemon_pid());
  EXPECT_EQ(std::filesystem::read_symlink(proc + "/cwd"), "/");
  for (const char* stream : {"0", "1", "2"}) {
    EXPECT_EQ(std::filesystem::read_symlink(proc + "/fd/" + stream), "/dev/null");
  }
}

TEST_F(Mounting, TheDaemonAndItsStewardLeaveTheSessionTheyWereStartedIn) {
  ASSERT_TRUE(mount().ok());
  const pid_t daemon = daemon_pid();
  ASSERT_GT(daemon, 0);
  EXPECT_EQ(::getsid(daemon), daemon);
  const Outcome steward = run({"pgrep", "-P", std::to_string(daemon), "skimfs-steward"});
  ASSERT_TRUE(steward.ok()) << steward.all();
  const pid_t pid = std::stoi(steward.out);
  EXPECT_EQ(::getsid(pid), pid);
}

// As some supervisors and editors start programs: the next files opened got the numbers 0 to 2.
TEST_F(Mounting, WithoutStandardStreamsItStartsAndUnmountsAsEver) {
  for (const char* closed : {"0<&-", "1>&-", "2>&-", "0<&- 1>&-", "0<&- 1>&- 2>&-"}) {
    const Outcome start = run(
        {"timeout", "20", "bash", "-c", skimfs() + " " + manifest_ + " " + dir_ + " " + closed});
    ASSERT_EQ(start.ending, 0) << closed << ": " << start.all();
    EXPECT_TRUE(origin_.body("/f").matches(0, 100000, contents(dir_ + "/f"))) << closed;
    const pid_t pid = daemon_pid();
    ASSERT_GT(pid, 0) << closed;
    ::kill(pid, SIGTERM);
    EXPECT_EQ(wait_for(pid, kAtOnce), 0) << closed;
    EXPECT_EQ(mount_row(dir_), "") << closed;
    run({"umount", "-l", dir_});
  }
}

// Exit codes of fusermount3 would be lost.
TEST_F(Mounting, IgnoredSignalsOfChildrenAreNotInherited) {
  ASSERT_TRUE(
      run({"env", "--ignore-signal=CHLD", skimfs(), manifest_, dir_, "-o", "sandbox=off"}).ok());
  const std::string status = contents("/proc/" + std::to_string(daemon_pid()) + "/status");
  const std::string field = "SigIgn:";
  const auto ignored = std::stoull(status.substr(status.find(field) + field.size()), nullptr, 16);
  EXPECT_EQ(ignored & 1ull << (SIGCHLD - 1), 0u);
}

// Seen with scripts that mount under flock(1): their next run waited until the mount was gone.
TEST_F(Mounting, ALockOfTheCallersIsFreeOnceItIsMounted) {
  const std::string lock = scratch_ / "lock";
  const std::string mount = skimfs() + " " + manifest_ + " " + dir_;
  ASSERT_TRUE(run({"bash", "-c", "exec 9>" + lock + " && flock 9 && " + mount}).ok());
  EXPECT_NE(mount_row(dir_), "");
  EXPECT_TRUE(run({"flock", "--nonblock", lock, "true"}).ok());
}

TEST_F(Mounting, UmountEndsTheDaemon) {
  ASSERT_TRUE(mount().ok());
  const pid_t pid = daemon_pid();
  ASSERT_GT(pid, 0);
  const Outcome outcome = run({skimfs(), "umount", dir_});
  EXPECT_TRUE(outcome.ok()) << outcome.all();
  EXPECT_EQ(wait_for(pid, kAtOnce), 0);
  EXPECT_EQ(mount_row(dir_), "");
}

TEST_F(Mounting, SigtermUnmounts) {
  ASSERT_TRUE(mount().ok());
  const pid_t pid = daemon_pid();
  ASSERT_GT(pid, 0);
  ::kill(pid, SIGTERM);
  EXPECT_EQ(wait_for(pid, kAtOnce), 0);
  EXPECT_EQ(mount_row(dir_), "");
}

TEST_F(Mounting, UmountOfABusyMountNamesWhoHoldsIt) {
  ASSERT_TRUE(mount().ok());
  Process holder({"sleep", "600"}, scratch_ / "log");
  Process inside({"bash", "-c", "cd " + dir_ + "; echo in; sleep 600"}, scratch_ / "inside");
  for (int i = 0; i < 1000 && contents(scratch_ / "inside").empty(); ++i) ::usleep(5000);
  const Outcome outcome = run({skimfs(), "umount", dir_});
  EXPECT_FALSE(outcome.ok());
  EXPECT_NE(outcome.err.find(std::to_string(inside.pid())), std::string::npos) << outcome.all();
  EXPECT_NE(mount_row(dir_), "");
  EXPECT_TRUE(run({skimfs(), "umount", "-z", dir_}).ok());
  EXPECT_EQ(mount_row(dir_), "");
}

TEST_F(Mounting, StatusTellsTheSameToPeopleAndPrograms) {
  ASSERT_TRUE(mount({"-o", "memory=32M"}).ok());
  contents(dir_ + "/f");
  Json status;
  const auto told = [&] {  // the network's figures may be a little old
    status = Json::parse(status_of(dir_).out);
    return status.at("fetch").at("bytes_received") == 100000;
  };
  EXPECT_TRUE(until(told, kAtOnce)) << status;
  EXPECT_EQ(status.at("memory").at("limit"), 32u << 20);
  EXPECT_GE(status.at("reads").at("bytes_served").get<std::uint64_t>(), 100000u);
  EXPECT_EQ(status.at("fetch").at("requests"), origin_.count());
  EXPECT_GE(status.at("fetch").at("connections_opened"), 1u);
  EXPECT_EQ(status.at("fetch").at("hosts").size(), 1u);
  EXPECT_EQ(status.at("parked").at("requests"), 0u);
  EXPECT_GT(status.at("memory").at("resident").get<std::uint64_t>(), 1u << 20);
  const Outcome text = status_of(dir_, {});
  EXPECT_TRUE(text.ok()) << text.all();
  EXPECT_NE(text.out.find("memory"), std::string::npos) << text.out;
}

TEST_F(Mounting, StatusOfNoMountIsAnError) {
  const Outcome outcome = run({skimfs(), "status", dir_});
  EXPECT_NE(outcome.ending, 0);
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
}

TEST_F(Mounting, Sigusr1PrintsASummaryToTheLog) {
  Mount mounted(Manifest(origin_.base()).file("/f", 100000));
  mounted.text("f");
  mounted.daemon().signal(SIGUSR1);
  EXPECT_TRUE(mounted.await_log("ev=status", 5s)) << mounted.log();
}

TEST_F(Mounting, EachSignalIsAnswered) {
  Mount mounted(Manifest(origin_.base()).file("/f", 100000), "log=error");
  mounted.rewrite("#skimfs 1\nbad\n");
  for (const auto& [signal, word] :
       {std::pair{SIGUSR1, "ev=status"}, {SIGHUP, "ev=manifest_error"}}) {
    for (unsigned sent = 1; sent <= 2; ++sent) {
      mounted.daemon().signal(signal);
      EXPECT_TRUE(mounted.await_log_lines(word, sent, 5s)) << mounted.log();
    }
  }
}

// As the end of its user's last session removes /run/user/UID.
TEST_F(Mounting, AMountWhoseSocketIsGoneIsNotCalledNone) {
  ASSERT_TRUE(mount().ok());
  const pid_t pid = daemon_pid();
  ASSERT_GT(pid, 0);
  ::kill(pid, SIGSTOP);
  const std::string directory = fs::control::socket_directories(0).front();
  EXPECT_EQ(::unlink((directory + "/" + fs::control::socket_name(dir_)).c_str()), 0);
  const Outcome refused = run({skimfs(), "status", dir_});
  ::kill(pid, SIGCONT);
  EXPECT_EQ(refused.ending, 3);
  EXPECT_NE(
      refused.err.find("a skimfs is mounted there, but its socket cannot be reached: No such"),
      std::string::npos)
      << refused.all();
  Outcome found = refused;
  for (int tries = 0; tries < 100 && !found.ok(); ++tries) {
    ::usleep(50'000);
    found = run({skimfs(), "status", dir_});
  }
  EXPECT_TRUE(found.ok()) << "made again: " << found.all();
}

TEST_F(Mounting, MemoryAboveTheWarningIsLoggedOnce) {
  Mount mounted(Manifest(origin_.base()).file("/f", 100000), "memory_warn=1M");
  EXPECT_TRUE(mounted.await_log("ev=memory_warn", 15s)) << mounted.log();
  // Who answers two signals has looked at the memory between them.
  for (unsigned sent = 1; sent <= 2; ++sent) {
    mounted.daemon().signal(SIGUSR1);
    EXPECT_TRUE(mounted.await_log_lines("ev=status", sent, 15s)) << mounted.log();
  }
  mounted.stop();  // repetitions that were counted only are told by now
  EXPECT_FALSE(mounted.await_log_lines("memory_warn", 2, 0s)) << mounted.log();
}

TEST_F(Mounting, AFileThatIsMissingIsNamed) {
  manifest_ = scratch_ / "nothing.skimfs";
  const Outcome outcome = mount();
  EXPECT_NE(outcome.ending, 0);
  EXPECT_NE(outcome.err.find("nothing.skimfs"), std::string::npos) << outcome.err;
}

TEST_F(Mounting, AKilledDaemonLeavesEnotconnAndIsReplaced) {
  ASSERT_TRUE(mount().ok());
  const pid_t pid = daemon_pid();
  ASSERT_GT(pid, 0);
  ::kill(pid, SIGKILL);
  ASSERT_EQ(wait_for(pid, 5s), -SIGKILL);
  struct stat at {};
  EXPECT_NE(::stat((dir_ + "/f").c_str(), &at), 0);
  EXPECT_EQ(errno, ENOTCONN);
  const Outcome outcome = mount();
  EXPECT_TRUE(outcome.ok()) << outcome.all();
  EXPECT_TRUE(origin_.body("/f").matches(0, 100000, contents(dir_ + "/f")));
}

// The number of a mount is given to the next one as soon as it is free.
TEST_F(Mounting, ADaemonThatEndsLateLeavesItsSuccessorAlone) {
  ASSERT_TRUE(mount().ok());
  const pid_t late = daemon_pid();
  ASSERT_GT(late, 0);
  ::kill(late, SIGSTOP);
  ASSERT_EQ(::umount2(dir_.c_str(), 0), 0);  // umount(8) would ask the stopped daemon
  ASSERT_TRUE(mount().ok());
  ::kill(late, SIGCONT);
  EXPECT_EQ(wait_for(late, 5s), 0);
  EXPECT_TRUE(origin_.body("/f").matches(0, 100000, contents(dir_ + "/f")));
}

TEST_F(Mounting, ALivingMountIsNotMountedOver) {
  ASSERT_TRUE(mount().ok());
  const pid_t pid = daemon_pid();
  ASSERT_GT(pid, 0);
  const Outcome outcome = mount();
  EXPECT_NE(outcome.ending, 0);
  EXPECT_NE(outcome.err.find(std::to_string(pid)), std::string::npos) << outcome.err;
  EXPECT_TRUE(origin_.body("/f").matches(0, 100000, contents(dir_ + "/f")));
}

TEST_F(Mounting, SkippedLinesAreCounted) {
  scratch_.write("m.skimfs",
                 "#skimfs 1\n/a\tnot a number\t-\t-\t-\n/f\t5\t-\t-\t" + origin_.url("/f") + "\n");
  EXPECT_NE(mount().ending, 0);
  const Outcome outcome = mount({"-o", "on_error=skip"});
  ASSERT_TRUE(outcome.ok()) << outcome.all();
  EXPECT_NE(outcome.err.find("ev=skipped"), std::string::npos) << outcome.all();
  EXPECT_NE(outcome.err.find("lines=1"), std::string::npos) << outcome.all();
  EXPECT_EQ(shell("ls " + dir_).out, "f\n");
}

TEST_F(Mounting, CheckFindsWhatMountWouldRefuse) {
  EXPECT_TRUE(run({skimfs(), "manifest", "check", manifest_}).ok());
  scratch_.write("m.skimfs", "#skimfs 1\n/a/../b\t1\t-\t-\thttp://h/x\n");
  const Outcome outcome = run({skimfs(), "manifest", "check", manifest_});
  EXPECT_NE(outcome.ending, 0);
  EXPECT_NE(outcome.all().find("m.skimfs:2:"), std::string::npos) << outcome.all();
}

struct BadInput {
  const char* name;
  const char* manifest;  // null: a good one
  Command words;         // after "skimfs"; MANIFEST and DIR stand for the real ones
  const char* says;      // a part of the message
};

class BadInputs : public Mounting, public ::testing::WithParamInterface<BadInput> {};

TEST_P(BadInputs, GetOneLineACodeAndNoMount) {
  const BadInput& bad = GetParam();
  if (bad.manifest != nullptr) scratch_.write("m.skimfs", bad.manifest);
  Command command{skimfs()};
  for (const auto& word : bad.words) {
    command.push_back(word == "MANIFEST" ? manifest_ : word == "DIR" ? dir_ : word);
  }
  const Outcome outcome = run(command);
  EXPECT_GT(outcome.ending, 0) << outcome.all();
  EXPECT_NE(outcome.err.find(bad.says), std::string::npos) << outcome.err;
  // A manifest's error shows its line and a caret below.
  const auto lines = std::count(outcome.err.begin(), outcome.err.end(), '\n');
  EXPECT_LE(lines, bad.manifest != nullptr ? 4 : 1) << outcome.err;
  EXPECT_GE(lines, 1) << outcome.err;
  EXPECT_EQ(mount_row(dir_), "");
  EXPECT_EQ(origin_.count(), 0u);
}

const BadInput kBadInputs[] = {
    {"no_words", nullptr, {"mount"}, ""},
    {"no_mountpoint", nullptr, {"MANIFEST"}, ""},
    {"unknown_option", nullptr, {"MANIFEST", "DIR", "-o", "memry=32M"}, "memory"},
    {"too_little_memory", nullptr, {"MANIFEST", "DIR", "-o", "memory=8M"}, "16M"},
    {"memory_is_no_size", nullptr, {"MANIFEST", "DIR", "-o", "memory=lots"}, "memory"},
    {"no_connections", nullptr, {"MANIFEST", "DIR", "-o", "connections=0"}, "connections"},
    {"timeout_is_no_time", nullptr, {"MANIFEST", "DIR", "-o", "timeout=soon"}, "timeout"},
    {"mountpoint_is_missing", nullptr, {"MANIFEST", "/nonexistent/dir"}, "/nonexistent/dir"},
    {"mountpoint_is_a_file", nullptr, {"MANIFEST", "/etc/passwd"}, "/etc/passwd"},
    {"manifest_is_a_folder", nullptr, {"/etc", "DIR"}, "/etc"},
    {"manifest_has_no_magic", "hello\n", {"MANIFEST", "DIR"}, "m.skimfs"},
    {"manifest_is_empty", "", {"MANIFEST", "DIR"}, "m.skimfs"},
    {"path_leaves_the_mount",
     "#skimfs 1\n/a/../b\t1\t-\t-\thttp://h/x\n",
     {"MANIFEST", "DIR"},
     "m.skimfs:2:"},
    {"duplicate_path",
     "#skimfs 1\n/a\t1\t-\t-\thttp://h/x\n/a\t1\t-\t-\thttp://h/y\n",
     {"MANIFEST", "DIR"},
     "m.skimfs:3:"},
    {"foreign_scheme", "#skimfs 1\n/a\t1\t-\t-\tftp://h/x\n", {"MANIFEST", "DIR"}, "m.skimfs:2:"},
    {"must_understand",
     "#skimfs 1\n/a\t1\t-\t-\thttp://h/x\t!new=1\n",
     {"MANIFEST", "DIR"},
     "!new"},
    {"must_understand_the_file",
     "#skimfs 1\n@!new\n/a\t1\t-\t-\thttp://h/x\n",
     {"MANIFEST", "DIR"},
     "@!new"},
    {"truncated",
     "#skimfs 1\n/a\t1\t-\t-\thttp://h/x\n@end 2\n",
     {"MANIFEST", "DIR"},
     "m.skimfs:3:"},
};

INSTANTIATE_TEST_SUITE_P(All, BadInputs, ::testing::ValuesIn(kBadInputs),
                         [](const auto& bad) { return std::string(bad.param.name); });

TEST_F(Mounting, WithoutAFuseDeviceItSaysSo) {
  const Outcome outcome =
      shell("unshare -m bash -c 'mount -t tmpfs none /dev; mknod /dev/null c 1 3; exec " +
            skimfs() + " " + manifest_ + " " + dir_ + "'");
  EXPECT_GT(outcome.ending, 0);
  EXPECT_NE(outcome.err.find("/dev/fuse"), std::string::npos) << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
}

}  // namespace
}  // namespace skimfs::test
