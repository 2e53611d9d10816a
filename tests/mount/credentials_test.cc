// SPDX-License-Identifier: MIT
//
// Credentials in a real mount: where they go, and everywhere they must not be seen.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/mount/fixture.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSize = 100'000;
constexpr const char* kCanary = "canary-7f3a";

std::string whole_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class MountCredentials : public MountTest {
 protected:
  MountCredentials() {
    for (const char* path : {"/own", "/open", "/lent"}) origin_.add(path, kSize);
    origin_.behave("/lent", {.location = other_.url("/lent?signature=1")});
    other_.add("/lent", kSize);
    other_.add("/foreign", kSize);
    secret("token", kCanary);
    conf_ = secret("auth.conf",
                   "[p]\nmatch = " + origin_.base() + "/\nbearer_file = " + (scratch_ / "token"));
    manifest_.file("/own", kSize, "auth=p")
        .file("/open", kSize)
        .file("/lent", kSize, "auth=p")
        .line("/foreign\t100000\t-\t-\t" + other_.url("/foreign") + "\tauth=p")
        .file("/nobody", kSize, "auth=q");
  }

  std::string secret(const std::string& name, const std::string& text) {
    const std::string path = scratch_.write(name, text);
    EXPECT_EQ(::chmod(path.c_str(), 0600), 0);
    return path;
  }
  std::string options() const { return "timeout=5,auth_file=" + conf_; }
  static unsigned carrying(const HostileOrigin& origin, const std::string& what,
                           const std::string& target = {}) {
    unsigned count = 0;
    for (const RequestRecord& request : origin.requests()) {
      if (!target.empty() && request.target != target) continue;
      for (const auto& [name, value] : request.headers)
        count += value.find(what) != std::string::npos;
    }
    return count;
  }

  HostileOrigin origin_, other_;
  Manifest manifest_{origin_.base()};
  Scratch scratch_;
  std::string conf_;
};

// S-SEC-1
TEST_F(MountCredentials, GoToTheirServersOnly) {
  const Mount mount(manifest_, options());
  EXPECT_TRUE(origin_.body("/own").matches(0, kSize, mount.text("own")));
  EXPECT_TRUE(origin_.body("/open").matches(0, kSize, mount.text("open")));
  EXPECT_TRUE(other_.body("/lent").matches(0, kSize, mount.text("lent")));
  EXPECT_GT(carrying(origin_, kCanary, "/own"), 0u);
  EXPECT_GT(carrying(origin_, kCanary, "/lent"), 0u);
  EXPECT_EQ(carrying(origin_, kCanary, "/open"), 0u) << "its line names no profile";
  EXPECT_GT(other_.count(), 0u);
  EXPECT_EQ(carrying(other_, kCanary), 0u);
}

// S-SEC-1
TEST_F(MountCredentials, AFileThatItsProfileDoesNotCoverIsDeniedAndNotAskedFor) {
  const Mount mount(manifest_, options());
  for (const char* name : {"foreign", "nobody"})
    EXPECT_EQ(read_at(mount / name, 0, 10, O_DIRECT).error, EACCES) << name;
  EXPECT_EQ(other_.count(), 0u);
  EXPECT_EQ(origin_.count(), 0u);
  EXPECT_TRUE(mount.await_log("profile=p detail=\"URL\\x20outside\\x20its\\x20list\"", 20s));
  EXPECT_TRUE(mount.await_log("profile=q detail=\"unknown\\x20profile\"", 20s)) << mount.log();
}

// S-SEC-3
TEST_F(MountCredentials, AChangedTokenIsSentWithoutANewMount) {
  const Mount mount(manifest_, options() + ",revalidate=0");
  EXPECT_EQ(read_at(mount / "own", 0, 10, O_DIRECT).error, 0);
  secret("token.new", "rotated-91c2");
  std::filesystem::rename(scratch_ / "token.new", scratch_ / "token");
  for (int i = 0; i < 100 && carrying(origin_, "rotated-91c2") == 0; ++i) {
    std::this_thread::sleep_for(100ms);
    read_at(mount / "own", 0, 10, O_DIRECT);  // its open asks
  }
  EXPECT_GT(carrying(origin_, "rotated-91c2"), 0u);
}

// S-SEC-4
TEST_F(MountCredentials, AreSeenNowhere) {
  origin_.behave("/own", {.status = 401}, 1);
  Mount mount(manifest_, options() + ",log=debug");
  for (const char* name : {"own", "own", "lent", "foreign"}) read_at(mount / name, 0, 10, O_DIRECT);
  EXPECT_GT(carrying(origin_, kCanary), 0u);
  const std::string proc = "/proc/" + std::to_string(mount.daemon().pid());
  std::string seen = mount.log() + mount.status() + whole_file(proc + "/cmdline") +
                     whole_file(proc + "/environ") + whole_file("/proc/self/mountinfo");
  for (const char* name : {"own", "lent", "foreign"}) {
    std::array<char, 65536> text;
    const std::string path = mount / name;
    for (const char* key : {"user.skimfs.url", "user.skimfs.error", "user.skimfs.etag"}) {
      const ssize_t length = ::getxattr(path.c_str(), key, text.data(), text.size());
      if (length > 0) seen.append(text.data(), static_cast<std::size_t>(length));
    }
  }
  EXPECT_EQ(seen.find(kCanary), std::string::npos);
  EXPECT_EQ(seen.find("signature=1"), std::string::npos) << "of the redirect";
}

// S-SEC-2
TEST_F(MountCredentials, AnUnsafeFileThatWasNamedRefusesTheMount) {
  ASSERT_EQ(::chmod((scratch_ / "token").c_str(), 0644), 0);
  const std::string manifest = scratch_.write("m.skimfs", manifest_.text());
  std::filesystem::create_directory(scratch_ / "mnt");
  const Outcome outcome = run({skimfs(), manifest, scratch_ / "mnt", "-o", options()});
  EXPECT_EQ(outcome.ending, 1) << outcome.all();
  EXPECT_NE(outcome.err.find((scratch_ / "token") + ": open to group or others"), std::string::npos)
      << outcome.all();
  EXPECT_EQ(outcome.all().find(kCanary), std::string::npos);
  EXPECT_EQ(mount_row(scratch_ / "mnt"), "");
}

TEST_F(MountCredentials, AStandardProfileIsForWhatNamesNone) {
  const Mount mount(manifest_, options() + ",auth=p");
  EXPECT_TRUE(origin_.body("/open").matches(0, kSize, mount.text("open")));
  EXPECT_GT(carrying(origin_, kCanary, "/open"), 0u);
  const std::string manifest = scratch_.write("m.skimfs", manifest_.text());
  std::filesystem::create_directory(scratch_ / "mnt");
  const Outcome outcome = run({skimfs(), manifest, scratch_ / "mnt", "-o", options() + ",auth=zz"});
  EXPECT_EQ(outcome.ending, 1) << outcome.all();
  EXPECT_NE(outcome.err.find("no such profile"), std::string::npos) << outcome.all();
}

TEST_F(MountCredentials, ACompiledManifestKeepsTheirNames) {
  const std::string manifest = scratch_.write("m.skimfs", manifest_.text());
  ASSERT_TRUE(run({skimfs(), "manifest", "build", manifest, scratch_ / "m.skimx"}).ok());
  const std::string dir = scratch_ / "mnt";
  std::filesystem::create_directory(dir);
  Process daemon({skimfs(), scratch_ / "m.skimx", dir, "-f", "-o", options()}, scratch_ / "log");
  ASSERT_TRUE(await_mounted(dir, true, 60s)) << contents(scratch_ / "log");
  EXPECT_EQ(read_at(dir + "/own", 0, 10, O_DIRECT).error, 0);
  EXPECT_EQ(read_at(dir + "/foreign", 0, 10, O_DIRECT).error, EACCES);
  EXPECT_GT(carrying(origin_, kCanary, "/own"), 0u);
  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.wait(30s).value_or(-1), 0);
}

}  // namespace
}  // namespace skimfs::test
