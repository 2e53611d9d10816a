// SPDX-License-Identifier: MIT
//
// mount(8), fstab and the helper words, with the helper installed where only this test sees it.
#include <filesystem>

#include "tests/mount/fixture.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

class Mount8 : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    origin_.add("/f", 5000);
    manifest_ = scratch_.write("m.skimfs", Manifest(origin_.base()).file("/f", 5000).text());
    std::filesystem::create_directory(scratch_ / "mnt");
    scratch_.write("want", origin_.body("/f").text(0, 5000));
    if (!IsSkipped()) install_helper();
  }

  // /usr/sbin as it is, and the two names of the helper, in this mount namespace alone.
  void install_helper() {
    const Outcome outcome =
        shell("S=" + scratch_.path() +
              "\nmkdir $S/sbin $S/real; mount --bind /usr/sbin $S/real\n"
              "for f in $S/real/*; do ln -s $f $S/sbin/; done\n"
              "ln -sf " +
              skimfs() +
              " $S/sbin/mount.skimfs; ln -sf mount.skimfs $S/sbin/mount.fuse.skimfs\n"
              "mount --bind $S/sbin /usr/sbin");
    ASSERT_TRUE(outcome.ok()) << outcome.all();
    installed_ = true;
  }
  ~Mount8() override {
    if (!installed_) return;
    run({"umount", "-l", scratch_ / "mnt"});
    run({"umount", "/usr/sbin"});
    run({"umount", scratch_ / "real"});
  }

  // $M manifest, $D mountpoint; `read` compares the file and `gone` says that nothing is mounted.
  Outcome script(const std::string& text) {
    return shell("M=" + manifest_ + " D=" + (scratch_ / "mnt") + " S=" + scratch_.path() + "\n" +
                 "read_it() { cmp $D/f $S/want; }\ngone() { ! findmnt $D >/dev/null; }\n" + text);
  }

  HostileOrigin origin_;
  Scratch scratch_;
  std::string manifest_;
  bool installed_ = false;
};

TEST_F(Mount8, MountsByTypeAndUnmounts) {
  for (const char* type : {"skimfs", "fuse.skimfs"}) {
    const Outcome outcome =
        script("mount -t " + std::string(type) + " $M $D; read_it; umount $D; gone");
    EXPECT_TRUE(outcome.ok()) << type << ": " << outcome.all();
  }
}

TEST_F(Mount8, FindmntShowsTypeAndSource) {
  const Outcome outcome = script("mount -t skimfs $M $D; findmnt -no FSTYPE,SOURCE $D; umount $D");
  EXPECT_EQ(outcome.out, "fuse.skimfs " + manifest_ + "\n") << outcome.all();
}

TEST_F(Mount8, AnFstabLineWithTheWordsOfSystemdMounts) {
  const Outcome outcome = script(
      "for t in skimfs fuse.skimfs; do\n"
      "  echo \"$M $D $t ro,_netdev,nofail,noauto,x-systemd.automount,x-systemd.idle-timeout=10min,"
      "comment=x,allow_other,memory=32M 0 0\" >$S/fstab\n"
      "  mount --fstab $S/fstab $D; read_it\n"
      "  findmnt -no OPTIONS $D | grep -qw ro; findmnt -no OPTIONS $D | grep -qw nosuid\n"
      "  umount $D; gone\n"
      "done");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
}

// Each alone, and those that do not contradict each other in a mount.
TEST_F(Mount8, EveryWordOfMountIsAccepted) {
  const Outcome outcome = script(
      "for words in 'rw auto user users owner group _netdev nofail defaults comment=a x-a.b=c X-a"
      " dev suid relatime atime diratime sync loop exec'"
      " 'ro noauto nouser nodev nosuid norelatime noatime nodiratime async noexec'; do\n"
      "  for w in $words; do mount.skimfs -f $M $D -o $w || { echo $w; exit 1; }; done\n"
      "  mount.skimfs $M $D -o ${words// /,}; read_it; umount $D\n"
      "done\n"
      "mount.skimfs -n $M $D; umount $D; mount.skimfs -v -n -o ro $M $D >&2; umount $D\n"
      "mount.skimfs $M $D -o rw -t fuse.skimfs; umount $D\n"
      "mount.skimfs -s $M $D -o unheard_of=1 2>$S/err; umount $D; grep -q unheard_of $S/err");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
}

TEST_F(Mount8, FakeMountsCheckAndMountNothing) {
  const Outcome outcome =
      script("mount.skimfs -f $M $D; gone; ! mount.skimfs -f /etc/passwd $D; gone");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
}

TEST_F(Mount8, MountsInAnotherNamespaceOnly) {
  const Outcome outcome = script(
      "unshare -m --propagation private bash -c 'echo ready; exec sleep 600' >$S/ready &\n"
      "P=$!; trap \"kill $P\" EXIT; until grep -q ready $S/ready; do :; done\n"
      "mount -N $P -t skimfs $M $D; gone\n"
      "nsenter -t $P -m cmp $D/f $S/want; nsenter -t $P -m umount $D");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
}

TEST_F(Mount8, FailuresExitAsMountDoes) {
  const auto code = [&](const std::string& command) {
    return script("set +e\n" + command + " 2>/dev/null; echo $?; gone").out;
  };
  EXPECT_EQ(code("mount -t skimfs /nonexistent $D"), "32\n");
  EXPECT_EQ(code("mount -t skimfs $M $D -o memory=1"), "1\n");
  EXPECT_EQ(code("mount -t skimfs $M $D -o unheard_of=1"), "1\n");
  EXPECT_EQ(code("mount.skimfs relative/manifest $D"), "1\n");
  EXPECT_EQ(code("mount.skimfs $M $D -o remount"), "32\n");
}

// In every form of a start: the daemon was killed, its mount answers ENOTCONN and makes room.
TEST_F(Mount8, ADeadMountOfOursIsReplacedByEveryStart) {
  const Outcome outcome =
      script("K=" + skimfs() +
             "\necho \"$M $D skimfs ro,nofail 0 0\" >$S/fstab\n"
             "for start in \"$K $M $D\" \"$K mount $M $D\" \"mount.skimfs $M $D\" \"mount -t "
             "skimfs $M $D\""
             " \"mount -t fuse.skimfs $M $D\" \"mount --fstab $S/fstab $D\"; do\n"
             "  $start; read_it\n"
             "  kill -9 $($K status $D --json | grep -o '\"pid\":[0-9]*' | cut -d: -f2)\n"
             "  until [[ $(stat $D/f 2>&1) == *'not connected'* ]]; do :; done\n"
             "  $start; read_it; findmnt -no SOURCE $D | wc -l\n"
             "  umount $D; gone\n"
             "done");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
  EXPECT_EQ(outcome.out, "1\n1\n1\n1\n1\n1\n");
}

// A dead mount of another program is not ours to take away: ours covers it, as any mount would.
TEST_F(Mount8, AForeignDeadMountStays) {
  const Outcome outcome = script(
      "python3 - $D <<'end'\n"
      "import ctypes, os, sys\n"
      "fd = os.open('/dev/fuse', os.O_RDWR)\n"
      "words = b'fd=%d,rootmode=40000,user_id=0,group_id=0' % fd\n"
      "assert ctypes.CDLL(None).mount(b'other', sys.argv[1].encode(), b'fuse.other', 0, words) == "
      "0\n"
      "end\n"
      "[[ $(stat $D 2>&1) == *'not connected'* ]]\n"
      "for start in \"" +
      skimfs() +
      " $M $D\" \"mount.skimfs $M $D\"; do\n"
      "  $start; read_it; umount $D; findmnt -no FSTYPE $D\n"
      "done; umount $D");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
  EXPECT_EQ(outcome.out, "fuse.other\nfuse.other\n");
}

TEST_F(Mount8, WithoutAnyEnvironmentItWorks) {
  const Outcome outcome = script("env -i /usr/sbin/mount.skimfs $M $D; read_it; umount $D");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
}

}  // namespace
}  // namespace skimfs::test
