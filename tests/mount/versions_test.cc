// SPDX-License-Identifier: MIT
//
// Files that change behind the mount, files of unknown size, files made of parts.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

#include "tests/mount/fixture.h"
#include "tests/mount/nginx.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

using Versions = MountTest;

constexpr std::uint64_t kSize = 8u << 20;

class OpenedFile {
 public:
  explicit OpenedFile(const std::string& path, int flags = 0)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags)) {}
  OpenedFile(const OpenedFile&) = delete;
  OpenedFile& operator=(const OpenedFile&) = delete;
  ~OpenedFile() { ::close(fd_); }
  int get() const { return fd_; }

 private:
  int fd_;
};

ino_t inode(const std::string& path) {
  struct stat at {};
  EXPECT_EQ(::stat(path.c_str(), &at), 0) << std::strerror(errno);
  return at.st_ino;
}

off_t size(const std::string& path) {
  struct stat at {};
  return ::stat(path.c_str(), &at) == 0 ? at.st_size : -errno;
}

// S-VER-2
TEST_F(Versions, AnOpenHandleKeepsItsVersionOrGetsEstale) {
  HostileOrigin origin;
  origin.add("/f", kSize);
  const Mount mount(Manifest(origin.base()).file("/f", kSize));
  const Body old = origin.body("/f");
  const OpenedFile file(mount / "f", O_DIRECT);
  EXPECT_TRUE(old.matches(0, 65536, read_at(file.get(), 0, 65536).bytes));
  origin.change("/f");
  EXPECT_EQ(read_at(file.get(), 6u << 20, 4096).error, ESTALE);
  const auto cached = read_at(file.get(), 0, 65536);
  EXPECT_EQ(cached.error, 0);
  EXPECT_TRUE(old.matches(0, 65536, cached.bytes));
}

// S-VER-2
TEST_F(Versions, ANewOpenReadsTheNewContentUnderANewInode) {
  HostileOrigin origin;
  origin.add("/f", kSize);
  const Mount mount(Manifest(origin.base()).file("/f", kSize));
  const OpenedFile file(mount / "f", O_DIRECT);
  EXPECT_EQ(read_at(file.get(), 0, 65536).error, 0);
  const ino_t before = inode(mount / "f");
  origin.change("/f");
  EXPECT_EQ(read_at(file.get(), 6u << 20, 4096).error, ESTALE);
  const std::string text = mount.text("f");
  EXPECT_TRUE(origin.body("/f").matches(0, kSize, text));
  EXPECT_NE(inode(mount / "f"), before);
}

TEST_F(Versions, AnotherSizeIsSeenByANewOpen) {
  HostileOrigin origin;
  origin.add("/f", 100000);
  const Mount mount(Manifest(origin.base()).file("/f", {}), "revalidate=0");
  EXPECT_TRUE(origin.body("/f").matches(0, 100000, mount.text("f")));
  origin.change("/f", 250000);
  EXPECT_TRUE(origin.body("/f").matches(0, 250000, mount.text("f")));
  origin.change("/f", 7);
  EXPECT_TRUE(origin.body("/f").matches(0, 7, mount.text("f")));
}

// S-VER-4
TEST_F(Versions, AnOldPinIsCheckedAtOpenAndOnlyThen) {
  HostileOrigin origin;
  origin.add("/f", 4096);
  const Mount mount(Manifest(origin.base()).file("/f", {}), "revalidate=5");
  mount.text("f");
  const auto before = origin.count();
  mount.text("f");
  EXPECT_EQ(origin.count(), before);
  std::this_thread::sleep_for(5100ms);
  mount.text("f");
  EXPECT_GT(origin.count(), before);
}

// S-VER-4
TEST_F(Versions, AServerThatIsGoneDoesNotTakeAwayWhatIsCached) {
  HostileOrigin origin;
  origin.add("/f", 100000);
  const Mount mount(Manifest(origin.base()).file("/f", 100000), "revalidate=0,timeout=5");
  const std::string text = mount.text("f");
  origin.stop_listening();
  origin.drop_idle_connections();
  EXPECT_EQ(mount.text("f"), text);
}

// S-VER-4
TEST_F(Versions, APortalPageIsNoNewVersion) {
  HostileOrigin origin;
  origin.add("/f", 100000);
  const Mount mount(Manifest(origin.base()).file("/f", {}), "revalidate=0,timeout=5");
  const std::string text = mount.text("f");
  const ino_t before = inode(mount / "f");
  origin.behave("/f", {.portal = true});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(mount.text("f"), text);
  EXPECT_EQ(inode(mount / "f"), before);
  origin.behave("/f", {});
  origin.change("/f", 50000);
  EXPECT_TRUE(origin.body("/f").matches(0, 50000, mount.text("f")));
}

// S-VER-3
TEST_F(Versions, WhatTheManifestStatesIsNotReplaced) {
  HostileOrigin origin;
  origin.add("/size", 5000);
  origin.add("/etag", 5000);
  const Mount mount(
      Manifest(origin.base()).file("/size", 4000).file("/etag", 5000, "etag=\"something-else\""),
      "timeout=5");
  for (const char* name : {"size", "etag"}) {
    const int error = read_at(mount / name, 0, 100).error;
    EXPECT_TRUE(error == EIO || error == ESTALE) << name << ": " << std::strerror(error);
  }
}

// S-READ-1: each pass over the file is of one version, whatever happens meanwhile.
TEST_F(Versions, AReaderNeverSeesTwoVersionsInOneFile) {
  constexpr std::uint64_t kLength = 2u << 20;
  constexpr unsigned kVersions = 40;
  HostileOrigin origin;
  origin.add("/f", kLength);
  const Mount mount(Manifest(origin.base()).file("/f", kLength), "revalidate=0");
  std::atomic<bool> over{false};
  std::atomic<unsigned> whole{0}, stale{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      while (!over) {
        const OpenedFile file(mount / "f");
        std::string text;
        while (text.size() < kLength) {
          const ReadResult got = read_at(file.get(), text.size(), 131072);
          if (got.error != 0 || got.bytes.empty()) break;
          text += got.bytes;
        }
        bool of_one = text.empty();
        for (unsigned version = 0; version <= kVersions && !of_one; ++version) {
          of_one = !Body("/f", version).first_wrong(0, text);
        }
        EXPECT_TRUE(of_one) << text.size() << " bytes are of no single version";
        ++(text.size() == kLength ? whole : stale);
      }
    });
  }
  for (unsigned i = 0; i < kVersions; ++i) {
    std::this_thread::sleep_for(30ms);
    origin.change("/f");
  }
  EXPECT_TRUE(until([&] { return whole > 0; }, 30s)) << stale;
  over = true;
  for (auto& reader : readers) reader.join();
}

// S-NAME-4
TEST_F(Versions, AnUnknownSizeIsAskedForOnceAndNeverZero) {
  HostileOrigin origin;
  origin.add("/f", 123456);
  const Mount mount(Manifest(origin.base()).file("/f", {}));
  EXPECT_EQ(shell("ls " + mount.dir()).out, "f\n");
  EXPECT_EQ(size(mount / "f"), 123456);
  EXPECT_EQ(size(mount / "f"), 123456);
  ASSERT_EQ(origin.count(), 1u);
  EXPECT_EQ(origin.requests()[0].range(), "bytes=0-16383");
  EXPECT_TRUE(origin.body("/f").matches(0, 123456, mount.text("f")));
}

// S-VER-2
TEST_F(Versions, AttributesOfANameThatChangedAreOldNoLongerThanRevalidateSays) {
  HostileOrigin origin;
  origin.add("/f", kSize);
  const Mount mount(Manifest(origin.base()).file("/f", {}), "revalidate=1");
  {
    const OpenedFile file(mount / "f", O_DIRECT);
    EXPECT_EQ(read_at(file.get(), 0, 65536).error, 0);
    origin.change("/f", kSize + 1);
    EXPECT_EQ(read_at(file.get(), 6u << 20, 4096).error, ESTALE);
  }
  std::this_thread::sleep_for(1100ms);
  EXPECT_EQ(size(mount / "f"), static_cast<off_t>(kSize + 1));
}

// S-VER-2: a change is found by an open, whose second look at the name is beside other such
// lookups.
TEST_F(Versions, NamesThatChangeBesideEachOtherAreNeverStale) {
  constexpr unsigned kThreads = 6, kRounds = 150;
  HostileOrigin origin;
  Manifest manifest(origin.base());
  for (unsigned i = 0; i < kThreads; ++i) {
    origin.add("/f" + std::to_string(i), 4096);
    manifest.file("/f" + std::to_string(i), {});
  }
  const Mount mount(manifest, "revalidate=0");
  std::atomic<unsigned> wrong{0};
  std::vector<std::thread> readers;
  for (unsigned id = 0; id < kThreads; ++id) {
    readers.emplace_back([&, id] {
      const std::string path = "/f" + std::to_string(id);
      for (unsigned round = 1; round <= kRounds; ++round) {
        const std::uint64_t size = 4096 + round;
        origin.change(path, size);
        struct stat before {
        }, after{};
        const bool stat = ::stat((mount.dir() + path).c_str(), &before) == 0;
        const ReadResult got = read_at(mount.dir() + path, 0, 2 * size);
        const bool again = ::stat((mount.dir() + path).c_str(), &after) == 0;
        const bool right = got.error == 0 && got.bytes.size() == size &&
                           static_cast<std::uint64_t>(after.st_size) == size;
        if (stat && again && right) continue;
        if (++wrong > 3) continue;
        ADD_FAILURE() << path << " round " << round << ": stat " << stat << ", then " << again
                      << " " << after.st_size << "; read " << std::strerror(got.error) << ", "
                      << got.bytes.size() << " of " << size;
      }
    });
  }
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0u) << "of " << kThreads * kRounds;
}

TEST_F(Versions, AnUnknownSizeIsFoundWithoutRanges) {
  HostileOrigin origin;
  origin.add("/f", 123456, {.ranges = Ranges::ignored});
  const Mount mount(Manifest(origin.base()).file("/f", {}));
  EXPECT_EQ(size(mount / "f"), 123456);
  EXPECT_TRUE(origin.body("/f").matches(0, 123456, mount.text("f")));
}

TEST_F(Versions, EmptyFilesAreEmptyInAllStylesOfServers) {
  HostileOrigin origin;
  origin.add("/ok", 0, {.empty = Empty::ok});
  origin.add("/unsatisfiable", 0, {.empty = Empty::unsatisfiable});
  const Mount mount(
      Manifest(origin.base()).file("/ok", {}).file("/unsatisfiable", {}).file("/known", 0));
  for (const char* name : {"ok", "unsatisfiable", "known"}) {
    EXPECT_EQ(size(mount / name), 0) << name;
    EXPECT_EQ(read_at(mount / name, 0, 10).error, 0) << name;
    EXPECT_EQ(mount.text(name), "") << name;
  }
  EXPECT_EQ(origin.count("/known"), 0u);
}

TEST_F(Versions, AnEmptyFileAServerRefusesARangeOfIsNoWrongFile) {
  HostileOrigin origin;
  origin.add("/a", 0, {.empty = Empty::bad_request});
  origin.add("/b", 0, {.empty = Empty::backward_range});
  const Mount mount(Manifest(origin.base()).file("/a", {}).file("/b", {}), "timeout=5");
  for (const char* name : {"a", "b"}) {
    const off_t got = size(mount / name);
    EXPECT_TRUE(got == 0 || got == -EIO) << name << ": " << got;
  }
}

TEST_F(Versions, AFileMadeOfPartsReadsAsTheirJoin) {
  const Scratch scratch;
  const auto bytes = [](const std::string& name, std::size_t length) {
    return Body(name, 0).text(0, length);
  };
  scratch.write("tree/one", bytes("1", 400000));
  scratch.write("tree/two", bytes("2", 300000));
  const Nginx server(scratch / "tree");
  const Mount mount(Manifest(server.base())
                        .line("/joined\t350006\t-\t-\t-\t!part=100000+200000/400000 one"
                              "\t!part=base64:bWlkZGxlIQ==\t!part=0+149999 two")
                        .line("/slice\t4321\t-\t-\tone\t!off=77777/400000")
                        .line("/text\t7\t-\t-\t-\t!data=base64:bWlkZGxlIQ==")
                        .line("/folder/link\t-\t-\t-\t-\t!link=../slice"));
  const std::string joined =
      bytes("1", 400000).substr(100000, 200000) + "middle!" + bytes("2", 149999);
  EXPECT_EQ(mount.text("joined").size(), joined.size());
  EXPECT_TRUE(mount.text("joined") == joined);
  EXPECT_TRUE(read_at(mount / "joined", 199000, 3000).bytes == joined.substr(199000, 3000));
  EXPECT_TRUE(mount.text("slice") == bytes("1", 400000).substr(77777, 4321));
  EXPECT_EQ(mount.text("text"), "middle!");
  EXPECT_TRUE(mount.text("folder/link") == mount.text("slice"));
}

TEST_F(Versions, APlainListOfUrlsMounts) {
  const Scratch scratch;
  scratch.write("tree/a/one", Body("1", 0).text(0, 5000));
  const Nginx server(scratch / "tree");
  const std::string list = scratch.write("list", server.base() + "/a/one\n");
  const std::string dir = scratch / "mnt";
  ASSERT_EQ(run({"mkdir", dir}).ending, 0);
  const Outcome outcome = run({skimfs(), list, dir});
  ASSERT_TRUE(outcome.ok()) << outcome.all();
  const Outcome found =
      shell("cd " + dir + "; find . -type f -size -6000c -name one -exec cat {} +");
  EXPECT_EQ(found.out, Body("1", 0).text(0, 5000)) << found.err;
  EXPECT_TRUE(run({skimfs(), "umount", dir}).ok());
}

}  // namespace
}  // namespace skimfs::test
