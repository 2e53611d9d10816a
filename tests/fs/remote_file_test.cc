// SPDX-License-Identifier: MIT
#include "fs/remote_file.h"

#include <gtest/gtest.h>

#include "tests/support/tree_of.h"

namespace skimfs::test {
namespace {

using fs::Stated;
using fs::Validator;

Stated stated(const std::string& lines, Validator standard = Validator::strict) {
  const auto tree = tree_of(lines);
  const auto row = tree->find(fs::manifest::kRoot, "f");
  return fs::stated_versions(tree->content(row.value()), tree->entry(*row).size, standard);
}

TEST(StatedVersions, EachUrlHasItsOwnTagOrNone) {
  const Stated versions = stated(
      "@base http://a/\n@mirror http://b/\n"
      "/f\t10\t-\t-\tf\tetag=\"a\"\tmirror=http://c/f\tmirror=http://d/f \"d\"\n");
  ASSERT_EQ(versions.parts.size(), 1u);
  EXPECT_EQ(versions.parts[0].etags, (std::vector<std::string>{"\"a\"", "", "\"d\"", ""}));
  EXPECT_EQ(versions.parts[0].total, 10u);
}

TEST(StatedVersions, EachPartHasItsOwnObject) {
  const Stated versions = stated(
      "@base http://a/\n@mirror http://b/\n"
      "/f\t13\t-\t-\t-\t!part=5+10/20 x \"x\"\t!part=base64:YWJj\n");
  ASSERT_EQ(versions.parts.size(), 2u);
  EXPECT_EQ(versions.parts[0].total, 20u);
  EXPECT_EQ(versions.parts[0].etags, (std::vector<std::string>{"\"x\"", ""}));
  EXPECT_EQ(versions.parts[1].etags.size(), 1u);
}

TEST(StatedVersions, TheEntrysValidatorStandsBeforeTheMounts) {
  const std::string line = "/f\t10\t-\t-\thttp://a/f";
  EXPECT_EQ(stated(line + "\n").validator, Validator::strict);
  EXPECT_EQ(stated(line + "\n", Validator::time).validator, Validator::time);
  EXPECT_EQ(stated(line + "\tvalidator=strict\n", Validator::time).validator, Validator::strict);
  EXPECT_EQ(stated("@set validator=time\n" + line + "\n").validator, Validator::time);
}

TEST(StatedVersions, TheSizeAloneIsEnoughOnlyWhereThereIsADigest) {
  EXPECT_EQ(stated("/f\t10\t-\t-\thttp://a/f\n", Validator::size).validator, Validator::strict);
  EXPECT_EQ(stated("/f\t10\t-\tcrc32c:00000000\thttp://a/f\n", Validator::size).validator,
            Validator::size);
}

}  // namespace
}  // namespace skimfs::test
