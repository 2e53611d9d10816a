// SPDX-License-Identifier: MIT
//
// skimfs manifest check, as a person and as a program see it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/manifest/helpers.h"
#include "tools/manifest_cmd.h"

namespace skimfs::tools {
namespace {

using fs::manifest::Scratch;

struct Ran {
  int exit_code;
  std::string out, err;
};

Ran check(const std::vector<std::string>& files, bool json = false) {
  ManifestCheck what;
  what.files = files;
  what.json = json;
  std::ostringstream out, err;
  const int exit_code = manifest_check(what, out, err);
  return {exit_code, out.str(), err.str()};
}

constexpr const char* kGood =
    "#skimfs "
    "1\n/a\t1288490189\t-\t-\thttp://h/a\n/b\t-\t-\t-\thttp://h/b\n/d/c\t0\t-\t-\thttp://h/c\n"
    "/l\t-\t-\t-\t-\t!link=a\n@end 4\n";
constexpr const char* kBad =
    "#skimfs 1\n/a\t1k\t-\t-\thttp://h/a\n/b\t1\t-\t-\thttp://h/b\n/b\t1\t-\t-\tftp://h/b\n";

TEST(ManifestCheck, SummarisesAGoodFile) {
  const Scratch file;
  file.write(kGood);
  const Ran ran = check({file.path()});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.out, file.path() + ": 3 files, 1 directory, 1 link, 1.2 GiB, 1 of unknown size\n");
  EXPECT_EQ(ran.err, "");
}

TEST(ManifestCheck, TellsEveryErrorAndExitsWith1) {
  const Scratch file;
  file.write(kBad);
  const Ran ran = check({file.path()});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.out, file.path() + ": 1 file, 0 directories, 0 links, 1 bytes, 2 errors\n");
  EXPECT_NE(ran.err.find(file.path() + ":2:5: error: bad size"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find(file.path() + ":4:10: error: scheme \"ftp\""), std::string::npos)
      << ran.err;
  EXPECT_NE(ran.err.find(file.path() + ": warning: no @end"), std::string::npos) << ran.err;
}

TEST(ManifestCheck, GoesOnToTheNextFileAfterOneThatCannotBeRead) {
  const Scratch file;
  file.write(kGood);
  const Ran ran = check({"/nonexistent", file.path()});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_NE(ran.err.find("/nonexistent: no such file"), std::string::npos);
  EXPECT_NE(ran.out.find("/nonexistent: not read, 1 error\n"), std::string::npos);
  EXPECT_NE(ran.out.find(file.path() + ": 3 files"), std::string::npos);
}

TEST(ManifestCheck, ATreeOfOneMissingFirstLineIsOneErrorNotThousands) {
  const Scratch file;
  file.write("/a\t1\t-\t-\thttp://h/a\n/b\t1\t-\t-\thttp://h/b\n");
  EXPECT_NE(check({file.path()}).out.find("1 error\n"), std::string::npos);
}

TEST(ManifestCheck, WritesOneJsonObjectALine) {
  const Scratch file;
  file.write(kBad);
  const Ran ran = check({file.path()}, true);
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.err, "");
  std::istringstream lines(ran.out);
  std::vector<nlohmann::json> objects;
  for (std::string line; std::getline(lines, line);) objects.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(objects.size(), 4u);
  for (const auto& object : objects) EXPECT_EQ(object["schema"], 1);
  EXPECT_EQ(objects[0]["event"], "error");
  EXPECT_EQ(objects[0]["line"], 2);
  EXPECT_EQ(objects[0]["column"], 5);
  EXPECT_EQ(objects[2]["event"], "warning");
  EXPECT_EQ(objects[3]["event"], "summary");
  EXPECT_EQ(objects[3]["errors"], 2);
  EXPECT_EQ(objects[3]["files"], 1);
  EXPECT_EQ(objects[3]["bytes"], 1);
}

TEST(ManifestCheck, AQueryNeverShows) {
  const Scratch file;
  file.write("#skimfs 1\n/a\t1k\t-\t-\thttp://h/a?sig=SECRET\n");
  for (const bool json : {false, true}) {
    const Ran ran = check({file.path()}, json);
    EXPECT_EQ((ran.out + ran.err).find("SECRET"), std::string::npos);
  }
}

}  // namespace
}  // namespace skimfs::tools
