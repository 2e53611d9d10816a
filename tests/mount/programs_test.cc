// SPDX-License-Identifier: MIT
//
// Ordinary programs over a mount of what a stock nginx serves: the result equals the local copy.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>

#include "tests/mount/fixture.h"
#include "tests/mount/nginx.h"
#include "tests/support/body.h"

namespace skimfs::test {
namespace {

class Programs : public MountTest {
 protected:
  // Runs `script` with $T the served tree, $M its mount and $O an empty folder.
  Outcome with_mount(const std::string& script, const std::string& options = {}) {
    const Nginx server(tree());
    const Mount mount(Manifest(server.base()).tree(tree()), options);
    return shell("T=" + tree() + " M=" + mount.dir() + " O=" + out() + "\n" + script);
  }
  // The same, before the tree is served.
  void prepare(const std::string& script) {
    const Outcome outcome = shell("T=" + tree() + " O=" + out() + "\n" + script);
    ASSERT_TRUE(outcome.ok()) << outcome.all();
  }
  std::string tree() const { return scratch_ / "tree"; }
  std::string out() const { return scratch_ / "out"; }

  // Sizes around every bound that matters: page, grain, block, request.
  void make_tree() {
    for (const std::uint64_t size :
         {0, 1, 4095, 4096, 4097, 65536, 262143, 262144, 262145, 1048577}) {
      const std::string name = "/sizes/" + std::to_string(size);
      scratch_.write("tree" + name, Body(name, 0).text(0, size));
    }
    for (int i = 0; i < 120; ++i) {
      const std::string name = "/many/" + std::to_string(i % 4) + "/file " + std::to_string(i);
      scratch_.write("tree" + name, Body(name, 0).text(0, static_cast<std::size_t>(i) * 331));
    }
    scratch_.write("tree/large.bin", Body("/large.bin", 0).text(0, 24u << 20));
    std::filesystem::create_directories(tree() + "/an empty folder");
    std::filesystem::create_symlink("sizes/4097", tree() + "/link");
  }

  void SetUp() override {
    MountTest::SetUp();
    std::filesystem::create_directories(tree());
    std::filesystem::create_directories(out());
  }

 private:
  Scratch scratch_;
};

TEST_F(Programs, CpAndDiffSeeTheSameTree) {
  make_tree();
  const Outcome outcome = with_mount("cp -a $M $O/copy; diff -r --no-dereference $T $O/copy");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
}

TEST_F(Programs, CpKeepsTimesAndModes) {
  make_tree();
  const Outcome outcome = with_mount(
      "cp -a $M $O/copy\n"
      "list() { find $1 -mindepth 1 ! -type l -printf '%P %y %s %T@\\n' | LC_ALL=C sort; }\n"
      "diff <(list $T) <(list $O/copy)\n"
      "[ $(stat -c %a $M/large.bin) = 444 ]; [ $(stat -c %a $M/many) = 555 ]");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
}

TEST_F(Programs, DiffReadsStraightFromTheMount) {
  make_tree();
  const Outcome outcome = with_mount("diff -r --no-dereference $T $M");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
}

TEST_F(Programs, ASecondRsyncWithChecksumsMovesNothing) {
  make_tree();
  const Outcome outcome = with_mount(
      "rsync -a --checksum $M/ $O/copy/ 1>&2\n"
      "rsync -a --checksum --itemize-changes --delete $M/ $O/copy/");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
  EXPECT_EQ(outcome.out, "");
}

TEST_F(Programs, TarPacksWhatTheServerHas) {
  make_tree();
  const Outcome outcome = with_mount(
      "tar -C $M -cf $O/all.tar .; mkdir $O/copy; tar -C $O/copy -xf $O/all.tar\n"
      "diff -r --no-dereference $T $O/copy");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
}

TEST_F(Programs, ParallelReadersGetTheirOwnBytes) {
  make_tree();
  const Outcome outcome = with_mount(
      "cd $M; find . -type f -print0 | xargs -0 -n 8 -P 8 sha256sum | LC_ALL=C sort >$O/a\n"
      "cd $T; find . -type f -print0 | xargs -0 sha256sum | LC_ALL=C sort >$O/b; cmp $O/a $O/b");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
}

TEST_F(Programs, SqliteChecksADatabase) {
  prepare(
      "sqlite3 $T/x.db 'create table t(a integer primary key, b blob);"
      " with recursive n(i) as (select 1 union all select i + 1 from n where i < 4000)"
      " insert into t select i, randomblob(300) from n; create index tb on t(b);'");
  const Outcome outcome = with_mount(
      "sqlite3 \"file:$M/x.db?mode=ro&immutable=1\" 'pragma integrity_check; select count(*) from "
      "t'");
  EXPECT_EQ(outcome.out, "ok\n4000\n") << outcome.all();
}

TEST_F(Programs, UnzipTestsAnArchive) {
  make_tree();
  prepare("cd $T; zip -qr $O/all.zip .; mv $O/all.zip $T/");
  const Outcome outcome = with_mount("unzip -tq $M/all.zip");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
}

TEST_F(Programs, GitClonesFromABareRepository) {
  prepare(
      "export HOME=$O; git init -q $O/work; cd $O/work; git config user.email a@b; git config "
      "user.name A\n"
      "for i in 1 2 3; do head -c 200000 /dev/urandom >f$i; git add .; git commit -qm $i; done\n"
      "git clone -q --bare $O/work $T/repo.git; git -C $T/repo.git gc -q");
  const Outcome outcome = with_mount(
      "export HOME=$O; git -c safe.directory='*' clone -q --no-hardlinks $M/repo.git $O/clone\n"
      "git -C $O/clone fsck --full; git -C $O/clone log --oneline | wc -l\n"
      "diff -r -x .git $O/work $O/clone");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
  EXPECT_EQ(outcome.out, "3\n");
}

TEST_F(Programs, AMappedFileHoldsTheBytes) {
  constexpr std::size_t kSize = (5u << 20) + 17;
  const Scratch scratch;
  const Body body("/m", 0);
  scratch.write("tree/m", body.text(0, kSize));
  const Nginx server(scratch / "tree");
  const Mount mount(Manifest(server.base()).file("/m", kSize));
  const int fd = ::open((mount / "m").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  auto* const map = static_cast<char*>(::mmap(nullptr, kSize, PROT_READ, MAP_SHARED, fd, 0));
  ::close(fd);
  ASSERT_NE(map, MAP_FAILED);
  // From the end, in odd steps: no order a read-ahead would guess.
  for (std::size_t at = kSize; at > 0; at -= std::min<std::size_t>(at, 70001)) {
    const std::size_t from = at > 4000 ? at - 4000 : 0;
    EXPECT_FALSE(body.first_wrong(from, {map + from, at - from})) << at;
  }
  EXPECT_FALSE(body.first_wrong(0, {map, kSize}));
  ::munmap(map, kSize);
}

TEST_F(Programs, AStaticProgramRunsFromTheMount) {
  prepare("cp " STATIC_PROGRAM
          " $T/program; chmod 0555 $T/program; cp $T/program $T/data; chmod 444 $T/data");
  const Outcome outcome = with_mount("$M/program; ! $M/data 2>/dev/null", "exec");
  EXPECT_EQ(outcome.out, "it runs\n") << outcome.all();
}

TEST_F(Programs, ASquashfsImageIsMountedThroughALoop) {
  if (!std::filesystem::exists("/dev/loop-control")) GTEST_SKIP() << "no loop devices here";
  make_tree();
  prepare("mksquashfs $T $O/all.sqfs -quiet -no-progress -noappend; mv $O/all.sqfs $T/");
  const Outcome outcome = with_mount(
      "mkdir $O/image; mount -t squashfs -o loop,ro $M/all.sqfs $O/image\n"
      "trap 'umount $O/image' EXIT; diff -r --no-dereference -x all.sqfs $T $O/image");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
}

TEST_F(Programs, DdReadsAroundThePageCache) {
  make_tree();
  const Outcome outcome = with_mount(
      "dd if=$M/large.bin iflag=direct bs=1M status=none | cmp - $T/large.bin\n"
      "dd if=$M/large.bin iflag=direct bs=4096 skip=777 count=3 status=none |"
      " cmp - <(tail -c +$((777 * 4096 + 1)) $T/large.bin | head -c 12288)\n"
      "dd if=$M/sizes/4097 iflag=direct bs=1M status=none | cmp - $T/sizes/4097");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
}

TEST_F(Programs, TailAndSplitReadTheEndAndTheMiddle) {
  make_tree();
  const Outcome outcome = with_mount(
      "cmp <(tail -c 12345 $M/large.bin) <(tail -c 12345 $T/large.bin)\n"
      "split -n 3/7 $M/large.bin | cmp - <(split -n 3/7 $T/large.bin)\n"
      "cmp $M/large.bin $T/large.bin");
  EXPECT_TRUE(outcome.ok()) << outcome.all();
}

struct Engine {
  const char* name;
  const char* options;
};

class Fio : public Programs, public ::testing::WithParamInterface<Engine> {};

TEST_P(Fio, VerifiesWhatItWroteAtTheOrigin) {
  const std::string verify = " --verify=crc32c --verify_interval=4096 --size=16M --bs=64k ";
  prepare("cd $O; fio --name=w --filename=$T/v" + verify + "--rw=write --do_verify=0 >/dev/null");
  const Outcome outcome =
      with_mount("cd $O; fio --name=r --filename=$M/v" + verify +
                 "--readonly --rw=randread --verify_fatal=1 --numjobs=2 --group_reporting " +
                 GetParam().options);
  EXPECT_TRUE(outcome.ok()) << outcome.all();
  EXPECT_NE(outcome.out.find("err= 0"), std::string::npos) << outcome.out;
}

INSTANTIATE_TEST_SUITE_P(Engines, Fio,
                         ::testing::Values(Engine{"buffered", ""}, Engine{"direct", "--direct=1"},
                                           Engine{"mmap", "--ioengine=mmap"},
                                           Engine{"libaio",
                                                  "--ioengine=libaio --direct=1 --iodepth=16"}),
                         [](const auto& engine) { return std::string(engine.param.name); });

TEST_F(Programs, FioSeesAByteThatIsWrong) {
  const std::string verify = " --verify=crc32c --verify_interval=4096 --size=1M --bs=64k ";
  prepare("cd $O; fio --name=w --filename=$T/v" + verify +
          "--rw=write --do_verify=0 >/dev/null\n"
          "printf X | dd of=$T/v bs=1 seek=300000 conv=notrunc status=none");
  const Outcome outcome = with_mount("cd $O; fio --name=r --filename=$M/v" + verify +
                                     "--readonly --rw=read --verify_fatal=1");
  EXPECT_FALSE(outcome.ok()) << outcome.all();
}

TEST_F(Programs, OddNamesAreAskedForAsTheyAre) {
  for (const char* name :
       {"a b", "50%", "q?x=1", "h#h", "ä", "plus+plus", "amp&", "col:on", "%41"}) {
    std::filesystem::create_directories(tree());
    const Outcome made = run({"bash", "-c", "printf %s \"$1\" >\"$2/$1\"", "-", name, tree()});
    ASSERT_TRUE(made.ok()) << made.all();
  }
  const Outcome outcome = with_mount("diff -r $T $M; ls $M | wc -l");
  EXPECT_EQ(outcome.out, "9\n") << outcome.all();
}

}  // namespace
}  // namespace skimfs::test
