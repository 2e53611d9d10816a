// SPDX-License-Identifier: MIT
//
// The built program: exit codes, one line of text, and nothing mounted when it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "fs/mount_table.h"

namespace skimfs::tools {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

struct Ran {
  int code = -1;
  std::string text;  // of both streams, or of the one the command keeps
};

struct Program : testing::Test {
  Program() {
    std::string name = std::filesystem::temp_directory_path() / "skimfs-program-XXXXXX";
    folder = std::filesystem::canonical(mkdtemp(name.data()));
    std::filesystem::create_directory(folder + "/mnt");
    std::filesystem::create_symlink(SKIMFS_PROGRAM, folder + "/mount.skimfs");
    write("good.skimfs", "#skimfs 1\n/a\t1\t-\t-\thttp://127.0.0.1:9/a\n@end 1\n");
    write("bad.skimfs", "#skimfs 1\n/a\t1\t-\t-\thttp://127.0.0.1:9/a\n/b\tx\t-\t-\thttp://h/b\n");
  }
  ~Program() override {
    EXPECT_FALSE(fs::topmost_at(fs::read_mount_table(), folder + "/mnt")) << "left mounted";
    std::filesystem::remove_all(folder);
  }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder + "/" + name) << text;
  }

  // In the folder of this test; `words` as a shell takes them.
  Ran shell(const std::string& command) const {
    FILE* pipe = popen(("cd " + folder + " && " + command).c_str(), "r");
    Ran run;
    for (int byte; (byte = fgetc(pipe)) != EOF;) run.text += static_cast<char>(byte);
    const int status = pclose(pipe);
    run.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return run;
  }
  Ran skimfs(const std::string& words) const { return shell(SKIMFS_PROGRAM " " + words + " 2>&1"); }
  Ran helper(const std::string& words) const { return shell("./mount.skimfs " + words + " 2>&1"); }

  std::string folder;
};

testing::AssertionResult is_one_line(const Ran& run) {
  if (std::count(run.text.begin(), run.text.end(), '\n') == 1) return testing::AssertionSuccess();
  return testing::AssertionFailure() << run.text;
}

TEST_F(Program, HelpGoesToStandardOutputAndExitsZero) {
  const Ran run = shell(SKIMFS_PROGRAM " --help 2>/dev/null");
  EXPECT_EQ(run.code, 0);
  EXPECT_THAT(run.text, StartsWith("Usage: skimfs SOURCE DIR"));
  for (const char* command : {"umount", "status", "manifest check"}) {
    EXPECT_THAT(shell(SKIMFS_PROGRAM " " + std::string(command) + " --help").text,
                StartsWith("Usage: skimfs " + std::string(command)));
  }
}

// It installed packages and built for minutes, and then the program refused.
TEST_F(Program, QuickstartRefusesAnAddressAtOnce) {
  const Ran run = shell(SKIMFS_QUICKSTART " https://example.invalid/m.skimfs new 2>&1");
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(is_one_line(run));
  EXPECT_THAT(run.text, HasSubstr("download it first"));
  EXPECT_FALSE(std::filesystem::exists(folder + "/new"));
}

TEST_F(Program, VersionNamesTheLibraries) {
  const Ran run = skimfs("--version");
  EXPECT_EQ(run.code, 0);
  EXPECT_THAT(run.text, testing::MatchesRegex("skimfs [0-9.]+\nlibfuse [0-9.]+\nlibcurl [^\n]+\n"));
}

TEST_F(Program, HelpThatCannotBeWrittenIsAnError) {
  EXPECT_EQ(shell(SKIMFS_PROGRAM " --help >/dev/full 2>&1").code, 1);
  EXPECT_EQ(shell(SKIMFS_PROGRAM " --help >&- 2>/dev/null").code, 1);
}

TEST_F(Program, WordsNobodyCanMeanExitAsTheirCommandDoes) {
  EXPECT_EQ(skimfs("").code, 1);
  EXPECT_EQ(skimfs("good.skimfs").code, 1);
  EXPECT_EQ(skimfs("mount good.skimfs mnt extra").code, 1);
  EXPECT_EQ(skimfs("umount").code, 1);
  EXPECT_EQ(skimfs("status").code, 2);
  EXPECT_EQ(skimfs("manifest").code, 2);
  EXPECT_EQ(skimfs("manifest frobnicate").code, 2);
  EXPECT_EQ(helper("/only/one").code, 1);
}

TEST_F(Program, ABadOptionIsOneLineWithWhatWasWanted) {
  const Ran run = skimfs("good.skimfs mnt -o memory=8M");
  EXPECT_EQ(run.code, 1);
  EXPECT_EQ(run.text, "skimfs: memory=8M is below the minimum of 16M\n");
}

TEST_F(Program, AMissingManifestIsNotMounted) {
  const Ran run = skimfs("absent.skimfs mnt");
  EXPECT_EQ(run.code, 32);
  EXPECT_TRUE(is_one_line(run));
  EXPECT_THAT(run.text, HasSubstr("absent.skimfs: no such file"));
}

TEST_F(Program, AMistypedCommandIsNotTakenForAManifest) {
  const Ran run = skimfs("stauts mnt");
  EXPECT_EQ(run.code, 1);
  EXPECT_EQ(run.text,
            "skimfs: \"stauts\" is neither a command nor a manifest; skimfs --help tells how\n");
}

TEST_F(Program, ABrokenManifestTellsFileLineAndColumn) {
  const Ran run = skimfs("bad.skimfs mnt");
  EXPECT_EQ(run.code, 32);
  EXPECT_THAT(run.text, StartsWith(folder + "/bad.skimfs:3:4: error: "));
  EXPECT_THAT(run.text, HasSubstr("\n/b\tx\t"));
  EXPECT_THAT(run.text, EndsWith("^\n"));
}

TEST_F(Program, SizesThatAreLeftOutCanBeRefused) {
  write("unsized.skimfs", "#skimfs 1\n/a\t-\t-\t-\thttp://127.0.0.1:9/a\n@end 1\n");
  const Ran run = skimfs("unsized.skimfs mnt --size-probe=refuse");
  EXPECT_EQ(run.code, 32);
  EXPECT_TRUE(is_one_line(run));
}

TEST_F(Program, AnUnusableDirectoryIsNotMounted) {
  write("file", "");
  for (const char* directory : {"absent", "absent/below", "file", "good.skimfs/below"}) {
    const Ran run = skimfs("good.skimfs " + std::string(directory));
    EXPECT_GT(run.code, 0);
    EXPECT_TRUE(is_one_line(run));
    EXPECT_THAT(run.text, HasSubstr(folder + "/" + directory + ": not mounted; "));
  }
}

// Exit code 0 and a mount over everything is what mount(8) would do.
TEST_F(Program, TheRootIsNotMountedOver) {
  const Ran run = skimfs("good.skimfs /");
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(is_one_line(run));
  EXPECT_EQ(skimfs("good.skimfs /tmp/..").code, 1);
}

TEST_F(Program, StandardInputNeedsTheForeground) {
  EXPECT_EQ(skimfs("- mnt </dev/null").text,
            "skimfs: source - can only be read in the foreground: add -f\n");
  EXPECT_EQ(skimfs("/dev/fd/0 mnt <good.skimfs").code, 1);
}

TEST_F(Program, AManifestIsNotFetched) {
  const Ran run = skimfs("https://example.org/m.skimfs mnt");
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(is_one_line(run));
}

TEST_F(Program, UmountTellsWhatIsNotItsOwn) {
  EXPECT_EQ(skimfs("umount mnt").text, "skimfs: " + folder + "/mnt: not mounted\n");
  EXPECT_EQ(skimfs("umount mnt").code, 32);
  EXPECT_THAT(skimfs("umount /proc").text, HasSubstr("not a skimfs mount but proc"));
}

TEST_F(Program, StatusOfNothingExitsThree) {
  const Ran run = skimfs("status mnt");
  EXPECT_EQ(run.code, 3);
  EXPECT_TRUE(is_one_line(run));
}

TEST_F(Program, ManifestCheckFindsWhatAMountWouldRefuse) {
  EXPECT_EQ(skimfs("manifest check good.skimfs").code, 0);
  const Ran run = skimfs("manifest check good.skimfs bad.skimfs");
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.text, HasSubstr("bad.skimfs:3:4: error: "));
}

TEST_F(Program, ManifestBuildWritesWhatCheckAndMountTakeForTheText) {
  EXPECT_EQ(skimfs("manifest build good.skimfs good.skimx").code, 0);
  EXPECT_EQ(skimfs("manifest check good.skimx").code, 0);
  EXPECT_EQ(helper(folder + "/good.skimx " + folder + "/mnt -f").code, 0);
  EXPECT_EQ(skimfs("manifest build - piped.skimx <good.skimfs").code, 0);
  EXPECT_EQ(skimfs("manifest build bad.skimfs bad.skimx").code, 1);
  EXPECT_EQ(skimfs("manifest build good.skimfs bad.skimfs").code, 1) << "a text is not replaced";
  EXPECT_EQ(skimfs("manifest build good.skimfs").code, 2);
}

TEST_F(Program, AnIndexThatIsKeptNowhereInParticularIsRefused) {
  const Ran run = skimfs("good.skimfs mnt -o index=cache");
  EXPECT_EQ(run.code, 1);
  EXPECT_EQ(run.text, "skimfs: index=cache wanted auto, off or an absolute path\n");
}

TEST_F(Program, TheHelperChecksAManifestWithoutMounting) {
  EXPECT_EQ(helper(folder + "/good.skimfs " + folder + "/mnt -f -o rw").code, 0);
  EXPECT_EQ(helper(folder + "/bad.skimfs " + folder + "/mnt -f").code, 32);
  EXPECT_EQ(helper("good.skimfs mnt -f").code, 1);
}

TEST_F(Program, TheHelperRefusesToRemountWithTheCodeOfMount) {
  const Ran run = helper(folder + "/good.skimfs " + folder + "/mnt -o remount,ro");
  EXPECT_EQ(run.code, 32);
  EXPECT_TRUE(is_one_line(run));
}

TEST_F(Program, ANamespaceThatIsNoneIsRefused) {
  const Ran run = helper(folder + "/good.skimfs " + folder + "/mnt -f -N /etc/passwd");
  EXPECT_EQ(run.code, 32);
  EXPECT_TRUE(is_one_line(run));
}

}  // namespace
}  // namespace skimfs::tools
