// SPDX-License-Identifier: MIT
//
// Files at several servers: one dies, one is wrong, all are away.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/mount/fixture.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

using Mirrors = MountTest;

constexpr std::uint64_t kSize = 8u << 20;
constexpr std::size_t kChunk = 65536;

// "/f" of `first`, and of the others as its mirrors.
Manifest file_at(const HostileOrigin& first, const std::vector<const HostileOrigin*>& mirrors,
                 std::string tail = {}, std::uint64_t size = kSize) {
  for (const HostileOrigin* mirror : mirrors) tail += "\tmirror=" + mirror->url("/f");
  if (tail.starts_with('\t')) tail.erase(0, 1);
  return Manifest(first.base()).file("/f", size, tail);
}

class OpenedFile {
 public:
  explicit OpenedFile(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT)) {}
  OpenedFile(const OpenedFile&) = delete;
  OpenedFile& operator=(const OpenedFile&) = delete;
  ~OpenedFile() { ::close(fd_); }
  ReadResult read(std::uint64_t offset, std::size_t length = kChunk) const {
    return read_at(fd_, offset, length);
  }
  // Again while it fails: a pause of this machine may be longer than the deadline.
  ReadResult read_at_last(std::uint64_t offset) const {
    ReadResult got;
    until([&] { return (got = read(offset)).error == 0; }, 40s);
    return got;
  }

 private:
  int fd_;
};

// Connects are refused, and so is what still comes over connections that are open.
void die(HostileOrigin& origin, Behaviour behaviour = {}) {
  behaviour.stop_after = 0;
  behaviour.ending = Ending::reset;
  origin.behave("/f", behaviour);
  origin.stop_listening();
  origin.drop_idle_connections();
}
void revive(HostileOrigin& origin) {
  origin.behave("/f", {});
  origin.listen_again();
}

// A tag of the server's own.
Behaviour tagged(const std::string& tag) {
  return {.validators = Validators::none,
          .heed_conditions = false,
          .headers = {"ETag: \"" + tag + '"'}};
}

std::string xattr(const std::string& path, const char* name) {
  char value[256];
  const auto length = ::getxattr(path.c_str(), name, value, sizeof value);
  return length < 0 ? std::strerror(errno) : std::string(value, static_cast<std::size_t>(length));
}

// The figures may be some milliseconds old.
bool has_switched(const Mount& mount) {
  const auto switched = [&] {
    return nlohmann::json::parse(mount.status())["fetch"]["mirror_switches"] > 0;
  };
  return until(switched, kAtOnce);
}

// S-MIRROR-1
TEST_F(Mirrors, AServerThatBreaksOffInTheMiddleOfEachAnswerIsNotNoticed) {
  HostileOrigin one, two;
  one.add("/f", kSize, {.stop_after = 100000, .ending = Ending::reset});
  two.add("/f", kSize);
  const Mount mount(file_at(one, {&two}));
  EXPECT_TRUE(two.body("/f").matches(0, kSize, mount.text("f")));
  EXPECT_TRUE(has_switched(mount));
  EXPECT_EQ(xattr(mount / "f", "user.skimfs.mirror"), two.url("/f"));
}

// S-MIRROR-1
TEST_F(Mirrors, AReaderGoesOnWhenItsServerDies) {
  constexpr std::uint64_t kFar = 4 * kSize;  // a quarter is more than is read ahead
  HostileOrigin one, two, three;
  for (HostileOrigin* each : {&one, &two, &three}) each->add("/f", kFar);
  const Mount mount(file_at(one, {&two, &three}, {}, kFar), "timeout=20,memory=16M");
  const OpenedFile file(mount / "f");
  const Body body = one.body("/f");
  for (std::uint64_t at = 0; at < kFar; at += kChunk) {
    if (at == kFar / 4) die(one);
    if (at == kFar / 2) die(two);
    const ReadResult got = file.read(at);
    ASSERT_EQ(got.error, 0) << at << ": " << std::strerror(got.error);
    ASSERT_TRUE(body.matches(at, kChunk, got.bytes)) << at;
  }
  EXPECT_GT(three.count(), 0u);
}

// S-MIRROR-2
TEST_F(Mirrors, OtherBytesUnderAnotherTagNeverMixIn) {
  HostileOrigin one, two;
  one.add("/f", kSize);
  two.add("/f", kSize);
  two.change("/f");
  const Mount mount(file_at(one, {&two}), "timeout=3");
  const OpenedFile file(mount / "f");
  const Body body = one.body("/f");
  EXPECT_TRUE(body.matches(0, kChunk, file.read_at_last(0).bytes));
  die(one);
  const auto refused_by_two = [&] {
    const int error = file.read(kSize / 2).error;
    EXPECT_TRUE(error == EIO || error == ETIMEDOUT) << std::strerror(error);
    return two.count() > 0;
  };
  EXPECT_TRUE(until(refused_by_two, 20s)) << "it was asked, and what it has was not used";
  revive(one);
  EXPECT_TRUE(body.matches(kSize / 2, kChunk, file.read_at_last(kSize / 2).bytes))
      << "and the file is the same as before";
}

// S-MIRROR-2: without tags nothing proves the mirror, so it is not even asked.
TEST_F(Mirrors, WhatNothingProvesIsNotUsed) {
  const Behaviour untagged{.validators = Validators::date_only};
  HostileOrigin one, two;
  one.add("/f", kSize, untagged);
  two.add("/f", kSize, untagged);
  const Mount mount(file_at(one, {&two}), "timeout=3");
  const OpenedFile file(mount / "f");
  EXPECT_EQ(file.read_at_last(0).error, 0);
  die(one, untagged);
  EXPECT_NE(file.read(kSize / 2).error, 0);
  EXPECT_EQ(two.count(), 0u);
}

// S-MIRROR-2
TEST_F(Mirrors, TagsThatTheManifestStatesForBothBindThem) {
  HostileOrigin one, two;
  one.add("/f", kSize, tagged("at-one"));
  two.add("/f", kSize, tagged("at-two"));
  const Mount mount(
      Manifest(one.base())
          .file("/f", kSize, "etag=\"at-one\"\tmirror=" + two.url("/f") + " \"at-two\""));
  const OpenedFile file(mount / "f");
  EXPECT_EQ(file.read(0).error, 0);
  die(one, tagged("at-one"));
  EXPECT_TRUE(one.body("/f").matches(kSize / 2, kChunk, file.read(kSize / 2).bytes));
}

// S-MIRROR-1
TEST_F(Mirrors, WhenAllHaveFailedTheFirstSaysWhy) {
  HostileOrigin one, two;
  one.add("/f", kSize, {.status = 403});
  two.add("/f", kSize, {.status = 404});
  const Mount mount(file_at(one, {&two}));
  EXPECT_EQ(read_at(mount / "f", 0, 100).error, EACCES);
  one.behave("/f", {.status = 404});
  two.behave("/f", {.status = 403});
  EXPECT_EQ(read_at(mount / "f", 0, 100).error, ESTALE);
  one.behave("/f", {});
  EXPECT_TRUE(one.body("/f").matches(0, 100, read_at(mount / "f", 0, 100).bytes));
}

// S-MIRROR-1
TEST_F(Mirrors, AllAwayIsAnErrorInTime) {
  HostileOrigin one, two;
  one.add("/f", kSize);
  two.add("/f", kSize);
  const Mount mount(file_at(one, {&two}), "timeout=3");
  die(one);
  die(two);
  const int error = read_at(mount / "f", 0, 100).error;
  EXPECT_TRUE(error == EIO || error == ETIMEDOUT) << std::strerror(error);
}

// S-MIRROR-3
TEST_F(Mirrors, TheFirstServerIsUsedAgainWhenItIsBack) {
  HostileOrigin one, two;
  one.add("/f", kSize);
  two.add("/f", kSize);
  const Mount mount(file_at(one, {&two}));
  const OpenedFile file(mount / "f");
  die(one);
  EXPECT_EQ(file.read(0).error, 0);
  EXPECT_EQ(xattr(mount / "f", "user.skimfs.mirror"), two.url("/f"));
  revive(one);
  // Pages here and there, so that each is a request of its own.
  const auto until = std::chrono::steady_clock::now() + 30s;
  for (std::uint64_t i = 1; xattr(mount / "f", "user.skimfs.mirror") != one.url("/f"); ++i) {
    ASSERT_LT(std::chrono::steady_clock::now(), until);
    std::this_thread::sleep_for(100ms);
    const std::uint64_t at = i * 1237 % (kSize / 4096) * 4096;
    const ReadResult got = file.read(at, 4096);
    ASSERT_TRUE(one.body("/f").matches(at, 4096, got.bytes)) << at;
  }
}

// S-MIRROR-4
TEST_F(Mirrors, AMirrorThatChangesEndsNoVersion) {
  HostileOrigin one, two;
  one.add("/f", kSize);
  two.add("/f", kSize);
  const Mount mount(file_at(one, {&two}), "revalidate=0");
  EXPECT_TRUE(one.body("/f").matches(0, kSize, mount.text("f")));
  struct stat before {
  }, after{};
  ASSERT_EQ(::stat((mount / "f").c_str(), &before), 0);
  two.change("/f");
  EXPECT_TRUE(one.body("/f").matches(0, kSize, mount.text("f")));
  die(one);
  EXPECT_TRUE(one.body("/f").matches(0, kSize, mount.text("f"))) << "cached";
  ASSERT_EQ(::stat((mount / "f").c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(Mirrors, ASizeIsAskedOfAMirrorWhereTheFirstHasNone) {
  HostileOrigin one, two;
  two.add("/f", 12345);
  const Mount mount(Manifest(one.base()).file("/f", {}, "mirror=" + two.url("/f")));
  EXPECT_TRUE(two.body("/f").matches(0, 12345, mount.text("f")));
}

// S-VER-1
TEST_F(Mirrors, ByTimeReplicasMayDisagreeOnTheirTags) {
  HostileOrigin origin;
  origin.add("/strict", kSize, {.validators = Validators::flipping});
  origin.add("/entry", kSize, {.validators = Validators::flipping});
  origin.add("/mount", kSize, {.validators = Validators::flipping});
  Manifest manifest(origin.base());
  manifest.file("/strict", kSize, "validator=strict")
      .file("/entry", kSize, "validator=time")
      .file("/mount", kSize);
  const Mount mount(manifest, "validator=time");
  for (const std::string name : {"entry", "mount"})
    EXPECT_TRUE(origin.body("/" + name).matches(0, kSize, mount.text(name))) << name;
  // A change is seen all the same.
  const OpenedFile file(mount / "entry");
  origin.change("/entry");
  origin.behave("/entry", {.validators = Validators::flipping});
  EXPECT_EQ(file.read(0).error, 0) << "cached";
  EXPECT_TRUE(
      origin.body("/strict").matches(0, kChunk, read_at(mount / "strict", 0, kChunk).bytes));
}

}  // namespace
}  // namespace skimfs::test
