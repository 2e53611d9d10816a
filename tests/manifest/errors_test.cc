// SPDX-License-Identifier: MIT
//
// Every error has its line, its column and words that say what was wanted.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/manifest/helpers.h"

namespace skimfs::fs::manifest {
namespace {

struct Case {
  std::string entries;  // below the magic line, which is line 1
  std::uint64_t line;
  std::uint64_t column;
  std::string message;  // a piece of it
};

std::string repeat(std::string_view text, int times) {
  std::string out;
  for (; times > 0; --times) out += text;
  return out;
}

std::string file(const std::string& path) { return path + "\t1\t-\t-\thttp://h/x\n"; }
std::string with(const std::string& attributes) {
  return "/a\t5\t-\t-\thttp://h/x\t" + attributes + "\n";
}
std::string special(const std::string& attributes) {
  return "/d/a\t5\t-\t-\t-\t" + attributes + "\n";
}

std::vector<Case> cases() {
  const std::string good = file("/good");
  const std::string sha(64, 'a');
  return {
      // lines
      {"a line\n", 2, 1, "wanted / (an entry), @ (a directive) or # (a comment)"},
      {good + " /b\n", 3, 1, "wanted / (an entry)"},
      {good + "/b\t1\t-\t-\thttp://h/x", 3, 20, "no line feed at the end"},
      {"/" + std::string(65536, 'a') + "\n", 2, 65537, "line longer than 65536 bytes"},
      {"#" + std::string(65536, 'a') + "\n", 2, 65537, "line longer than 65536 bytes"},
      // columns
      {"/a http://h/x\n", 2, 14, "with a TAB between, found 1"},
      {"/a\t1\t-\t-\n", 2, 9, "with a TAB between, found 4"},
      {"/a\t1\t-\t-\t\n", 2, 10, "empty column"},
      {"/a\t1\t-\t-\t-\n", 2, 10, "no content"},
      // paths
      {file("/"), 2, 2, "empty name"},
      {file("//a"), 2, 2, "empty name"},
      {file("/a//b"), 2, 4, "empty name"},
      {"/a//\t-\t-\t-\t-\n", 2, 4, "empty name"},
      {file("/a/./b"), 2, 4, "\".\" is no name"},
      {file("/a/../b"), 2, 4, "\"..\" is no name"},
      {file("/a/\\x2e\\x2e"), 2, 4, "\"..\" is no name"},
      {file("/.."), 2, 2, "\"..\" is no name"},
      {file("/ab\x01"), 2, 4, "control byte"},
      {file("/ab\x7f"), 2, 4, "control byte"},
      {file(std::string("/a\0b", 4)), 2, 3, "control byte"},
      {file("/a\\x00"), 2, 3, "\\x00 and"},
      {file("/a\\x2F"), 2, 3, "\\x00 and"},
      {file("/a\\q"), 2, 3, "bad escape"},
      {file("/a\\"), 2, 3, "bad escape"},
      {file("/ok/caf\xe9"), 2, 8, "not UTF-8"},
      {file("/ok/\\xe9"), 2, 5, "not UTF-8"},
      {file("/ok/" + std::string(256, 'a')), 2, 5, "at most 255"},
      {file(repeat("/d", 129)), 2, 1, "deeper than 128"},
      {file(repeat("/" + std::string(255, 'a'), 16)), 2, 1, "longer than 4095"},
      {"@prefix " + repeat("/d", 128) + "\n" + file("/a"), 3, 1, "deeper than 128"},
      // clashes name both lines
      {good + file("/good"), 3, 1, "duplicate path \"/good\": first on line 2"},
      {good + file("/good/x"), 3, 1, "\"/good\" is no directory: see line 2"},
      {good + "/good/\t-\t-\t-\t-\n", 3, 1, "\"/good\" is no directory already: see line 2"},
      {file("/d/x") + file("/d"), 3, 1, "\"/d\" is a directory already: see line 2"},
      {"/d/\t-\t-\t-\t-\n\n/d/\t-\t-\t-\t-\n", 4, 1, "duplicate path \"/d\": first on line 2"},
      {file("/d/x") + "/d/\t-\t-\t-\t-\n/d/\t-\t-\t-\t-\n", 4, 1, "first on line 3"},
      {file("/x") + file("/\\x78"), 3, 1, "duplicate path \"/x\": first on line 2"},
      // size, time, digest
      {"/a\t+5\t-\t-\thttp://h/x\n", 2, 4, "bad size"},
      {"/a\t05\t-\t-\thttp://h/x\n", 2, 4, "leading zero"},
      {"/a\t5k\t-\t-\thttp://h/x\n", 2, 5, "bad size"},
      {"/a\t\t-\t-\thttp://h/x\n", 2, 4, "bad size"},
      {"/a\t9223372036854775808\t-\t-\thttp://h/x\n", 2, 4, "out of range"},
      {"/a\t9223372036854775807\t-\t-\thttp://h/x\n/b\t1\t-\t-\thttp://h/x\n", 3, 1,
       "add up to more"},
      {"/a\t5\t2024-02-30T00:00:00Z\t-\thttp://h/x\n", 2, 6, "no such day"},
      {"/a\t5\t2024-02-20 00:00:00Z\t-\thttp://h/x\n", 2, 16, "bad time"},
      {"/a\t5\t-\tsha256:00\thttp://h/x\n", 2, 15, "has 64 digits, found 2"},
      {"/a\t5\t-\tsha256:" + std::string(64, 'A') + "\thttp://h/x\n", 2, 15, "lower-case"},
      {"/a\t5\t-\tsha3:00\thttp://h/x\n", 2, 8, "unknown digest algorithm \"sha3\""},
      {"/a\t5\t-\t" + sha + "\thttp://h/x\n", 2, 8, "bad digest"},
      // where
      {"/a\t5\t-\t-\tftp://h/x\n", 2, 10, "scheme \"ftp\" is refused"},
      {"/a\t5\t-\t-\tfile:///etc/passwd\n", 2, 10, "scheme \"file\" is refused"},
      {"/a\t5\t-\t-\thttps://user:pw@h/x\n", 2, 18, "no user or password"},
      {"/a\t5\t-\t-\thttp:///x\n", 2, 17, "no host"},
      {"/a\t5\t-\t-\thttp://h/a b\n", 2, 20, "percent-encoded"},
      {"/a\t5\t-\t-\thttp://h/\xc3\xa9\n", 2, 19, "percent-encoded"},
      {"/a\t5\t-\t-\thttp://h/%zz\n", 2, 19, "% without two"},
      {"/a\t5\t-\t-\tx.bin\n", 2, 10, "no base"},
      {"/a\t5\t-\t-\t=\n", 2, 10, "= without a @base"},
      // attributes
      {with(""), 2, 21, "stray TAB"},
      {with("etag"), 2, 21, "wanted name=value"},
      {with("Etag=\"a\""), 2, 21, "bad name"},
      {with("=x"), 2, 21, "name missing"},
      {with("!new=1"), 2, 21, "\"!new\" must be understood"},
      {with("off=1"), 2, 21, "must be written !off="},
      {with("part=0+5 http://h/x"), 2, 21, "must be written !part="},
      {with("link=b"), 2, 21, "must be written !link="},
      {with("data=base64:Zm8="), 2, 21, "must be written !data="},
      {with("etag=\"a\"\tetag=\"b\""), 2, 30, "given twice"},
      {with("etag=abc"), 2, 26, "bad etag"},
      {with("etag=\"a\\r\\nX: y\""), 2, 26, "bad etag"},
      {with("type=a\x02"), 2, 27, "control byte"},
      {with("type=text"), 2, 26, "bad type"},
      {with("mode=8"), 2, 26, "bad mode"},
      {with("validator=maybe"), 2, 31, "bad validator"},
      {with("validator=size"), 2, 1, "needs a digest or pieces"},
      {with("mirror=ftp://h/x"), 2, 28, "scheme \"ftp\""},
      {with("mirror=http://h/x bad"), 2, 39, "bad etag"},
      {with("digest=md5:00"), 2, 32, "has 32 digits"},
      {"/a\t5\t-\tsha256:" + sha + "\thttp://h/x\tdigest=sha256:" + sha + "\n", 2, 98,
       "second digest"},
      {with("pieces=sha256:1000:p"), 2, 35, "power of two"},
      {with("pieces=sha256:65536:p"), 2, 41, "no base"},
      {with("auth=a/b"), 2, 26, "bad auth"},
      {"@set auth=a\\x20b\n" + good, 2, 11, "bad auth"},
      {with("!off=x"), 2, 26, "bad offset"},
      {with("!off=5/9"), 2, 26, "ends after the object's total"},
      {"/a\t-\t-\t-\thttp://h/x\t!off=5\n", 2, 4, "!off needs a size"},
      {with("!off=0\t!link=b"), 2, 34, "only one of"},
      // parts
      {with("!part=0+5 http://h/x"), 2, 10, "a file of parts has - in this column"},
      {"/a\t-\t-\t-\t-\t!part=0+5 http://h/x\n", 2, 4, "!part needs a size"},
      {special("!part=0+4 http://h/x"), 2, 6, "the parts have 4 bytes together"},
      {special("!part=0+5"), 2, 23, "bad part"},
      {special("!part=0+0 http://h/x"), 2, 22, "no bytes"},
      {special("!part=base64:\t!part=0+5 http://h/x"), 2, 20, "no bytes"},
      {special("!part=* http://h/x"), 2, 20, "!part=* is refused"},
      {special("!part=0+5 ftp://h/x"), 2, 24, "scheme \"ftp\""},
      {special("!part=0+5 http://h/x\tetag=\"a\""), 2, 40, "etag= is not for a file of parts"},
      {special("!part=0+5 http://h/x\tmirror=http://h/y"), 2, 42,
       "mirror= is not for a file of parts"},
      {"/a\t1025\t-\t-\t-" + repeat("\t!part=0+1 http://h/x", 1025) + "\n", 2, 21525,
       "more than 1024"},
      // links
      {"/l\t-\t-\t-\t-\t!link=/etc/passwd\n", 2, 18, "must be relative"},
      {"/l\t-\t-\t-\t-\t!link=../x\n", 2, 18, "leaves the mount"},
      {"/d/l\t-\t-\t-\t-\t!link=../../x\n", 2, 23, "leaves the mount"},
      {"/d/l\t-\t-\t-\t-\t!link=a/../x\n", 2, 22, "only in front"},
      {"/l\t-\t-\t-\t-\t!link=\n", 2, 18, "empty link target"},
      {"/l\t9\t-\t-\t-\t!link=x\n", 2, 4, "the link target has 1 bytes"},
      {"/l\t-\t-\t-\thttp://h/x\t!link=x\n", 2, 10, "a link has - in this column"},
      {"/l\t-\t-\tmd5:" + std::string(32, '0') + "\t-\t!link=x\n", 2, 8, "a link has no digest"},
      {"/l\t-\t-\t-\t-\t!link=x\ttype=a/b\n", 2, 25, "type= is not for a link"},
      // data
      {special("!data=Zm9v"), 2, 20, "wanted base64:"},
      {special("!data=base64:Zm9"), 2, 30, "no multiple of four"},
      {special("!data=base64:Zm9v"), 2, 6, "the inline data has 3 bytes"},
      // directories
      {"/d/\t5\t-\t-\t-\n", 2, 5, "a directory has no size"},
      {"/d/\t-\t-\t-\thttp://h/x\n", 2, 11, "a directory has - in this column"},
      {"/d/\t-\t-\t-\t-\ttype=a/b\n", 2, 18, "type= is not for a directory"},
      {"/d/\t-\t-\t-\t-\t!link=x\n", 2, 19, "link= is not for a directory"},
      // directives
      {"@\n", 2, 2, "name missing"},
      {"@Base x\n", 2, 2, "bad name"},
      {"@!new x\n", 2, 7, "\"@!new\" must be understood"},
      {"@!\n", 2, 3, "name missing"},
      {"@base\n", 2, 6, "empty URL"},
      {"@base x/\n", 2, 7, "no base"},
      {"@base ftp://h/\n", 2, 7, "scheme \"ftp\""},
      {"@base http://h/?q\n", 2, 16, "a base has no query"},
      {"@base  http://h/\n", 2, 7, "percent-encoded"},
      {"@base\thttp://h/\n", 2, 6, "control byte"},
      {"@mirror http://h/\n", 2, 9, "@mirror without a @base"},
      {"@prefix d\n", 2, 9, "@prefix wants /dir"},
      {"@prefix /a/../b\n", 2, 12, "\"..\" is no name"},
      {"@sorted\n@prefix /d\n", 3, 9, "@prefix after @sorted"},
      {"@sorted yes\n", 2, 9, "@sorted has no value"},
      {"@set\n", 2, 5, "@set wants"},
      {"@set mode=9\n", 2, 11, "bad mode"},
      {"@set mode=0444  type=a/b\n", 2, 16, "name missing"},
      {"@set !new=1\n", 2, 11, "must be understood"},
      {"@set etag=\"a\"\n", 2, 11, "only mode, auth, type and validator"},
      {"@count x\n", 2, 8, "bad count"},
      {"@count 1\n@count 1\n", 3, 8, "given twice, first on line 2"},
      // order
      {"@sorted\n" + file("/b") + file("/a"), 4, 1, "out of order"},
      {"@sorted\n" + file("/a") + file("/a"), 4, 1, "out of order"},
      {"@sorted\n" + file("/\\x61"), 3, 2, "needless escape"},
      // the end
      {good + "@end 2\n", 3, 1, "@end 2, but there are 1 entries"},
      {"@count 2\n" + good, 2, 1, "@count 2, but there are 1 entries"},
      {"@bytes 2\n" + good, 2, 1, "@bytes 2, but there are 1 bytes"},
      {good + "@end 1\n" + good, 4, 1, "text after @end"},
      {good + "@end 1\n\n", 4, 1, "text after @end"},
      {good + "@end 1\n@end 1\n", 4, 1, "text after @end"},
      {good + "@end\n", 3, 5, "bad end"},
      {good + "@end 1", 3, 7, "no line feed"},
      {"# only a comment\n", 0, 0, "no entries"},
      {"", 0, 0, "no entries"},
  };
}

TEST(ManifestErrors, NameLineColumnAndWhatIsWrong) {
  for (const Case& each : cases()) {
    try {
      read(each.entries);
      ADD_FAILURE() << "accepted: " << each.entries.substr(0, 200);
    } catch (const ManifestError& error) {
      EXPECT_EQ(error.line, each.line) << error.what();
      EXPECT_EQ(error.column, each.column) << error.what();
      EXPECT_NE(error.message.find(each.message), std::string::npos)
          << "wanted: " << each.message << "\nfound: " << error.message;
    }
  }
}

TEST(ManifestErrors, ShowTheLineWithACaretUnderTheFault) {
  EXPECT_EQ(error_of("#skimfs 1\n/songs/../b\t1\t-\t-\thttp://h/x\n"),
            "m:2:8: error: \"..\" is no name\n"
            "/songs/../b\t1\t-\t-\thttp://h/x\n"
            "       ^");
}

TEST(ManifestErrors, KeepTabsSoThatTheCaretStandsRight) {
  EXPECT_EQ(error_of("#skimfs 1\n/a\t5k\t-\t-\thttp://h/x\n"),
            "m:2:5: error: bad size: wanted decimal digits only\n"
            "/a\t5k\t-\t-\thttp://h/x\n"
            "  \t ^");
}

TEST(ManifestErrors, EscapeWhatIsNotPrintable) {
  EXPECT_EQ(error_of("#skimfs 1\n/\x1b[31m\xff\t1\t-\t-\thttp://h/x\n"),
            "m:2:2: error: control byte: write it as \\t, \\n, \\r or \\xHH\n"
            "/\\x1b[31m\\xff\t1\t-\t-\thttp://h/x\n"
            " ^");
}

TEST(ManifestErrors, LeaveOutQueriesAndPasswords) {
  const std::string text =
      error_of("#skimfs 1\n/a?b\t1\t-\t-\thttp://h/x?sig=SECRET\tmirror=http://u:SECRET@h/y\n");
  EXPECT_EQ(text.find("SECRET"), std::string::npos) << text;
  EXPECT_NE(text.find("/a?b\t1\t-\t-\thttp://h/x?...\tmirror=http://...@h/y"), std::string::npos)
      << text;
}

TEST(ManifestErrors, ShowAtMost200BytesOfALineAroundTheFault) {
  const std::string text = error_of("#skimfs 1\n/" + std::string(250, 'a') +
                                    "/..\t1\t-\t-\thttp://h/" + std::string(1000, 'b') + "\n");
  const std::string shown = text.substr(text.find('\n') + 1);
  EXPECT_EQ(shown.find('\n'), 200u);
  EXPECT_EQ(shown.substr(0, 85), std::string(79, 'a') + "/..\t1\t");
  EXPECT_EQ(shown.substr(201), std::string(80, ' ') + "^");
}

TEST(ManifestErrors, ABadFirstLineSaysWhatWouldBeRight) {
  EXPECT_NE(error_of("#skimfs 2\n").find("m:1:9: error: unknown version"), std::string::npos);
  EXPECT_NE(error_of("#skimfs 10\n").find("this build reads version 1"), std::string::npos);
  EXPECT_NE(error_of("/a\t1\t-\t-\thttp://h/x\n").find("whose first line is \"#skimfs 1\""),
            std::string::npos);
  EXPECT_NE(error_of("\xef\xbb\xbf#skimfs 1\n").find("byte order mark"), std::string::npos);
  EXPECT_NE(error_of("\x1f\x8b\x08").find("compressed"), std::string::npos);
  EXPECT_NE(error_of("<html>\n").find("XML or HTML"), std::string::npos);
  EXPECT_NE(error_of("").find("m: empty: wanted a manifest"), std::string::npos);
  EXPECT_NE(error_of("# x\n").find("nothing but comments"), std::string::npos);
}

TEST(ManifestErrors, UnderSkipBadEntriesAreDroppedAndCounted) {
  ReadOptions options;
  options.on_bad_entry = OnBadEntry::skip;
  const Loaded loaded = read(
      "@bytes "
      "999\n/a\t1\t-\t-\thttp://h/1\n/b\tx\t-\t-\thttp://h/2\n/a\t2\t-\t-\thttp://h/3\n/"
      "c\t3\t-\t-\thttp://h/4\n@end 4\n",
      options);
  EXPECT_EQ(loaded.errors, 2u);
  ASSERT_EQ(loaded.examples.size(), 2u);
  EXPECT_EQ(loaded.examples[0].substr(0, 12), "m:4:4: error");
  EXPECT_EQ(loaded.examples[1].substr(0, 12), "m:5:1: error");
  EXPECT_EQ(loaded.tree->totals().files, 2u);
  EXPECT_EQ(loaded.tree->entry(1).size, 1u);
}

TEST(ManifestErrors, UnderSkipFaultsOfTheFileStillFail) {
  ReadOptions options;
  options.on_bad_entry = OnBadEntry::skip;
  const std::string good = file("/a");
  for (const std::string& text :
       {std::string("#skimfs 2\n"), "#skimfs 1\n@!new\n" + good, "#skimfs 1\n" + good + "@end 2\n",
        "#skimfs 1\n" + good + "@end 1\nx\n", "#skimfs 1\n@base ftp://h/\n" + good,
        "#skimfs 1\n" + good + "/b\tcut"}) {
    EXPECT_NE(error_of(text, options), "no error") << text;
  }
}

TEST(ManifestErrors, ADirectoryNeededOnlyByARefusedEntryIsNotMade) {
  ReadOptions options;
  options.on_bad_entry = OnBadEntry::skip;
  EXPECT_EQ(
      read(file("/f") + "/new/x\t1\t-\t-\tftp://h/\n" + file("/f/sub/x"), options).tree->rows(),
      2u);
}

TEST(ManifestErrors, WithAReportAllAreToldAndReadingGoesOn) {
  std::vector<std::uint64_t> lines;
  ReadOptions options;
  options.report = [&](const ManifestError& error) { lines.push_back(error.line); };
  const Loaded loaded =
      read("@base ftp://h/\n/a\tx\t-\t-\thttp://h/1\n/b\t1\t-\t-\thttp://h/2\n@end 5\n", options);
  EXPECT_EQ(lines, (std::vector<std::uint64_t>{2, 3, 5}));
  EXPECT_EQ(loaded.errors, 3u);
  EXPECT_EQ(loaded.tree->totals().files, 1u);
}

TEST(ManifestErrors, RawNamesAdmitBytesThatAreNotUtf8) {
  ReadOptions options;
  options.raw_names = true;
  EXPECT_EQ(read(file("/caf\xe9"), options).tree->entry(1).name, "caf\xe9");
}

}  // namespace
}  // namespace skimfs::fs::manifest
