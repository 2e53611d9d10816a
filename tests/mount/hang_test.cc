// SPDX-License-Identifier: MIT
//
// Servers that say nothing: who waits can leave, and nobody else waits.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <future>
#include <thread>

#include "tests/mount/fixture.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

class Hang : public MountTest {
 protected:
  Hang() {
    for (int i = 0; i < 256; ++i) {
      const std::string path = "/" + std::to_string(i);
      silent_.add(path, 1u << 20);
      manifest_.file(path, 1u << 20);
    }
    silent_.add("/unknown", 1u << 20);
    manifest_.file("/unknown", {});
    silent_.add("/checked", 4096);
    manifest_.file("/checked", 4096);
    well_.add("/well", 1u << 20);
    manifest_.line("/well\t1048576\t-\t-\t" + well_.url("/well"));
    well_.add("/moving", 8u << 20);
    manifest_.line("/moving\t8388608\t-\t-\t" + well_.url("/moving"));
    silent_.accept_in_silence(true);
  }

  // So many processes, each blocked in a read of a file of its own.
  void block_readers(const Mount& mount, unsigned n) {
    for (unsigned i = 0; i < n; ++i) {
      readers_.emplace_back(Command{"head", "-c", "1", mount / std::to_string(i)},
                            scratch_ / "log");
    }
    ASSERT_TRUE(mount.await_waiting(n, 20s)) << mount.waiting();
  }

  // The content of "moving" changes under a reader, while one request waits.
  void change_behind(const Mount& mount) {
    ASSERT_TRUE(mount.await_waiting(1, 10s));
    const int file = ::open((mount / "moving").c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
    ASSERT_GE(file, 0);
    EXPECT_EQ(read_at(file, 0, 4096).error, 0);
    well_.change("/moving");
    EXPECT_EQ(read_at(file, 6u << 20, 4096).error, ESTALE);
    ::close(file);
  }

  HostileOrigin silent_, well_;
  Manifest manifest_{silent_.base()};
  Scratch scratch_;
  std::deque<Process> readers_;
};

// S-WAIT-2
TEST_F(Hang, AKilledReaderGoesAtOnce) {
  const Mount mount(manifest_);
  block_readers(mount, 1);
  readers_[0].signal(SIGKILL);
  EXPECT_EQ(readers_[0].wait(kAtOnce), -SIGKILL);
}

// S-WAIT-2
TEST_F(Hang, AKilledReaderAroundThePageCacheGoesAtOnce) {
  const Mount mount(manifest_);
  Process reader({"dd", "if=" + mount / "0", "of=/dev/null", "iflag=direct", "bs=128K"},
                 scratch_ / "log");
  ASSERT_TRUE(mount.await_waiting(1, 20s));
  reader.signal(SIGKILL);
  EXPECT_EQ(reader.wait(kAtOnce), -SIGKILL);
}

TEST_F(Hang, AReaderThatIsInterruptedGoesAtOnce) {
  const Mount mount(manifest_);
  block_readers(mount, 1);
  readers_[0].signal(SIGINT);
  EXPECT_EQ(readers_[0].wait(kAtOnce), -SIGINT);
}

// Every operation that can wait for a server, as Python does it: a program that catches SIGINT.
struct Waiting {
  const char* name;
  const char* file;
  const char* script;  // after "import mmap, os; p = PATH"
  bool of_page;        // waits for a page of the kernel's, which only a deadly signal ends
};

constexpr Waiting kWaiting[] = {
    {"lookup", "unknown", "os.stat(p)", false},
    {"open", "checked", "os.open(p, os.O_RDONLY)", false},
    {"direct_read", "0", "os.readv(os.open(p, os.O_RDONLY | os.O_DIRECT), [mmap.mmap(-1, 4096)])",
     false},
    {"read", "0", "os.read(os.open(p, os.O_RDONLY), 1)", true},
    {"mmap", "0", "mmap.mmap(os.open(p, os.O_RDONLY), 0, prot=mmap.PROT_READ)[5000]", true},
};

class HangIn : public Hang, public ::testing::WithParamInterface<Waiting> {
 protected:
  // Returns with the program blocked; `signal` then ends it, or not, within half a second.
  std::optional<ExitCode> end_by(int signal) {
    silent_.accept_in_silence(false);
    const Mount mount(manifest_, "revalidate=0");
    EXPECT_EQ(read_at(mount / "checked", 0, 4096).error, 0);
    for (const char* path : {"/checked", "/unknown", "/0"}) silent_.behave(path, {.hold = true});
    silent_.forget_requests();
    Process program(
        {"python3", "-c",
         "import mmap, os; p = '" + mount / GetParam().file + "'; " + GetParam().script},
        scratch_ / "log");
    EXPECT_TRUE(silent_.await([&] { return silent_.count() > 0; }));
    EXPECT_TRUE(mount.await_waiting(1, 10s));
    program.signal(signal);
    const bool stays = GetParam().of_page && signal != SIGKILL;
    const auto ending = program.wait(stays ? 500ms : kAtOnce);
    program.signal(SIGKILL);
    return ending;
  }
};

// S-WAIT-2
TEST_P(HangIn, AKilledProgramGoesAtOnce) { EXPECT_EQ(end_by(SIGKILL), -SIGKILL); }

// S-WAIT-2
TEST_P(HangIn, AProgramThatCatchesASignalGoesAtOnceUnlessItWaitsForAPage) {
  const auto ending = end_by(SIGINT);
  if (GetParam().of_page)
    EXPECT_EQ(ending, std::nullopt) << "this kernel is better than SEMANTICS.md says";
  else
    EXPECT_EQ(ending, -SIGINT);
}

INSTANTIATE_TEST_SUITE_P(Operations, HangIn, ::testing::ValuesIn(kWaiting),
                         [](const auto& each) { return std::string(each.param.name); });

// S-WAIT-4
TEST_F(Hang, SigtermEndsAMountWithHundredsOfBlockedReaders) {
  Mount mount(manifest_);
  block_readers(mount, 256);
  const auto took = mount.stop();
  EXPECT_LT(took, kAtOnce);
  RecordProperty("stop_ms", static_cast<int>(took.count()));
  for (auto& reader : readers_) EXPECT_TRUE(reader.wait(kAtOnce).has_value());
}

TEST_F(Hang, SigintEndsAMountWithABlockedReader) {
  Mount mount(manifest_);
  block_readers(mount, 1);
  mount.daemon().signal(SIGINT);
  EXPECT_EQ(mount.daemon().wait(kAtOnce), 0) << mount.log();
}

// S-WAIT-4
TEST_F(Hang, UnmountingAfterKillingTheReadersEndsTheDaemon) {
  Mount mount(manifest_);
  block_readers(mount, 256);
  for (auto& reader : readers_) reader.signal(SIGKILL);
  for (auto& reader : readers_) ASSERT_TRUE(reader.wait(kAtOnce).has_value());
  const Outcome outcome = run({"umount", mount.dir()});
  EXPECT_TRUE(outcome.ok()) << outcome.all();
  EXPECT_LT(outcome.took, kAtOnce);
  RecordProperty("umount_ms", static_cast<int>(outcome.took.count()));
  EXPECT_EQ(mount.daemon().wait(kAtOnce), 0) << mount.log();
}

TEST_F(Hang, ALazyUnmountTakesTheNameAwayAtOnce) {
  Mount mount(manifest_);
  block_readers(mount, 4);
  const Outcome outcome = run({"umount", "-l", mount.dir()});
  EXPECT_TRUE(outcome.ok()) << outcome.all();
  EXPECT_LT(outcome.took, kAtOnce);
  EXPECT_EQ(mount_row(mount.dir()), "");
  for (auto& reader : readers_) reader.signal(SIGKILL);
  EXPECT_EQ(mount.daemon().wait(kAtOnce), 0) << mount.log();
}

// S-WAIT-1.  Around the page cache: when read-ahead fails, the kernel asks for the page once more.
TEST_F(Hang, AReadEndsAtItsDeadline) {
  const Mount mount(manifest_, "timeout=3");
  const auto begin = Clock::now();
  EXPECT_EQ(read_at(mount / "0", 0, 4096, O_DIRECT).error, ETIMEDOUT);
  EXPECT_GE(Clock::now() - begin, 2900ms);
  EXPECT_LT(Clock::now() - begin, 3s + kAtOnce);
}

TEST_F(Hang, AStatEndsAtItsDeadline) {
  const Mount mount(manifest_, "timeout=3");
  const auto begin = Clock::now();
  struct stat at {};
  EXPECT_NE(::stat((mount / "unknown").c_str(), &at), 0);
  EXPECT_EQ(errno, ETIMEDOUT);
  EXPECT_LT(Clock::now() - begin, 3s + kAtOnce);
}

TEST_F(Hang, AStallInTheMiddleEndsAtTheDeadlineToo) {
  const Mount mount(manifest_, "timeout=3");
  well_.behave("/well", {.stop_after = 10000, .ending = Ending::stall});
  EXPECT_EQ(read_at(mount / "well", 500000, 4096, O_DIRECT).error, 0);
  EXPECT_EQ(read_at(mount / "well", 0, 131072, O_DIRECT).error, ETIMEDOUT);
}

// S-WAIT-3
TEST_F(Hang, NobodyElseWaits) {
  const Mount mount(manifest_);
  block_readers(mount, 64);
  const auto begin = Clock::now();
  EXPECT_TRUE(well_.body("/well").matches(0, 1u << 20, mount.text("well")));
  struct statvfs space {};
  EXPECT_EQ(::statvfs(mount.dir().c_str(), &space), 0);
  struct stat at {};
  EXPECT_EQ(::stat((mount / "63").c_str(), &at), 0);
  EXPECT_TRUE(run({"ls", mount.dir()}).ok());
  EXPECT_LT(Clock::now() - begin, kAtOnce);
  for (auto& reader : readers_) reader.signal(SIGKILL);
}

// A change is told to nobody: the kernel would want the directory's lock for it, which a lookup
// holds as long as it waits.
TEST_F(Hang, ANewVersionBesideALookupThatWaitsHoldsUpNobody) {
  const Mount mount(manifest_);
  Process lookup({"stat", mount / "unknown"}, scratch_ / "log");
  change_behind(mount);
  Process list({"stat", mount / "1", mount / "2"}, scratch_ / "log");
  EXPECT_EQ(list.wait(kAtOnce), 0);
  EXPECT_TRUE(well_.body("/moving").matches(0, 8u << 20, mount.text("moving")));
  lookup.signal(SIGKILL);
  EXPECT_EQ(lookup.wait(kAtOnce), -SIGKILL);
}

// S-WAIT-3: what waits for one server does not hold the memory that readers of another need.
TEST_F(Hang, ReadersOfASilentServerTakeNoMemoryFromOthers) {
  const Mount mount(manifest_, "memory=16M");
  block_readers(mount, 64);
  const auto begin = Clock::now();
  EXPECT_TRUE(well_.body("/well").matches(0, 1u << 20, mount.text("well")));
  EXPECT_LT(Clock::now() - begin, kAtOnce);
  for (auto& reader : readers_) reader.signal(SIGKILL);
}

// A file system that answers nothing, over what is in the folder, until the object goes.
class DeadCover {
 public:
  explicit DeadCover(const std::string& folder)
      : folder_(folder), device_(::open("/dev/fuse", O_RDWR | O_CLOEXEC)) {
    const std::string data =
        "fd=" + std::to_string(device_) + ",rootmode=40000,user_id=0,group_id=0";
    EXPECT_EQ(::mount("hung", folder.c_str(), "fuse", 0, data.c_str()), 0) << std::strerror(errno);
    at_first_ = waiting();
  }
  DeadCover(const DeadCover&) = delete;
  DeadCover& operator=(const DeadCover&) = delete;
  ~DeadCover() {
    ::close(device_);  // whoever waits gets ENOTCONN
    EXPECT_EQ(::umount2(folder_.c_str(), MNT_DETACH), 0) << std::strerror(errno);
  }
  // Somebody asks it and waits.
  bool await_asker() const {
    return until([&] { return waiting() > at_first_; }, 15s);
  }

 private:
  unsigned long waiting() const {
    const std::string row = mount_row(folder_);  // "0:52 ...": the number of the connection
    const std::string number = row.substr(row.find(':') + 1, row.find(' ') - row.find(':') - 1);
    return std::strtoul(contents("/sys/fs/fuse/connections/" + number + "/waiting").c_str(),
                        nullptr, 10);
  }

  const std::string folder_;
  const int device_;
  unsigned long at_first_ = 0;  // the kernel's own first request
};

// Of a mount that is gone or about to be.  The read has a thread of its own: it may hang.
class HeldFile {
 public:
  explicit HeldFile(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT)) {
    EXPECT_GE(fd_, 0) << std::strerror(errno);
  }
  HeldFile(const HeldFile&) = delete;
  HeldFile& operator=(const HeldFile&) = delete;
  ~HeldFile() {
    if (read_.valid()) read_.wait();
    ::close(fd_);
  }
  void expect_disconnected() {
    read_ = std::async(std::launch::async, [this] { return read_at(fd_, 0, 4096).error; });
    ASSERT_EQ(read_.wait_for(15s), std::future_status::ready) << "its reader waits";
    const int error = read_.get();  // the second: it came as the mount went
    EXPECT_TRUE(error == ENOTCONN || error == ECONNABORTED) << std::strerror(error);
  }

 private:
  const int fd_;
  std::future<int> read_;
};

// S-WAIT-4
TEST_F(Hang, SigtermIsHeardWhileTheDiskWithTheSecretsHangs) {
  const std::string conf = scratch_.write(
      "secrets/auth.conf", "[p]\nmatch = " + well_.base() + "/\nheader = X-Word: one\n");
  ASSERT_EQ(::chmod(conf.c_str(), 0600), 0);
  Mount mount(manifest_, "auth_file=" + conf);
  // Until it takes commands it is still starting, and reads them once more itself.
  ASSERT_TRUE(until([&] { return run({skimfs(), "status", mount.dir()}).ok(); }, 20s));
  HeldFile held(mount / "well");
  {
    const DeadCover cover(scratch_ / "secrets");
    ASSERT_TRUE(cover.await_asker());
    EXPECT_TRUE(well_.body("/well").matches(0, 1u << 20, mount.text("well")));
    mount.daemon().signal(SIGTERM);
    EXPECT_TRUE(await_mounted(mount.dir(), false, 15s)) << mount.log();
    held.expect_disconnected();
  }
  EXPECT_EQ(mount.daemon().wait(15s), 0) << mount.log();
}

// S-WAIT-4
TEST_F(Hang, SigtermIsHeardWhileTheDiskWithTheManifestHangs) {
  const std::string lists = scratch_ / "lists", dir = scratch_ / "mnt", log = scratch_ / "log";
  ASSERT_EQ(::mkdir(dir.c_str(), 0755), 0);
  Process daemon({skimfs(), scratch_.write("lists/manifest", manifest_.text()), dir, "-f"}, log);
  ASSERT_TRUE(until([&] { return run({skimfs(), "status", dir}).ok(); }, 20s)) << contents(log);
  HeldFile held(dir + "/well");
  {
    const DeadCover cover(lists);
    Process reload({skimfs(), "reload", dir}, scratch_ / "reload");
    ASSERT_TRUE(cover.await_asker());
    daemon.signal(SIGTERM);
    EXPECT_TRUE(await_mounted(dir, false, 15s)) << contents(log);
    held.expect_disconnected();
  }
  EXPECT_EQ(daemon.wait(15s), 0) << contents(log);
}

TEST_F(Hang, AServerThatRecoversAnswersThoseWhoWaited) {
  const Mount mount(manifest_);
  std::thread reader([&] {
    EXPECT_TRUE(silent_.body("/0").matches(0, 4096, read_at(mount / "0", 0, 4096).bytes));
  });
  EXPECT_TRUE(mount.await_waiting(1, 10s));
  silent_.accept_in_silence(false);
  silent_.release();
  reader.join();
}

}  // namespace
}  // namespace skimfs::test
