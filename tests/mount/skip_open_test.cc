// SPDX-License-Identifier: MIT
//
// open=skip: a kernel that opens and closes files without asking.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/mount/fixture.h"
#include "tests/mount/nginx.h"
#include "tests/support/digests_of.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSize = 8u << 20;
constexpr char kSkip[] = "open=skip,revalidate=immutable";

class SkipOpen : public MountTest {
 protected:
  SkipOpen() { origin.add("/f", kSize); }
  Manifest manifest() const { return Manifest(origin.base()); }
  static std::uint64_t open_files(const Mount& mount) {
    return nlohmann::json::parse(mount.status()).at("open_files");
  }

  HostileOrigin origin;
};

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

// Of a refused mount.
std::string complaint(const std::string& options) {
  const Scratch scratch;
  const std::string dir = scratch / "mnt";
  EXPECT_TRUE(run({"mkdir", dir}).ok());
  const Outcome refused =
      run({skimfs(), scratch.write("manifest", "#skimfs 1\n"), dir, "-o", options});
  EXPECT_EQ(refused.ending, 1) << refused.all();
  EXPECT_EQ(mount_row(dir), "");
  return refused.err;
}

TEST_F(SkipOpen, IsRefusedWhereSomethingIsToHappenAtOpen) {
  EXPECT_NE(
      complaint("open=skip,revalidate=immutable,direct_io").find("open=skip does not go with"),
      std::string::npos);
  EXPECT_NE(complaint("open=skip").find("open=skip needs revalidate=immutable"), std::string::npos);
}

// S-OPEN-1
TEST_F(SkipOpen, ATreeIsCopiedWithoutAnOpenFileByFile) {
  constexpr int kFiles = 1500;  // more than are kept open
  const Scratch scratch;
  for (int i = 0; i < kFiles; ++i)
    scratch.write("tree/d" + std::to_string(i % 7) + "/f" + std::to_string(i),
                  Body(std::to_string(i), 0).text(0, 1000 + i * 7));
  const Nginx server(scratch / "tree");
  Mount mount(Manifest(server.base()).tree(scratch / "tree"), kSkip);
  const Outcome copied = shell("cp -r " + mount.dir() + " " + (scratch / "copy") + "; diff -r " +
                               (scratch / "tree") + " " + (scratch / "copy"));
  EXPECT_TRUE(copied.ok()) << copied.all();
  EXPECT_LE(open_files(mount), 1024u);
  EXPECT_TRUE(until([&] { return open_files(mount) == 0; }, 30s)) << "nobody reads";
  EXPECT_TRUE(shell("diff -r " + (scratch / "tree") + " " + mount.dir()).ok());
}

// S-OPEN-1
TEST_F(SkipOpen, MappedFilesAreReadAfterTheyWereClosed) {
  const Mount mount(manifest().file("/f", kSize), kSkip);
  const Body body = origin.body("/f");
  void* at = MAP_FAILED;
  {
    const OpenedFile file(mount / "f");
    at = ::mmap(nullptr, kSize, PROT_READ, MAP_SHARED, file.get(), 0);
  }
  ASSERT_NE(at, MAP_FAILED) << std::strerror(errno);
  const std::string_view bytes(static_cast<const char*>(at), kSize);
  EXPECT_TRUE(body.matches(0, 4096, bytes.substr(0, 4096)));
  EXPECT_TRUE(until([&] { return open_files(mount) == 0; }, 30s));
  EXPECT_TRUE(body.matches(0, kSize, bytes));
  ::munmap(at, kSize);
}

// S-OPEN-2
TEST_F(SkipOpen, AfterAReloadANameLeadsToTheNewContentAtOnce) {
  const Mount mount(manifest().file("/f", kSize), kSkip);
  EXPECT_TRUE(origin.body("/f").matches(0, kSize, mount.text("f")));
  for (int i = 0; i < 20; ++i) {
    const std::string path = "/n" + std::to_string(i);
    const std::uint64_t size = 1000 + i % 3;  // also one that was there before
    origin.add(path, size);
    EXPECT_TRUE(mount
                    .reload(manifest().line("/f\t" + std::to_string(size) + "\t-\t-\t" +
                                            origin.base() + path))
                    .ok());
    EXPECT_TRUE(origin.body(path).matches(0, size, mount.text("f"))) << i;
  }
  EXPECT_TRUE(mount.reload(manifest()).ok());
  EXPECT_EQ(read_at(mount / "f", 0, 1).error, ENOENT);
}

// S-OPEN-2
TEST_F(SkipOpen, WhoReadsDuringAReloadReadsOnInTheOldContent) {
  const Mount mount(manifest().file("/f", kSize), kSkip);
  const Body body = origin.body("/f");
  const OpenedFile file(mount / "f");
  EXPECT_TRUE(body.matches(0, 65536, read_at(file.get(), 0, 65536).bytes));
  origin.add("/s", 5);
  EXPECT_TRUE(mount.reload(manifest().line("/f\t5\t-\t-\t" + origin.base() + "/s")).ok());
  EXPECT_EQ(mount.text("f").size(), 5u);
  std::string text;
  for (ReadResult got{0, "-"}; got.error == 0 && !got.bytes.empty();) {
    got = read_at(file.get(), text.size(), 1u << 20);  // the last one reaches beyond the end
    EXPECT_EQ(got.error, 0) << std::strerror(got.error);
    text += got.bytes;
  }
  EXPECT_TRUE(body.matches(0, kSize, text)) << text.size();
  EXPECT_EQ(mount.text("f").size(), 5u);
  struct stat at {};
  EXPECT_EQ(::fstat(file.get(), &at), -1);
  EXPECT_EQ(errno, ESTALE);
  EXPECT_TRUE(until([&] { return open_files(mount) == 0; }, 30s));
  const OpenedFile direct("/proc/self/fd/" + std::to_string(file.get()), O_DIRECT);
  EXPECT_LT(direct.get(), 0) << "nobody can open it any more";
}

// S-OPEN-2: what has ended and was not read for five seconds is closed.
TEST_F(SkipOpen, AnOldVersionThatNobodyReadsIsStale) {
  const Mount mount(manifest().file("/f", kSize), kSkip);
  const OpenedFile file(mount / "f", O_DIRECT);
  EXPECT_EQ(read_at(file.get(), 0, 4096).error, 0);
  EXPECT_TRUE(mount.reload(manifest()).ok());
  EXPECT_EQ(read_at(file.get(), 4096, 4096).error, 0);
  EXPECT_TRUE(until([&] { return open_files(mount) == 0; }, 30s));
  EXPECT_EQ(read_at(file.get(), 0, 4096).error, ESTALE);
}

// S-OPEN-3
TEST_F(SkipOpen, AFileThatChangedAfterAllIsSoonTheNewOne) {
  for (const bool stated : {true, false}) {
    origin.add("/f", kSize);
    const Mount mount(manifest().file("/f", stated ? std::optional(kSize) : std::nullopt), kSkip);
    for (const std::uint64_t at : {7u << 20, 2u << 20, 5u << 20}) {
      const Body old = origin.body("/f");
      EXPECT_TRUE(old.matches(0, 4096, read_at(mount / "f", 0, 4096, O_DIRECT).bytes));
      origin.change("/f");
      EXPECT_EQ(read_at(mount / "f", at, 4096, O_DIRECT).error, ESTALE);
      const auto end = std::chrono::steady_clock::now() + 20s;  // a second or two
      ReadResult got;
      do {
        got = read_at(mount / "f", at, 4096, O_DIRECT);
        EXPECT_TRUE(got.error == 0 || got.error == ESTALE) << std::strerror(got.error);
      } while (got.error != 0 && std::chrono::steady_clock::now() < end);
      EXPECT_TRUE(origin.body("/f").matches(at, 4096, got.bytes)) << stated << at;
    }
    EXPECT_TRUE(origin.body("/f").matches(0, kSize, mount.text("f"))) << stated;
  }
}

// S-READ-1, S-OPEN-3: each pass over the file is of one version, whatever happens meanwhile.
TEST_F(SkipOpen, AReaderNeverSeesTwoVersionsInOneFile) {
  constexpr std::uint64_t kLength = 2u << 20;
  constexpr unsigned kVersions = 10;
  origin.add("/f", kLength);
  const Mount mount(manifest().file("/f", kLength), kSkip);
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
        for (unsigned version = 0; version <= kVersions && !of_one; ++version)
          of_one = !Body("/f", version).first_wrong(0, text);
        EXPECT_TRUE(of_one) << text.size() << " bytes are of no single version";
        ++(text.size() == kLength ? whole : stale);
      }
    });
  }
  const OpenedFile prodder(mount / "f", O_DIRECT);
  for (unsigned i = 0; i < kVersions; ++i) {
    std::this_thread::sleep_for(300ms);
    origin.change("/f");
    const std::uint64_t evicting = (i % 8) * 262144;
    ::posix_fadvise(prodder.get(), 0, 0, POSIX_FADV_DONTNEED);
    read_at(prodder.get(), evicting, 4096);
  }
  EXPECT_TRUE(until([&] { return whole > 0; }, 30s)) << stale;
  over = true;
  for (auto& reader : readers) reader.join();
}

// S-OPEN-4: what an open refuses elsewhere is refused by the first read.
TEST_F(SkipOpen, ErrorsOfAnOpenComeWithTheFirstRead) {
  origin.add("/gone", 5000, {.status = 404});
  const std::string digest = "blake3:" + std::string(64, '0');
  const Mount mount(manifest().file("/gone", 5000).line("/f\t5000\t-\t" + digest + "\t="),
                    std::string(kSkip) + ",verify=strict,timeout=5");
  for (const auto& [name, error] : {std::pair{"gone", ESTALE}, {"f", EIO}}) {
    const OpenedFile file(mount / name);
    EXPECT_GE(file.get(), 0) << name;
    EXPECT_EQ(read_at(file.get(), 0, 100).error, error) << name;
  }
}

// S-OPEN-4
TEST_F(SkipOpen, AFileFoundWrongAtItsEndIsRefusedSoon) {
  const std::string text = origin.body("/f").text(0, kSize);
  const std::string digest = digest_of(std::as_bytes(std::span(text)));
  const Mount mount(manifest().line("/f\t" + std::to_string(kSize) + "\t-\t" + digest + "\t="),
                    std::string(kSkip) + ",verify_whole=1M");
  origin.rewrite("/f");
  EXPECT_FALSE(run({"cp", mount / "f", "/dev/null"}).ok());
  EXPECT_TRUE(until([&] { return read_at(mount / "f", 0, 100).error == EIO; }, 30s));
  EXPECT_EQ(read_at(mount / "f", 0, 100).error, EIO);
}

TEST_F(SkipOpen, WritingIsRefusedAllTheSame) {
  const Mount mount(manifest().file("/f", kSize), kSkip);
  for (const int how : {O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC}) {
    EXPECT_EQ(::open((mount / "f").c_str(), how), -1);
    EXPECT_EQ(errno, EROFS);
  }
}

}  // namespace
}  // namespace skimfs::test
