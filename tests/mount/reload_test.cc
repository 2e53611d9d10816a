// SPDX-License-Identifier: MIT
//
// Another manifest under a mount that is in use.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "tests/mount/fixture.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSize = 1u << 20;

struct stat status_of(const std::string& path) {
  struct stat at {};
  EXPECT_EQ(::stat(path.c_str(), &at), 0) << path << ": " << std::strerror(errno);
  return at;
}

int error_of(const std::string& path) {
  struct stat at {};
  return ::stat(path.c_str(), &at) == 0 ? 0 : errno;
}

std::set<std::string> names_in(const std::string& directory) {
  std::set<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), ::closedir);
  while (const dirent* const entry = ::readdir(open.get()))
    if (entry->d_name[0] != '.') {
      EXPECT_TRUE(names.insert(entry->d_name).second) << entry->d_name;
    }
  return names;
}

class Reload : public MountTest {
 protected:
  Reload() {
    for (const char* path : {"/a", "/b", "/c"}) origin.add(path, kSize);
  }
  Manifest manifest() const { return Manifest(origin.base()); }

  HostileOrigin origin;
};

// S-RELOAD-1, S-RELOAD-3: row 55 of the fault matrix.
TEST_F(Reload, TellsWhatChangedAndShowsItAtOnce) {
  const Mount mount(manifest().file("/a", kSize).file("/b", kSize));
  const auto a = status_of(mount / "a");
  const auto b = status_of(mount / "b");
  EXPECT_EQ(names_in(mount.dir()), (std::set<std::string>{"a", "b"}));
  origin.add("/b", 1000);
  const Outcome done =
      mount.reload(manifest().file("/c", kSize).file("/b", 1000).file("/a", kSize));
  EXPECT_TRUE(done.ok()) << done.all();
  EXPECT_EQ(done.out, "+1 -0 ~1 =1\n");
  EXPECT_EQ(names_in(mount.dir()), (std::set<std::string>{"a", "b", "c"}));
  EXPECT_EQ(status_of(mount / "a").st_ino, a.st_ino);
  EXPECT_EQ(status_of(mount / "b").st_size, 1000);
  EXPECT_NE(status_of(mount / "b").st_ino, b.st_ino);
  EXPECT_TRUE(origin.body("/c").matches(0, kSize, mount.text("c")));
  EXPECT_TRUE(origin.body("/b").matches(0, 1000, mount.text("b")));
  EXPECT_TRUE(mount.await_log("ev=reload", 10s)) << mount.log();
  const auto told = nlohmann::json::parse(mount.status()).at("manifest");
  EXPECT_EQ(told.at("files"), 3);
  EXPECT_EQ(told.at("reloads"), 1);
  EXPECT_EQ(told.at("failed_reloads"), 0);
}

// S-RELOAD-3
TEST_F(Reload, WhatIsRemovedIsGoneAtOnce) {
  const Mount mount(manifest().file("/a", kSize).file("/b", kSize));
  status_of(mount / "b");
  EXPECT_EQ(mount.reload(manifest().file("/a", kSize)).out, "+0 -1 ~0 =1\n");
  EXPECT_EQ(error_of(mount / "b"), ENOENT);
  EXPECT_EQ(names_in(mount.dir()), std::set<std::string>{"a"});
}

// S-RELOAD-3: a name that was looked for in vain.
TEST_F(Reload, WhatWasMissingIsFoundSoon) {
  const Mount mount(manifest().file("/a", kSize));
  EXPECT_EQ(error_of(mount / "c"), ENOENT);
  EXPECT_TRUE(mount.reload(manifest().file("/a", kSize).file("/c", kSize)).ok());
  EXPECT_TRUE(until([&] { return error_of(mount / "c") == 0; }, 20s));
}

// S-RELOAD-2
TEST_F(Reload, HandlesGoOnWithTheirs) {
  const Mount mount(manifest().file("/a", kSize));
  const int file = ::open((mount / "a").c_str(), O_RDONLY | O_DIRECT);
  ASSERT_GE(file, 0);
  EXPECT_TRUE(origin.body("/a").matches(0, 4096, read_at(file, 0, 4096).bytes));
  origin.add("/s", 5);
  EXPECT_TRUE(mount.reload(manifest().line("/a\t5\t-\t-\t" + origin.base() + "/s")).ok());
  struct stat at {};
  EXPECT_EQ(::fstat(file, &at), 0) << std::strerror(errno);
  EXPECT_EQ(at.st_size, static_cast<off_t>(kSize));
  EXPECT_TRUE(
      origin.body("/a").matches(kSize - 4096, 4096, read_at(file, kSize - 4096, 4096).bytes));
  EXPECT_EQ(mount.text("a").size(), 5u);
  ::close(file);
}

// S-RELOAD-1
TEST_F(Reload, AnotherModeAndTimeAreSeenAtOnceAndCostNoBytes) {
  const Mount mount(manifest().file("/a", kSize, "mode=644"));
  const auto before = status_of(mount / "a");
  mount.text("a");
  const auto requests = origin.count();
  EXPECT_TRUE(mount.reload(manifest().file("/a", kSize, "mode=755")).ok());
  EXPECT_EQ(status_of(mount / "a").st_ino, before.st_ino);
  EXPECT_EQ(status_of(mount / "a").st_mode & 0777, 0555u);
  mount.text("a");
  EXPECT_EQ(origin.count(), requests);
}

// S-RELOAD-5: row 54 of the fault matrix.
TEST_F(Reload, ABadManifestKeepsTheOldOne) {
  const Mount mount(manifest().file("/a", kSize));
  mount.rewrite("#skimfs 1\n/a\tmuch\n");
  const Outcome refused = run({skimfs(), "reload", mount.dir()});
  EXPECT_EQ(refused.ending, 1) << refused.all();
  EXPECT_NE(refused.err.find("manifest:2:"), std::string::npos) << refused.err;
  EXPECT_TRUE(mount.await_log("ev=manifest_error", 10s)) << mount.log();
  EXPECT_TRUE(origin.body("/a").matches(0, kSize, mount.text("a")));
  mount.rewrite("");
  EXPECT_EQ(run({skimfs(), "reload", mount.dir()}).ending, 1);
  EXPECT_TRUE(mount.reload(manifest().file("/b", kSize)).ok()) << "and the next one may be good";
  EXPECT_TRUE(origin.body("/b").matches(0, kSize, mount.text("b")));
}

// S-RELOAD-5
TEST_F(Reload, AManifestThatIsCutShortKeepsTheOldOne) {
  const Mount mount(manifest().file("/a", kSize));
  const std::string whole = manifest().file("/a", kSize).file("/b", kSize).text();
  mount.rewrite(whole.substr(0, whole.find("/b")));
  EXPECT_EQ(run({skimfs(), "reload", mount.dir()}).ending, 1);
  EXPECT_EQ(names_in(mount.dir()), std::set<std::string>{"a"});
}

TEST_F(Reload, ASignalDoesItToo) {
  Mount mount(manifest().file("/a", kSize));
  mount.rewrite(manifest().file("/b", kSize).text());
  mount.daemon().signal(SIGHUP);
  EXPECT_TRUE(mount.await_log("ev=reload", 5s)) << mount.log();
  EXPECT_EQ(names_in(mount.dir()), std::set<std::string>{"b"});
}

TEST_F(Reload, NobodyThereIsSaid) {
  const Scratch scratch;
  const Outcome refused = run({skimfs(), "reload", scratch.path()});
  EXPECT_EQ(refused.ending, 3) << refused.all();
  EXPECT_NE(refused.err.find("no skimfs is mounted there"), std::string::npos);
  EXPECT_EQ(run({skimfs(), "reload"}).ending, 2);
}

// S-RELOAD-3: no name twice, none that was always there left out.
TEST_F(Reload, AListingThatHasBegunEndsWithTheNamesItBeganWith) {
  constexpr int kFiles = 5000;
  const auto with = [&](const std::string& letter) {
    Manifest many = manifest();
    for (int i = 0; i < kFiles; ++i)
      many.line("/d/" + letter + std::to_string(i) + "\t1\t-\t-\t" + origin.base() + "/a");
    return many;
  };
  const Mount mount(with("old"));
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir((mount / "d").c_str()), ::closedir);
  ASSERT_NE(open, nullptr);
  std::set<std::string> names;
  for (int i = 0; i < 10; ++i) names.insert(::readdir(open.get())->d_name);
  EXPECT_TRUE(mount.reload(with("new")).ok());
  while (const dirent* const entry = ::readdir(open.get())) names.insert(entry->d_name);
  names.erase(".");
  names.erase("..");
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kFiles));
  for (const std::string& name : names) EXPECT_EQ(name.substr(0, 3), "old");
  const auto now = names_in(mount / "d");
  EXPECT_EQ(now.size(), static_cast<std::size_t>(kFiles));
  for (const std::string& name : now) EXPECT_EQ(name.substr(0, 3), "new");
}

// S-RELOAD-3: its end tells the kernel nothing of what is past.
TEST_F(Reload, AListingThatHasBegunBringsBackNoOldAttributes) {
  constexpr int kFiles = 2000;
  const auto with = [&](const std::string& mode) {
    Manifest many = manifest();
    for (int i = 0; i < kFiles; ++i)
      many.line("/d/" + std::to_string(i) + "\t1\t-\t-\t" + origin.base() + "/a\tmode=" + mode);
    return many;
  };
  const Mount mount(with("444"));
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir((mount / "d").c_str()), ::closedir);
  ASSERT_NE(open, nullptr);
  ::readdir(open.get());
  status_of(mount / "d/0");  // readdirplus goes on for who asks for attributes, too
  EXPECT_TRUE(mount.reload(with("555")).ok());
  while (::readdir(open.get()) != nullptr) continue;
  for (int i = 0; i < kFiles; ++i)
    ASSERT_EQ(status_of(mount / ("d/" + std::to_string(i))).st_mode & 0777, 0555u) << i;
}

// S-RELOAD-3
TEST_F(Reload, ALinkLeadsWhereItLeadsNow) {
  const auto with = [&](const std::string& to) {
    return manifest().file("/a", kSize).file("/b", kSize).line("/l\t-\t-\t-\t-\t!link=" + to);
  };
  const Mount mount(with("a"));
  EXPECT_TRUE(origin.body("/a").matches(0, kSize, mount.text("l")));
  EXPECT_TRUE(mount.reload(with("b")).ok());
  EXPECT_TRUE(origin.body("/b").matches(0, kSize, mount.text("l")));
}

// S-RELOAD-3
TEST_F(Reload, AnotherOrderIsListed) {
  const Mount mount(manifest().file("/a", kSize).file("/b", kSize));
  const auto order = [&] { return shell("ls -U " + mount.dir()).out; };
  EXPECT_EQ(order(), "a\nb\n");
  EXPECT_EQ(mount.reload(manifest().file("/b", kSize).file("/a", kSize)).out, "+0 -0 ~0 =2\n");
  EXPECT_EQ(order(), "b\na\n");
}

// S-RELOAD-1: what stays is never disturbed, whatever comes and goes beside it.
TEST_F(Reload, ReadersOfWhatStaysSeeNothingOfManyReloads) {
  const Mount mount(manifest().file("/a", kSize).file("/b", kSize), "memory=16M");
  const ino_t inode = status_of(mount / "a").st_ino;
  const Body body = origin.body("/a");
  std::atomic<bool> stop{false};
  std::atomic<int> rounds{0};
  std::thread reader([&] {
    while (!stop) {
      EXPECT_TRUE(body.matches(0, kSize, mount.text("a")));
      EXPECT_EQ(status_of(mount / "a").st_ino, inode);
      EXPECT_TRUE(names_in(mount.dir()).contains("a"));
      ++rounds;
    }
  });
  for (int i = 0; i < 30 || rounds <= 10; ++i) {
    Manifest next = manifest();
    if (i % 2 == 0) next.file("/c", kSize);
    next.file("/a", kSize).line("/b\t" + std::to_string(i) + "\t-\t-\t" + origin.base() + "/b");
    EXPECT_TRUE(mount.reload(next).ok());
    EXPECT_TRUE(until([&] { return status_of(mount / "b").st_size == i; }, 10s)) << i;
  }
  stop = true;
  reader.join();
}

// A mount ends while it reads a manifest.
TEST_F(Reload, StopsInTime) {
  Mount mount(manifest().file("/a", kSize));
  Manifest large = manifest();
  for (int i = 0; i < 300'000; ++i)
    large.line("/d" + std::to_string(i % 100) + "/f" + std::to_string(i) + "\t1\t-\t-\t" +
               origin.base() + "/a");
  mount.rewrite(large.text());
  mount.daemon().signal(SIGHUP);
  EXPECT_LT(mount.stop(), kAtOnce);
}

}  // namespace
}  // namespace skimfs::test
