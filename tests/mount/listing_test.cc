// SPDX-License-Identifier: MIT
//
// What a listing tells the kernel beside names.
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>

#include "tests/mount/fixture.h"

namespace skimfs::test {
namespace {

constexpr int kFiles = 2000;

class Listing : public MountTest {
 protected:
  static Manifest manifest() {
    Manifest many("http://127.0.0.1:9/");
    for (const std::string directory : {"/a/", "/b/"})
      for (int i = 0; i < kFiles; ++i) many.file(directory + std::to_string(i), 1);
    return many;
  }
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

TEST_F(Listing, NamesAloneMakeFewInodesOfFiles) {
  const Mount mount(manifest());
  list(mount.dir());
  EXPECT_TRUE(is_known(mount / "a"));
  list(mount / "a");
  EXPECT_LT(known_in(mount / "a"), kFiles / 2);
}

// A lookup each took find -size 28 us a file instead of 4.
TEST_F(Listing, WhereFilesAreLookedUpTheNextListingSparesIt) {
  const Mount mount(manifest());
  list(mount / "a");
  struct stat at {};
  ASSERT_EQ(::stat((mount / "a/999").c_str(), &at), 0);  // not in the first reply
  list(mount / "b");
  EXPECT_EQ(known_in(mount / "b"), kFiles);
}

// The kernel keeps a list for good and believes its names for a minute; then a lookup each took
// ls -lR of 100,000 files 3.9 s instead of 0.4.
TEST_F(Listing, AListThatOutlivesItsNamesIsAskedForAnew) {
  const Scratch scratch;
  const std::string clocks = scratch.write("clocks", std::string(16, '\0'));
  const Mount mount(manifest(), {},
                    {"env", "ASAN_OPTIONS=verify_asan_link_order=0",
                     "LD_PRELOAD=" WALL_CLOCK_LIBRARY, "WALL_CLOCK=" + clocks});
  list(mount / "a");
  const std::int64_t minute = 60;
  std::fstream(clocks, std::ios::in | std::ios::out | std::ios::binary)
      .seekp(8)
      .write(reinterpret_cast<const char*>(&minute), sizeof minute);
  struct stat at {};
  ASSERT_EQ(::stat((mount / "a/999").c_str(), &at), 0);
  for (int tries = 0; tries < 50 && known_in(mount / "a") < kFiles; ++tries) {
    ::usleep(100'000);
    list(mount / "a");
  }
  EXPECT_EQ(known_in(mount / "a"), kFiles);
}

}  // namespace
}  // namespace skimfs::test
