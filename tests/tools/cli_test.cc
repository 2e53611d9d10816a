// SPDX-License-Identifier: MIT
//
// The command line of a mount.
#include "tools/cli.h"

#include <gtest/gtest.h>

#include "tests/tools/words.h"

namespace skimfs::tools {
namespace {

MountWords parsed(const std::vector<std::string>& words) { return parse_mount(words); }
std::string refused(const std::vector<std::string>& words) {
  return test::complaint(parse_mount, words);
}

TEST(CommandLine, TakesSourceAndDirInAnyPlace) {
  for (const auto& words : {std::vector<std::string>{"m", "/d", "-f", "-o", "ro"},
                            {"-f", "m", "-o", "ro", "/d"},
                            {"-o", "ro", "-f", "m", "/d"},
                            {"-f", "-o", "ro", "--", "m", "/d"}}) {
    const MountWords result = parsed(words);
    EXPECT_EQ(result.options.source, "m");
    EXPECT_EQ(result.options.mountpoint, "/d");
    EXPECT_TRUE(result.options.foreground);
  }
}

TEST(CommandLine, TakesStandardInputAsASource) {
  EXPECT_EQ(parsed({"-", "/d", "-f"}).options.source, "-");
}

TEST(CommandLine, ListsAfterSeveralOAddUp) {
  const MountWords result = parsed({"m", "/d", "-o", "memory=64M", "-o", "log=debug,ro"});
  EXPECT_EQ(result.options.memory, 64u << 20);
  EXPECT_EQ(result.options.log_level, fs::log::Level::debug);
}

TEST(CommandLine, EveryOptionHasALongFormInBothSpellings) {
  for (const fs::Option& option : fs::option_table()) {
    if (option.value == fs::Option::Value::optional) continue;
    const std::string value = option.form == "URL"            ? "http://h:1"
                              : option.form == "FILE|DIR"     ? "/ca.pem"
                              : option.form == "SIZE"         ? "32M"
                              : option.form == "MASK"         ? "0222"
                              : option.form == "N"            ? "7"
                              : option.form == "KIB"          ? "7"
                              : option.form == "USER[:GROUP]" ? "1:1"
                              : option.form == "USER"         ? "0"
                              : option.form == "GROUP"        ? "0"
                              : option.form == "TIME"         ? "7s"
                                                              : option.standard;
    std::string dashed(option.name);
    std::replace(dashed.begin(), dashed.end(), '_', '-');
    EXPECT_NO_THROW(parsed({"m", "/d", "--" + dashed + "=" + value})) << option.name;
    EXPECT_NO_THROW(parsed({"m", "/d", "--" + std::string(option.name), value})) << option.name;
  }
}

TEST(CommandLine, ASwitchTakesNoWordFromWhatFollows) {
  const MountWords result = parsed({"--allow-other", "m", "/d"});
  EXPECT_TRUE(result.options.allow_other);
  EXPECT_EQ(result.options.source, "m");
  EXPECT_FALSE(parsed({"m", "/d", "--replace-stale=off"}).options.replace_stale);
}

TEST(CommandLine, ALongFormWinsOverO) {
  EXPECT_EQ(parsed({"--memory=32M", "m", "/d", "-o", "memory=64M"}).options.memory, 32u << 20);
}

TEST(CommandLine, TheLastOfTwoLongFormsWins) {
  EXPECT_EQ(parsed({"m", "/d", "--memory=32M", "--memory=64M"}).options.memory, 64u << 20);
}

TEST(CommandLine, ASlipIsRefusedWithTheNearestName) {
  EXPECT_EQ(refused({"m", "/d", "--memroy=64M"}),
            "unknown option \"memroy\"; did you mean \"memory\"?");
  EXPECT_EQ(refused({"m", "/d", "-o", "memroy=64M"}),
            "unknown option \"memroy\"; did you mean \"memory\"?");
}

TEST(CommandLine, AWordTooManyIsNamed) {
  EXPECT_EQ(refused({"m", "/d", "x"}), "unexpected word \"x\"");
  EXPECT_EQ(refused({"m", "/d", "-q"}), "unexpected word \"-q\"");
}

TEST(CommandLine, AMissingValueIsSaid) {
  EXPECT_EQ(refused({"m", "/d", "--memory"}), "--memory needs a value");
  EXPECT_EQ(refused({"m", "/d", "--idle-timeout"}), "--idle-timeout needs a value");
  EXPECT_EQ(refused({"m", "/d", "-o"}), "-o needs a value");
}

TEST(CommandLine, HelpNeedsNothingElse) {
  EXPECT_TRUE(parsed({"--help"}).help);
  EXPECT_TRUE(parsed({"-h"}).help);
  EXPECT_TRUE(parsed({"--version"}).version);
}

}  // namespace
}  // namespace skimfs::tools
