// SPDX-License-Identifier: MIT
//
// What a fault looks like to a program, where the matrix (tests/faults) does not say enough.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <set>
#include <thread>

#include "tests/mount/fixture.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

constexpr std::uint64_t kSize = 1u << 20;

class Faults : public MountTest {
 protected:
  std::deque<HostileOrigin> origins_;
};

// S-READ-6
TEST_F(Faults, ALastingFaultUnderAMappingIsSigbusAndNeverZeros) {
  HostileOrigin& origin = origins_.emplace_back();
  origin.add("/f", kSize, {.status = 403});
  const Mount mount(Manifest(origin.base()).file("/f", kSize));
  constexpr const char* kScript =
      "import mmap, sys; f = open(sys.argv[1], 'rb');"
      "print(mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)[5000])";
  const Outcome outcome = run({"python3", "-c", kScript, mount / "f"});
  EXPECT_EQ(outcome.ending, -SIGBUS) << outcome.all();
  EXPECT_EQ(outcome.out, "");
}

// S-NAME-1: what cannot be reached has not been deleted.
TEST_F(Faults, AMirrorJobDeletesNothingWhileAllServersFail) {
  HostileOrigin& origin = origins_.emplace_back();
  Manifest manifest(origin.base());
  for (const char* path : {"/a/known", "/a/unknown", "/b/unknown"}) {
    origin.add(path, 1000);
    const bool known = std::string_view(path).ends_with("/known");
    manifest.file(path, known ? std::optional<std::uint64_t>(1000) : std::nullopt);
  }
  const Scratch copy;
  {
    const Mount mount(manifest);
    EXPECT_TRUE(run({"rsync", "-a", mount.dir() + "/", copy / "c"}).ok());
  }
  origin.stop_listening();
  const Mount mount(manifest, "timeout=1");
  const Outcome outcome =
      run({"rsync", "-a", "--checksum", "--delete", "-v", mount.dir() + "/", copy / "c"});
  EXPECT_EQ(outcome.ending, 23) << outcome.all();  // partial transfer
  EXPECT_EQ(outcome.out.find("deleting"), std::string::npos) << outcome.all();
  EXPECT_EQ(shell("find " + (copy / "c") + " -type f | wc -l").out, "3\n");
}

// S-NET-1
TEST_F(Faults, AServerThatIsAwayIsAnErrorSoonThenAtOnceAndIsFoundAgainWhenItIsBack) {
  using Clock = std::chrono::steady_clock;
  using std::chrono::seconds;
  HostileOrigin& origin = origins_.emplace_back();
  Manifest manifest(origin.base());
  for (const char* path : {"/a", "/b", "/c"}) {
    origin.add(path, 4096);
    manifest.file(path, 4096);
  }
  origin.stop_listening();
  const Mount mount(manifest, "timeout=30");
  auto begin = Clock::now();
  EXPECT_EQ(read_at(mount / "a", 0, 4096).error, EIO);
  EXPECT_LT(Clock::now() - begin, seconds(25));
  const auto opened = [&] {
    return mount.status().find(R"("breaker":"open")") != std::string::npos;
  };
  EXPECT_TRUE(until(opened, seconds(5))) << mount.status();

  begin = Clock::now();
  EXPECT_EQ(read_at(mount / "b", 0, 4096).error, EIO);
  EXPECT_LT(Clock::now() - begin, kAtOnce) << "two requests of the kernel, a second each";

  origin.listen_again();
  ReadResult got;
  const auto found_again = [&] { return (got = read_at(mount / "c", 0, 4096)).error == 0; };
  EXPECT_TRUE(until(found_again, kAtOnce)) << mount.log();
  EXPECT_TRUE(origin.body("/c").matches(0, 4096, got.bytes));
  EXPECT_TRUE(mount.await_log("ev=breaker", seconds(5)));
}

TEST_F(Faults, TroubleIsNeverMissing) {
  struct Case {
    Behaviour behaviour;
    std::set<int> errors;
  };
  const Case cases[] = {{{.status = 500}, {EIO, ETIMEDOUT}},
                        {{.status = 429}, {ETIMEDOUT}},
                        {{.status = 403}, {EACCES}},
                        {{.status = 404}, {ENOENT}},
                        {{.ranges = Ranges::ignored, .length = Length::absent}, {EFBIG, EIO}},
                        {{.ranges = Ranges::ignored, .length = Length::huge}, {EOVERFLOW, EIO}},
                        {{.hold = true}, {ETIMEDOUT}}};
  Manifest manifest("http://127.0.0.1:1");
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    HostileOrigin& origin = origins_.emplace_back();
    origin.add("/f", kSize, cases[i].behaviour);
    manifest.line("/" + std::to_string(i) + "\t-\t-\t-\t" + origin.url("/f"));
  }
  const Mount mount(manifest, "timeout=6");
  std::vector<std::thread> askers;
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    askers.emplace_back([&, i] {
      struct stat at {};
      const int error = ::stat((mount / std::to_string(i)).c_str(), &at) == 0 ? 0 : errno;
      EXPECT_TRUE(cases[i].errors.contains(error)) << i << ": " << std::strerror(error);
    });
  }
  for (auto& asker : askers) asker.join();
  // S-NAME-1: the names stay.
  EXPECT_EQ(shell("ls " + mount.dir() + " | wc -l").out, "7\n");
}

}  // namespace
}  // namespace skimfs::test
