// SPDX-License-Identifier: MIT
//
// A plain list of URLs.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/manifest/helpers.h"

namespace skimfs::fs::manifest {
namespace {

using Texts = std::vector<std::string>;

Texts paths_of(std::string_view text, const ReadOptions& options = {}) {
  const Loaded loaded = load_text(text, "m", options);
  Texts paths;
  for (Row row = 1; row < loaded.tree->rows(); ++row) {
    if (loaded.tree->entry(row).kind == Kind::file) paths.push_back(loaded.tree->path(row));
  }
  return paths;
}

TEST(UrlList, PathsAreHostAndDecodedPathWithoutQuery) {
  EXPECT_EQ(paths_of("https://Cdn.example/a%20b/c.txt?sig=x#f\nhttp://h:8080/x\n"),
            (Texts{"/cdn.example/a b/c.txt", "/h:8080/x"}));
}

TEST(UrlList, TheUrlIsKeptWithItsQueryAndWithoutItsFragment) {
  const Loaded loaded = load_text("https://h/a%2Bb?sig=x#f\n", "m", {});
  const Content content = loaded.tree->content(2);
  EXPECT_EQ(content.parts.at(0).urls, Texts{"https://h/a%2Bb?sig=x"});
  EXPECT_FALSE(loaded.tree->entry(2).size);
  EXPECT_EQ(loaded.format, "urls");
}

TEST(UrlList, BlankLinesAndCommentsAreSkippedAndTheLastLineNeedsNoLineFeed) {
  EXPECT_EQ(paths_of("# my list\n\nHTTP://h/a\n# more\r\nhttp://h/b"), (Texts{"/h/a", "/h/b"}));
}

TEST(UrlList, StripDropsLeadingNames) {
  ReadOptions options;
  options.strip = 2;
  EXPECT_EQ(paths_of("http://h/pub/a/b\nhttp://other/pub/c\n", options), (Texts{"/a/b", "/c"}));
  options.strip = 3;
  EXPECT_NE(error_of("http://h/pub/c\n", options).find("m:1:1: error: strip=3 leaves no name"),
            std::string::npos);
}

TEST(UrlList, RefusesUrlsThatNameNoFile) {
  EXPECT_NE(error_of("http://h/\n").find("m:1:9: error: the URL names no file"), std::string::npos);
  EXPECT_NE(error_of("http://h\n").find("m:1:8: error: the URL names no file"), std::string::npos);
  EXPECT_NE(error_of("http://h/d/?x\n").find("the URL names no file"), std::string::npos);
}

TEST(UrlList, RefusesNamesThatWouldLeaveTheMount) {
  EXPECT_NE(error_of("http://h/a%2Fb\n").find("m:1:10: error: \"/\" or NUL inside a name"),
            std::string::npos);
  EXPECT_NE(error_of("http://h/a%00b\n").find("m:1:10: error: \"/\" or NUL"), std::string::npos);
  EXPECT_NE(error_of("http://h/%2e%2e/b\n").find("m:1:10: error: \"..\" is no name"),
            std::string::npos);
  EXPECT_NE(error_of("http://h/../b\n").find("m:1:10: error: \"..\" is no name"),
            std::string::npos);
  EXPECT_NE(error_of("http://h/a//b\n").find("m:1:12: error: empty name"), std::string::npos);
  EXPECT_NE(error_of("http://../b\n").find("\"..\" is no name"), std::string::npos);
}

TEST(UrlList, NamesMustBeUtf8UnlessRaw) {
  EXPECT_NE(error_of("http://h/%ff\n").find("m:1:10: error: name is not UTF-8"), std::string::npos);
  ReadOptions options;
  options.raw_names = true;
  EXPECT_EQ(paths_of("http://h/%ff\n", options), Texts{"/h/\xff"});
}

TEST(UrlList, DuplicatesNameBothLines) {
  EXPECT_NE(error_of("http://h/a?1\n\nhttp://h/a?2\n")
                .find("m:3:1: error: duplicate path \"/h/a\": first on line 1"),
            std::string::npos);
}

TEST(UrlList, EverythingElseOnALineIsAnError) {
  EXPECT_NE(error_of("http://h/a\nftp://h/b\n").find("m:2:1: error: scheme \"ftp\""),
            std::string::npos);
  EXPECT_NE(error_of("http://h/a\n/b\n").find("m:2:1: error: relative URL"), std::string::npos);
  EXPECT_NE(error_of("http://h/a\nhttp://h/b 12\n").find("m:2:11: error: byte must be"),
            std::string::npos);
  EXPECT_NE(error_of("http://h/a\t12\n").find("nothing else on a line"), std::string::npos);
}

TEST(UrlList, AForcedFormatIsNotDetected) {
  ReadOptions options;
  options.format = "urls";
  EXPECT_EQ(paths_of("#skimfs 1\nhttp://h/a\n", options), Texts{"/h/a"});
  EXPECT_NE(error_of("# nothing\n", options).find("m: no URLs in the list"), std::string::npos);
  options.format = "skimfs";
  EXPECT_NE(error_of("http://h/a\n", options).find("the first line is \"#skimfs 1\""),
            std::string::npos);
}

}  // namespace
}  // namespace skimfs::fs::manifest
