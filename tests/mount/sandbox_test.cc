// SPDX-License-Identifier: MIT
//
// What the tests' own surroundings promise to whoever works on the same machine.
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "tests/mount/fixture.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

// A process in a sandbox of its own.  Leaves it when the object goes.
class Sandboxed {
 public:
  Sandboxed() {
    std::array<int, 2> theirs{}, ours{};
    if (::pipe(theirs.data()) != 0 || ::pipe(ours.data()) != 0) throw std::runtime_error("pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(theirs[0]);
      ::close(ours[1]);
      enter_sandbox();
      char end;
      ::_exit(::write(theirs[1], "", 1) == 1 && ::read(ours[0], &end, 1) == 0 ? 0 : 1);
    }
    ::close(theirs[1]);
    ::close(ours[0]);
    char entered;
    is_inside_ = pid_ > 0 && ::read(theirs[0], &entered, 1) == 1;
    ::close(theirs[0]);
    keep_ = ours[1];
  }
  Sandboxed(const Sandboxed&) = delete;
  Sandboxed& operator=(const Sandboxed&) = delete;
  ~Sandboxed() {
    ::close(keep_);
    ::waitpid(pid_, nullptr, 0);
  }
  bool is_inside() const noexcept { return is_inside_; }

 private:
  pid_t pid_ = -1;
  int keep_ = -1;
  bool is_inside_ = false;
};

using Sandbox = MountTest;

// Seen as a daemon that a benchmark found 15 s after its unmount: a test run had begun meanwhile.
TEST_F(Sandbox, KeepsNoMountOfOthersAlive) {
  Mount mount(Manifest("http://127.0.0.1:9"));
  const Sandboxed other;
  ASSERT_TRUE(other.is_inside());
  ASSERT_TRUE(run({skimfs(), "umount", mount.dir()}).ok());
  EXPECT_EQ(mount.daemon().wait(kAtOnce), 0);
}

}  // namespace
}  // namespace skimfs::test
