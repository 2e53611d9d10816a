// SPDX-License-Identifier: MIT
//
// What a listing tells the kernel beside names.
#include <dirent.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "tests/mount/fixture.h"

namespace skimfs::test {
namespace {

constexpr int kFiles = 1000;
constexpr int kLeftOut = 8;  // files of a list by which is seen whether programs use them

class Listing : public MountTest {
 protected:
  static Manifest manifest() {
    Manifest many("http://127.0.0.1:9/");
    for (const std::string directory : {"/a/", "/b/", "/c/"})
      for (int i = 0; i < kFiles; ++i) many.file(directory + std::to_string(i), 1);
    return many;
  }

  // What starts a daemon with `library`, which finds `file` by `variable`.
  static Command preloaded(const std::string& library, const std::string& variable,
                           const std::string& file) {
    return {"env", "ASAN_OPTIONS=verify_asan_link_order=0", "LD_PRELOAD=" + library,
            variable + "=" + file};
  }

  Command counting() { return preloaded(REQUEST_COUNT_LIBRARY, "REQUEST_COUNT", counts_); }
  std::uint64_t asked(fuse_opcode opcode) const {
    std::uint64_t count = 0;
    std::memcpy(&count, contents(counts_).data() + sizeof count * opcode, sizeof count);
    return count;
  }

  const Scratch scratch_;
  const std::string counts_ = scratch_.write("counts", std::string(512, '\0'));
};

// As find(1) and cp(1) do: all names, before any is used.
void list(const std::string& directory) {
  DIR* const open = ::opendir(directory.c_str());
  ASSERT_NE(open, nullptr);
  while (::readdir(open) != nullptr) continue;
  ::closedir(open);
}

// The kernel need not ask us.
bool is_known(const std::string& path) {
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_CACHED;
  long fd = -1;
  for (int tries = 0; fd < 0 && tries < 3; ++tries)  // a mount elsewhere disturbs one
    fd = ::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how);
  if (fd >= 0) ::close(static_cast<int>(fd));
  return fd >= 0;
}

int known_in(const std::string& directory) {
  int known = 0;
  for (int i = 0; i < kFiles; ++i) known += is_known(directory + "/" + std::to_string(i)) ? 1 : 0;
  return known;
}

// Before Linux 6.16 it asks for a page at a time, whatever the program wants.
bool asks_for_whole_lists() {
  utsname kernel = {};
  int major = 0, minor = 0;
  return ::uname(&kernel) == 0 && std::sscanf(kernel.release, "%d.%d", &major, &minor) == 2 &&
         (major > 6 || (major == 6 && minor >= 16));
}

// Lists it until the kernel has been told to forget the list it kept, and knows so many files.
bool await_known(const std::string& directory, int least) {
  const auto known = [&] {
    list(directory);
    return known_in(directory) >= least;
  };
  return until(known, std::chrono::seconds(20));
}

// As what uses the names does.
void look_at_all(const std::string& directory) {
  for (int i = 0; i < kFiles; ++i) {
    struct stat at {};
    ASSERT_EQ(::stat((directory + "/" + std::to_string(i)).c_str(), &at), 0);
  }
}

// An inode for each name took find -name over 100,000 files 0.3 s instead of 0.07.
TEST_F(Listing, NamesAloneMakeInodesOfOneDirectorysFiles) {
  const Mount mount(manifest());
  list(mount.dir());
  EXPECT_TRUE(is_known(mount / "b"));
  list(mount / "a");
  EXPECT_GT(known_in(mount / "a"), 0);
  EXPECT_LE(known_in(mount / "a"), kFiles - kLeftOut);
  list(mount / "b");
  EXPECT_EQ(known_in(mount / "b"), 0);
}

// A lookup each took find -size 28 us a file instead of 4.
TEST_F(Listing, AProgramThatUsesTheNamesPaysForAFew) {
  const Mount mount(manifest(), {}, counting());
  list(mount / "a");
  look_at_all(mount / "a");
  const auto lookups = asked(FUSE_LOOKUP);
  EXPECT_LE(lookups, asks_for_whole_lists() ? kLeftOut + 1u : kFiles + 1u);
  for (const std::string directory : {"b", "c"}) {
    list(mount / directory);
    look_at_all(mount / directory);
  }
  EXPECT_LE(asked(FUSE_LOOKUP), lookups + 2);  // of the directories
}

// A name and its attributes are 160 bytes, and 32 KiB were asked for at once.
TEST_F(Listing, ADirectoryOfAThousandFilesTakesTwoRequests) {
  if (!asks_for_whole_lists()) GTEST_SKIP() << "Linux before 6.16 asks for a page at a time";
  const Mount mount(manifest(), {}, counting());
  list(mount / "a");
  EXPECT_EQ(asked(FUSE_READDIRPLUS), 2u);
}

// After find -name, ls -lR sent a lookup for each of 100,000 files: 3 s instead of 0.6.
TEST_F(Listing, ListsOfNamesAloneAreAskedForAnewOnceFilesAreLookedUp) {
  const Mount mount(manifest(), {}, counting());
  for (const std::string directory : {"a", "b", "c"}) list(mount / directory);
  look_at_all(mount / "a");
  const auto lookups = asked(FUSE_LOOKUP);
  for (const std::string directory : {"b", "c"}) {
    EXPECT_TRUE(await_known(mount / directory, kFiles));
    look_at_all(mount / directory);
  }
  EXPECT_EQ(asked(FUSE_LOOKUP), lookups);
}

// The kernel keeps a list for good and believes its names for a minute; then a lookup each took
// ls -lR of 100,000 files 3.9 s instead of 0.4.
TEST_F(Listing, AListThatOutlivesItsNamesIsAskedForAnew) {
  const std::string clocks = scratch_.write("clocks", std::string(16, '\0'));
  const Mount mount(manifest(), {}, preloaded(WALL_CLOCK_LIBRARY, "WALL_CLOCK", clocks));
  list(mount / "a");
  list(mount / "b");
  ASSERT_EQ(known_in(mount / "b"), 0);
  const std::int64_t minute = 60;
  std::fstream(clocks, std::ios::in | std::ios::out | std::ios::binary)
      .seekp(8)
      .write(reinterpret_cast<const char*>(&minute), sizeof minute);
  EXPECT_TRUE(await_known(mount / "b", 1));
}

}  // namespace
}  // namespace skimfs::test
