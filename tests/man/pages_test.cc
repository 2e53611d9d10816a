// SPDX-License-Identifier: MIT
//
// The man pages, --help and the option table say the same, and the examples in the pages work.
#include <gtest/gtest.h>

#include <cstdlib>
#include <regex>
#include <sstream>

#include "fs/option_list.h"
#include "tests/man/page.h"
#include "tools/cli.h"
#include "tools/mount_helper.h"
#include "tools/page.h"

namespace skimfs::test {
namespace {

// The paragraph of a page that describes an option: from its .TP to the next request of that kind.
std::string paragraph_of(const std::string& page, const std::string& long_option) {
  const std::regex heading("\\.TP\n[^\n]*" + long_option + "([^a-z-]|$)");
  std::smatch found;
  if (!std::regex_search(page, found, heading)) return "";
  const auto begin = static_cast<std::size_t>(found.position(0));
  const std::size_t end = std::min(page.find("\n.TP", begin + 1), page.find("\n.S", begin + 1));
  return page.substr(begin, end - begin);
}

std::string long_form(const fs::Option& option) {
  return "--" + std::regex_replace(std::string(option.name), std::regex("_"), "-");
}

TEST(ManPages, EveryOptionOfHelpIsInThePageAndTheReverse) {
  EXPECT_EQ(long_options_in(tools::help_text()), long_options_in(page_text("skimfs.1")));
}

TEST(ManPages, EveryRowOfTheTableIsInHelp) {
  const std::set<std::string> helped = long_options_in(tools::help_text());
  for (const fs::Option& option : fs::option_table()) {
    EXPECT_TRUE(helped.contains(long_form(option))) << option.name;
  }
}

TEST(ManPages, EveryOptionHasAParagraphWithItsDefault) {
  const std::string page = page_text("skimfs.1");
  for (const fs::Option& option : fs::option_table()) {
    const std::string paragraph = paragraph_of(page, long_form(option));
    ASSERT_FALSE(paragraph.empty()) << option.name;
    EXPECT_TRUE(paragraph.ends_with("[" + option.standard + "]")) << paragraph;
  }
}

TEST(ManPages, OptionsWithAChoiceListAllOfIt) {
  const std::string page = page_text("skimfs.1");
  for (const fs::Option& option : fs::option_table()) {
    const std::string form(option.form);
    if (form.find('|') == std::string::npos || form.find("TIME") == 0) continue;
    EXPECT_NE(paragraph_of(page, long_form(option)).find(long_form(option) + "=" + form),
              std::string::npos)
        << option.name;
  }
}

TEST(ManPages, HelpStaysWithinEightyColumnsAndStartsWithTheSynopsis) {
  std::istringstream lines(tools::help_text());
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
  EXPECT_TRUE(tools::help_text().starts_with("Usage: skimfs SOURCE DIR"));
}

// The words for mount(8) and systemd: those the page lists are those we take, and no others.
TEST(ManPages, TheWordsOfFstabInThePageAreAccepted) {
  const std::string page = page_text("mount.skimfs.8");
  const std::size_t begin = page.find(".SS Options of mount(8) and systemd");
  ASSERT_NE(begin, std::string::npos);
  const std::string section = page.substr(begin, page.find(".SH", begin) - begin);
  const std::regex heading("\\.TP\n([^\n]+)\n");
  int words = 0;
  for (std::sregex_iterator at(section.begin(), section.end(), heading), end; at != end; ++at) {
    std::string list = (*at)[1];
    if (list == "remount") continue;
    list = std::regex_replace(list, std::regex(", "), ",");
    list = std::regex_replace(list, std::regex(R"(\*)"), "a=b");
    list = std::regex_replace(list, std::regex("=,"), "=c,") + (list.ends_with('=') ? "c" : "");
    fs::Options options;
    EXPECT_NO_THROW(fs::apply_option_list(list, options)) << list;
    words += static_cast<int>(fs::split_option_list(list).size());
  }
  EXPECT_EQ(words, 34);
}

TEST(ManPages, EveryFstabLineParses) {
  int lines = 0;
  for (const std::string& line : example_lines(page_text("mount.skimfs.8"))) {
    const std::vector<std::string> fields = shell_words(line);
    if (fields.size() != 6 || fields[5] != "0") continue;
    EXPECT_TRUE(fields[2] == "skimfs" || fields[2] == "fuse.skimfs") << line;
    EXPECT_NO_THROW(
        tools::parse_mount_helper(std::vector<std::string>{fields[0], fields[1], "-o", fields[3]}))
        << line;
    ++lines;
  }
  EXPECT_EQ(lines, 3);
}

TEST(ManPages, EveryMountCommandParses) {
  int commands = 0;
  for (const char* page : {"skimfs.1", "mount.skimfs.8"}) {
    for (const std::string& line : example_lines(page_text(page))) {
      std::vector<std::string> words = shell_words(line);
      const std::string program = words.empty() ? "" : words[0];
      if (program != "skimfs" && program != "mount" && program != "mount.skimfs") continue;
      if (words[1] == "umount" || words[1] == "status") continue;
      words.erase(words.begin());
      EXPECT_NO_THROW({
        const tools::MountWords parsed =
            program == "skimfs" ? tools::parse_mount(words) : tools::parse_mount_helper(words);
        EXPECT_NE(parsed.options.mountpoint, "") << line;
      }) << line;
      ++commands;
    }
  }
  EXPECT_EQ(commands, 6);
}

TEST(ManPages, TheExamplesOfHelpParse) {
  std::istringstream lines(tools::help_text());
  int examples = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("  skimfs ")) continue;
    std::vector<std::string> words = shell_words(line);
    words.erase(words.begin());
    EXPECT_NO_THROW(tools::parse_mount(words)) << line;
    ++examples;
  }
  EXPECT_EQ(examples, 2);
}

class Page : public testing::TestWithParam<const char*> {
 protected:
  // Exit code and output of a shell command about the page.
  static std::string output_of(const std::string& command) {
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    std::string output;
    for (int byte; (byte = fgetc(pipe)) != EOF;) output += static_cast<char>(byte);
    pclose(pipe);
    return output;
  }
  static bool lacks(const std::string& program) {
    return std::system(("command -v " + program + " >/dev/null").c_str()) != 0;
  }
  std::string path() const { return std::string(SKIMFS_MAN_DIR "/") + GetParam(); }
};

TEST_P(Page, FormatsWithoutAWarning) {
  if (lacks("man")) GTEST_SKIP() << "man is not installed";
  EXPECT_EQ(output_of("LC_ALL=C.UTF-8 MANROFFSEQ='' man --warnings -E UTF-8 -l -Tutf8 -Z " +
                      path() + " 2>&1 >/dev/null"),
            "");
}

TEST_P(Page, PassesMandoc) {
  if (lacks("mandoc")) GTEST_SKIP() << "mandoc is not installed";
  EXPECT_EQ(output_of("mandoc -Tlint -W warning " + path()), "");
}

TEST_P(Page, IsOfTheVersionOfTheProgram) {
  const std::string text = page_text(GetParam());
  const std::string version = tools::version_text();
  EXPECT_NE(text.find("\"" + version.substr(0, version.find('\n')) + "\""), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Man, Page,
                         testing::Values("skimfs.1", "mount.skimfs.8", "skimfs-auth.conf.5",
                                         "skimfs-manifest.5"));

}  // namespace
}  // namespace skimfs::test
