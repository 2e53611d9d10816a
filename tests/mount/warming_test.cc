// SPDX-License-Identifier: MIT
//
// Connections that are there before they are needed, counted at several servers.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include "tests/mount/fixture.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSize = 8192;
constexpr int kDirectories = 20, kFiles = 9;

// /dD/fF is at host F modulo 3.
class Warming : public MountTest {
 protected:
  static std::string path(int directory, int file) {
    return "/d" + std::to_string(directory) + "/f" + std::to_string(file);
  }
  Manifest manifest(int hosts) {
    Manifest manifest(hosts_[0].base());
    for (int d = 0; d < kDirectories; ++d)
      for (int f = 0; f < kFiles; ++f) {
        HostileOrigin& host = hosts_[f % hosts];
        host.add(path(d, f), kSize);
        manifest.line(path(d, f) + "\t" + std::to_string(kSize) + "\t-\t-\t" +
                      host.url(path(d, f)));
      }
    return manifest;
  }
  std::size_t requests() const { return hosts_[0].count() + hosts_[1].count() + hosts_[2].count(); }
  static bool read(const Mount& mount, const HostileOrigin& host, int directory, int file) {
    const std::string name = path(directory, file);
    return host.body(name).matches(0, 4096, read_at(mount.dir() + name, 0, 4096, O_DIRECT).bytes);
  }

  HostileOrigin hosts_[3];
};

// S-CONN-3
TEST_F(Warming, TheFirstReadInADirectoryAsksEachOtherHostOnce) {
  const Mount mount(manifest(3));
  ASSERT_TRUE(read(mount, hosts_[0], 5, 0));
  EXPECT_TRUE(hosts_[1].await([&] { return hosts_[1].count(path(5, 1)) == 1; }));
  EXPECT_TRUE(hosts_[2].await([&] { return hosts_[2].count(path(5, 2)) == 1; }));
  ASSERT_TRUE(read(mount, hosts_[1], 5, 1));
  EXPECT_EQ(requests(), 3u) << "its first bytes were there";
  ASSERT_TRUE(read(mount, hosts_[1], 17, 4));
  EXPECT_EQ(hosts_[1].connections().total, 1u);
}

// S-CONN-3, S-NAME-3
TEST_F(Warming, ListingAndOpeningAsksNobody) {
  const Mount mount(manifest(3));
  const Outcome outcome =
      shell("cd " + mount.dir() + "; ls -lR >/dev/null; find . -ls >/dev/null; " +
            "for f in d*/f*; do : < $f; done");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
  EXPECT_EQ(requests(), 0u);
  for (const auto& host : hosts_) EXPECT_EQ(host.connections().total, 0u);
}

TEST_F(Warming, ReadersAllOverTheTreeOfOneHostMakeNoFurtherRequest) {
  const Mount mount(manifest(1));
  for (int i = 0; i < kDirectories; ++i)
    ASSERT_TRUE(read(mount, hosts_[0], i * 7 % kDirectories, i * 5 % kFiles));
  EXPECT_EQ(requests(), unsigned{kDirectories});
}

TEST_F(Warming, ReadersAllOverTheTreeOfManyHostsMakeOneFurtherRequestForEach) {
  const Mount mount(manifest(3));
  for (int i = 0; i < kDirectories; ++i)
    ASSERT_TRUE(read(mount, hosts_[0], i * 7 % kDirectories, 0));
  for (const int i : {1, 2}) {
    EXPECT_TRUE(hosts_[i].await([&] { return hosts_[i].count() >= 1; }));
  }
  EXPECT_EQ(hosts_[0].count(), unsigned{kDirectories});
  EXPECT_EQ(hosts_[1].count(), 1u);
  EXPECT_EQ(hosts_[2].count(), 1u);
}

TEST_F(Warming, ASilentHostIsTriedOnceAndHoldsNobodyUp) {
  hosts_[1].accept_in_silence(true);
  Mount mount(manifest(2));
  for (int i = 0; i < kDirectories; ++i)
    ASSERT_TRUE(read(mount, hosts_[0], i * 7 % kDirectories, 0));
  EXPECT_TRUE(hosts_[1].await([&] { return hosts_[1].connections().total == 1; }));
  EXPECT_LT(mount.stop(), kAtOnce);
}

TEST_F(Warming, AHostThatRefusesIsTriedOnce) {
  Mount mount(manifest(2));
  hosts_[1].stop_listening();
  for (int i = 0; i < kDirectories; ++i)
    ASSERT_TRUE(read(mount, hosts_[0], i * 7 % kDirectories, 0));
  hosts_[1].listen_again();
  ASSERT_TRUE(read(mount, hosts_[1], 3, 7)) << "whoever reads from it asks it";
  EXPECT_EQ(hosts_[1].count(), 1u);
}

}  // namespace
}  // namespace skimfs::test
