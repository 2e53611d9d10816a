// SPDX-License-Identifier: MIT
//
// A directory that is mounted when somebody looks, as x-systemd.automount has it.
//
// autofs has everybody wait who comes by, but for the process group of the automounter.
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "tests/mount/fixture.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

// What systemd does, autofs(5) and the kernel's Documentation/filesystems/autofs.rst: a direct
// mount on the first argument, the other arguments run in our group for each who looks.
constexpr const char* kAutomounter = R"py(
import ctypes, fcntl, os, struct, subprocess, sys
READY, FAIL = 0x9360, 0x9361
directory, command = sys.argv[1], sys.argv[2:]
os.setpgid(0, 0)
packets, kernel = os.pipe()
words = f'fd={kernel},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct'
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b'test', directory.encode(), b'autofs', 0, words.encode()) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.close(kernel)
root = os.open(directory, os.O_RDONLY)
print('waits', flush=True)
while packet := os.read(packets, 512):
    token, = struct.unpack_from('I', packet, 8)
    ended = subprocess.run(command).returncode
    print('ended with', ended, flush=True)
    fcntl.ioctl(root, FAIL if ended else READY, token)
)py";

class Automount : public MountTest {
 protected:
  Automount() {
    origin_.add("/f", 5000);
    manifest_ = scratch_.write("m.skimfs", Manifest(origin_.base()).file("/f", 5000).text());
    std::filesystem::create_directory(dir_);
  }
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    if (::mount("test", dir_.c_str(), "autofs", 0, "fd=-1") != 0 &&
        (errno == ENODEV || errno == EPERM))
      GTEST_SKIP() << "no autofs to be had: " << std::strerror(errno);
  }
  ~Automount() override {
    automounter_.reset();  // autofs then has nobody wait
    while (::umount2(dir_.c_str(), MNT_DETACH) == 0) {
    }
  }

  // Words before those of the program, options after them.
  void start(const Command& under, const std::string& options) {
    Command command{"python3", scratch_.write("automounter", kAutomounter), dir_};
    command.insert(command.end(), under.begin(), under.end());
    command.insert(command.end(), {skimfs(), manifest_, dir_, "-o", options});
    automounter_ = std::make_unique<Process>(command, log());
    ASSERT_TRUE(await_log("waits\n")) << contents(log());
  }
  std::string log() const { return scratch_ / "log"; }
  bool await_log(const std::string& part) const {
    for (int tries = 0; tries < 2000; ++tries) {
      if (contents(log()).find(part) != std::string::npos) return true;
      ::usleep(5000);
    }
    return false;
  }
  Outcome look() const { return run({"timeout", "-s", "KILL", "20", "cat", dir_ + "/f"}); }
  std::string types_there() const { return run({"findmnt", "-no", "FSTYPE", "-M", dir_}).out; }

  HostileOrigin origin_;
  Scratch scratch_;
  std::string manifest_, dir_ = scratch_ / "mnt";
  std::unique_ptr<Process> automounter_;
};

TEST_F(Automount, MountsWhenSomebodyLooksAndAgainAfterItWasUnmounted) {
  start({}, "start_timeout=5s");
  for (int round = 0; round < 2; ++round) {
    const Outcome outcome = look();
    ASSERT_TRUE(outcome.ok()) << outcome.all() << contents(log());
    EXPECT_TRUE(origin_.body("/f").matches(0, 5000, outcome.out));
    EXPECT_TRUE(run({skimfs(), "umount", dir_}).ok());
    EXPECT_EQ(types_there(), "autofs\n");
  }
}

TEST_F(Automount, SigtermUnmountsWhatWasMounted) {
  start({}, "start_timeout=5s");
  ASSERT_TRUE(look().ok()) << contents(log());
  const Outcome status = status_of(dir_);
  ASSERT_TRUE(status.ok()) << status.all();
  const pid_t daemon = nlohmann::json::parse(status.out).at("pid").get<pid_t>();
  ::kill(daemon, SIGTERM);
  EXPECT_EQ(wait_for(daemon, kAtOnce), 0);
  EXPECT_EQ(types_there(), "autofs\n");
}

// It has mounted, and then may not become the user it is told to.
TEST_F(Automount, AStartThatFailsTakesItsMountDown) {
  start({"setpriv", "--bounding-set=-setgid"}, "start_timeout=5s,setuid=nobody");
  const Outcome outcome = look();
  EXPECT_FALSE(outcome.ok());
  EXPECT_LT(outcome.took, kAtOnce);
  EXPECT_NE(contents(log()).find("setuid"), std::string::npos) << contents(log());
  EXPECT_EQ(types_there(), "autofs\n");
}

}  // namespace
}  // namespace skimfs::test
