// SPDX-License-Identifier: MIT
//
// What each column, attribute and directive means.
#include <gtest/gtest.h>

#include <string>

#include "tests/manifest/helpers.h"

namespace skimfs::fs::manifest {
namespace {

using Urls = std::vector<std::string>;

constexpr const char* kBase = "@base https://h.example/set/\n";

TEST(Native, AnEntryHasPathSizeTimeAndUrl) {
  const Loaded loaded = read("/a.txt\t12\t2024-05-01T12:00:00.5Z\t-\thttps://h/x\n");
  const Entry entry = loaded.tree->entry(find_path(*loaded.tree, "/a.txt"));
  EXPECT_EQ(entry.kind, Kind::file);
  EXPECT_EQ(entry.name, "a.txt");
  EXPECT_EQ(entry.size, 12u);
  EXPECT_EQ(entry.mtime->seconds, 1714564800);
  EXPECT_EQ(entry.mtime->nanoseconds, 500'000'000u);
  EXPECT_EQ(entry.mode, 0444u);
}

TEST(Native, AFileOfOneUrlIsOnePartOfKnownTotal) {
  const Content content = content_of("/a\t12\t-\t-\thttps://h/x#f\tetag=\"e\"\n");
  ASSERT_EQ(content.parts.size(), 1u);
  const Part& part = content.parts[0];
  EXPECT_EQ(part.urls, Urls{"https://h/x"});
  EXPECT_EQ(part.length, 12u);
  EXPECT_EQ(part.total, 12u);
  EXPECT_EQ(part.offset, 0u);
  EXPECT_EQ(part.etag, "\"e\"");
}

TEST(Native, ADashLeavesSizeAndTimeOpen) {
  const Loaded loaded = read("/a\t-\t-\t-\thttps://h/x\n");
  const Entry entry = loaded.tree->entry(1);
  EXPECT_FALSE(entry.size);
  EXPECT_FALSE(entry.mtime);
  const Content content = loaded.tree->content(1);
  EXPECT_FALSE(content.parts.at(0).length);
  EXPECT_FALSE(content.parts.at(0).total);
}

TEST(Native, AnEmptyFileHasNoParts) {
  EXPECT_TRUE(content_of("/a\t0\t-\t-\thttps://h/x\n").parts.empty());
  EXPECT_TRUE(content_of("/a\t-\t-\t-\t-\t!data=base64:\n").parts.empty());
}

TEST(Native, RowsStandInManifestOrderWithDirectoriesWhereFirstNeeded) {
  const Loaded loaded = read(
      "/b/two\t1\t-\t-\thttp://h/2\n"
      "/a/one\t1\t-\t-\thttp://h/1\n"
      "/b/three\t1\t-\t-\thttp://h/3\n");
  std::vector<std::string> paths;
  for (Row row = 0; row < loaded.tree->rows(); ++row) paths.push_back(loaded.tree->path(row));
  EXPECT_EQ(paths, (Urls{"/", "/b", "/b/two", "/a", "/a/one", "/b/three"}));
}

TEST(Native, ADirectoryMayBeNamedBeforeOrAfterItIsNeeded) {
  const Loaded loaded = read(
      "/a/\t-\t2024-01-01T00:00:00Z\t-\t-\n"
      "/a/x\t1\t-\t-\thttp://h/1\n"
      "/b/y\t1\t-\t-\thttp://h/2\n"
      "/b/\t-\t2024-01-02T00:00:00Z\t-\t-\tmode=0755\n"
      "/empty/\t-\t-\t-\t-\n");
  const Tree& tree = *loaded.tree;
  EXPECT_EQ(tree.entry(find_path(tree, "/a")).mtime->seconds, 1704067200);
  EXPECT_EQ(tree.entry(find_path(tree, "/b")).mtime->seconds, 1704153600);
  EXPECT_EQ(tree.entry(find_path(tree, "/b")).mode, 0555u);
  EXPECT_TRUE(tree.children(find_path(tree, "/empty")).empty());
  EXPECT_EQ(tree.totals().directories, 3u);
}

TEST(Native, WriteBitsAndSetIdAreMaskedOff) {
  EXPECT_EQ(read("/a\t1\t-\t-\thttp://h/1\tmode=6777\n").tree->entry(1).mode, 0555u);
  EXPECT_EQ(read("/a\t1\t-\t-\thttp://h/1\tmode=0640\n").tree->entry(1).mode, 0440u);
}

TEST(Native, EscapesInPathsBecomeBytes) {
  ReadOptions raw;
  raw.raw_names = true;
  const Loaded loaded = read("/tab\\there\\\\and\\x80\t5\t-\t-\thttp://h/x\n", raw);
  EXPECT_EQ(loaded.tree->entry(1).name, "tab\there\\and\x80");
}

TEST(Native, EqualsSignMeansTheBaseWithThePathEncoded) {
  const Content content = content_of(std::string(kBase) + "/a b/c%.txt\t1\t-\t-\t=\n");
  EXPECT_EQ(content.parts.at(0).urls, Urls{"https://h.example/set/a%20b/c%25.txt"});
}

TEST(Native, RelativeReferencesAreTriedAtEachMirrorBaseAfterTheirOwnMirrors) {
  const Content content =
      content_of(std::string(kBase) +
                 "@mirror https://m1.example/\n@mirror https://m2.example/x/\n"
                 "/a\t1\t-\t-\td/a.bin\tmirror=https://own.example/a\tmirror=b.bin \"etag\"\n");
  EXPECT_EQ(
      content.parts.at(0).urls,
      (Urls{"https://h.example/set/d/a.bin", "https://own.example/a", "https://h.example/set/b.bin",
            "https://m1.example/d/a.bin", "https://m2.example/x/d/a.bin"}));
  EXPECT_EQ(content.parts.at(0).mirror_etags, (Urls{"", "\"etag\""}));
}

TEST(Native, EqualsSignIsTriedAtEachMirrorBaseToo) {
  const Content content =
      content_of(std::string(kBase) + "@mirror https://m.example/x/\n/d/a\t1\t-\t-\t=\n");
  EXPECT_EQ(content.parts.at(0).urls,
            (Urls{"https://h.example/set/d/a", "https://m.example/x/d/a"}));
}

TEST(Native, AbsoluteReferencesIgnoreMirrorBases) {
  const Content content =
      content_of(std::string(kBase) + "@mirror https://m.example/\n/a\t1\t-\t-\thttps://o/x\n");
  EXPECT_EQ(content.parts.at(0).urls, Urls{"https://o/x"});
}

TEST(Native, ABaseHoldsForLaterLinesAndClearsMirrors) {
  const Loaded loaded = read(
      "@base https://one/\n@mirror https://m/\n/a\t1\t-\t-\tx\n"
      "@base https://two/\n/b\t1\t-\t-\tx\n"
      "@base sub/\n/c\t1\t-\t-\tx\n");
  EXPECT_EQ(loaded.tree->content(1).parts.at(0).urls, (Urls{"https://one/x", "https://m/x"}));
  EXPECT_EQ(loaded.tree->content(2).parts.at(0).urls, Urls{"https://two/x"});
  EXPECT_EQ(loaded.tree->content(3).parts.at(0).urls, Urls{"https://two/sub/x"});
}

TEST(Native, TheBaseOptionHoldsUntilTheFirstBase) {
  ReadOptions options;
  options.base = "https://option.example/d/";
  const Loaded loaded = read("/a\t1\t-\t-\tx\n", options);
  EXPECT_EQ(loaded.tree->content(1).parts.at(0).urls, Urls{"https://option.example/d/x"});
}

TEST(Native, APrefixMovesPathsAndNotUrls) {
  const Loaded loaded =
      read(std::string(kBase) + "@prefix /deep/er\n/a\t1\t-\t-\t=\n@prefix\n/b\t1\t-\t-\t=\n");
  const Row a = find_path(*loaded.tree, "/deep/er/a");
  EXPECT_EQ(loaded.tree->content(a).parts.at(0).urls, Urls{"https://h.example/set/a"});
  const Row b = find_path(*loaded.tree, "/b");
  EXPECT_EQ(loaded.tree->content(b).parts.at(0).urls, Urls{"https://h.example/set/b"});
}

TEST(Native, DefaultsHoldUntilTheyAreChangedOrCleared) {
  const Loaded loaded = read(
      "@set mode=0400 type=text/plain;\\x20charset=utf-8 validator=time\n"
      "/a\t1\t-\t-\thttp://h/1\n"
      "/b\t1\t-\t-\thttp://h/2\tmode=0444\ttype=a/b\tvalidator=strict\n"
      "@set mode type\n"
      "/c\t1\t-\t-\thttp://h/3\n");
  const Tree& tree = *loaded.tree;
  EXPECT_EQ(tree.entry(1).mode, 0400u);
  EXPECT_EQ(tree.content(1).mime_type, "text/plain; charset=utf-8");
  EXPECT_EQ(tree.content(1).validator, "time");
  EXPECT_EQ(tree.entry(2).mode, 0444u);
  EXPECT_EQ(tree.content(2).mime_type, "a/b");
  EXPECT_EQ(tree.content(2).validator, "strict");
  EXPECT_EQ(tree.entry(3).mode, 0444u);
  EXPECT_EQ(tree.content(3).mime_type, "");
  EXPECT_EQ(tree.content(3).validator, "time");
}

TEST(Native, TheModeDefaultLeavesDirectoriesSearchable) {
  const Loaded loaded = read("@set mode=0440\n/d/\t-\t-\t-\t-\n/d/a\t1\t-\t-\thttp://h/1\n");
  EXPECT_EQ(loaded.tree->entry(1).mode, 0555u);
  EXPECT_EQ(loaded.tree->entry(2).mode, 0440u);
}

TEST(Native, DigestsComeTheColumnFirst) {
  const std::string sha(64, 'a'), md5(32, 'b');
  const Content content =
      content_of("/a\t1\t-\tsha256:" + sha + "\thttp://h/1\tdigest=md5:" + md5 + "\n");
  EXPECT_EQ(content.digests, (Urls{"sha256:" + sha, "md5:" + md5}));
}

TEST(Native, PiecesAreResolvedAgainstTheBase) {
  const std::string sha(64, 'a');
  const Content content =
      content_of(std::string(kBase) + "/a\t1\t-\t-\tx\tpieces=sha256:65536:p/x.p#" + sha + "\n");
  EXPECT_EQ(content.pieces, "sha256:65536:https://h.example/set/p/x.p#" + sha);
}

TEST(Native, TheLongestPieceIsKnownForTheWholeTree) {
  const auto longest = [](const std::string& entries) {
    return read(std::string(kBase) + entries).tree->totals().largest_piece;
  };
  EXPECT_EQ(longest("/a\t9\t-\t-\tx\n"), 0u);
  EXPECT_EQ(longest("/a\t999999\t-\t-\tx\tpieces=md5:65536:p\n"
                    "/b\t999999\t-\t-\tx\tpieces=md5:131072:p\n"
                    "/c\t9\t-\t-\tx\tpieces=md5:262144:p\n"),
            131072u);
  EXPECT_EQ(longest("/a\t-\t-\t-\tx\tpieces=md5:262144:p\n"), 262144u);
}

TEST(Native, AnOffsetMakesTheFileAPieceOfTheObject) {
  const Part part = content_of("/a\t10\t-\t-\thttp://h/tar\t!off=1536/99999\n").parts.at(0);
  EXPECT_EQ(part.at, 0u);
  EXPECT_EQ(part.length, 10u);
  EXPECT_EQ(part.offset, 1536u);
  EXPECT_EQ(part.total, 99999u);
  EXPECT_FALSE(content_of("/a\t10\t-\t-\thttp://h/tar\t!off=1536\n").parts.at(0).total);
}

TEST(Native, PartsAreJoinedInOrder) {
  const Content content = content_of(std::string(kBase) +
                                     "@mirror https://m.example/\n"
                                     "/a\t1103\t-\t-\t-\t!part=base64:Zm9v\t!part=0+1000 a.1 "
                                     "\"e1\"\t!part=24+100/124 http://o/2\n");
  ASSERT_EQ(content.parts.size(), 3u);
  EXPECT_EQ(content.parts[0].literal, "foo");
  EXPECT_EQ(content.parts[0].length, 3u);
  EXPECT_TRUE(content.parts[0].urls.empty());
  EXPECT_EQ(content.parts[1].at, 3u);
  EXPECT_EQ(content.parts[1].urls, (Urls{"https://h.example/set/a.1", "https://m.example/a.1"}));
  EXPECT_EQ(content.parts[1].etag, "\"e1\"");
  EXPECT_FALSE(content.parts[1].total);
  EXPECT_EQ(content.parts[2].at, 1003u);
  EXPECT_EQ(content.parts[2].offset, 24u);
  EXPECT_EQ(content.parts[2].length, 100u);
  EXPECT_EQ(content.parts[2].total, 124u);
}

TEST(Native, InlineDataGivesTheSize) {
  const Loaded loaded = read("/a\t-\t-\t-\t-\t!data=base64:eyJ6YXJyX2Zvcm1hdCI6IDJ9Cg==\n");
  EXPECT_EQ(loaded.tree->entry(1).size, 19u);
  EXPECT_EQ(loaded.tree->content(1).parts.at(0).literal, "{\"zarr_format\": 2}\n");
}

TEST(Native, ALinkHasItsTargetAndTheTargetsLength) {
  const Loaded loaded = read("/d/l\t-\t-\t-\t-\t!link=../a b\n");
  EXPECT_EQ(loaded.tree->entry(2).kind, Kind::link);
  EXPECT_EQ(loaded.tree->entry(2).size, 6u);
  EXPECT_EQ(loaded.tree->link_target(2), "../a b");
  EXPECT_EQ(loaded.tree->link_target(1), "");
}

TEST(Native, ALinkBelowAPrefixMayClimbThroughIt) {
  EXPECT_EQ(read("@prefix /p\n/l\t-\t-\t-\t-\t!link=../x\n").errors, 0u);
}

TEST(Native, CommentsAndBlankLinesAreSkippedWhateverTheyHold) {
  const Loaded loaded = read("# \x01\xff anything\n\n/a\t1\t-\t-\thttp://h/1\n");
  EXPECT_EQ(loaded.tree->totals().files, 1u);
}

TEST(Native, CarriageReturnsAreDroppedWithOneWarning) {
  const Loaded loaded = read("/a\t1\t-\t-\thttp://h/1\r\n/b\t1\t-\t-\thttp://h/2\r\n@end 2\r\n");
  EXPECT_EQ(loaded.tree->content(1).parts.at(0).urls, Urls{"http://h/1"});
  EXPECT_EQ(loaded.warnings, Urls{"3 lines end in CR LF: the CR is dropped"});
}

TEST(Native, UnknownNamesAreCountedInOneWarningEach) {
  const Loaded loaded = read(
      "@new thing\n@other\n/a\t1\t-\t-\thttp://h/1\tx-y=1\tz.1=2\n/b\t1\t-\t-\thttp://h/2\tx-y=3\n"
      "@end 2\n");
  EXPECT_EQ(loaded.warnings, (Urls{"2 unknown directives ignored, the first, \"@new\", on line 2",
                                   "3 unknown attributes ignored, the first, \"x-y\", on line 4"}));
}

TEST(Native, AMissingEndIsAWarning) {
  const Loaded loaded = read("/a\t1\t-\t-\thttp://h/1\n");
  EXPECT_EQ(loaded.warnings, Urls{"no @end: a file cut short between lines would not show"});
}

TEST(Native, CountsAndBytesThatAgreeAreAccepted) {
  const Loaded loaded = read(
      "@generator me 1.0\n@source https://h/list\n@count 3\n@bytes 30\n@sorted\n"
      "/a/\t-\t-\t-\t-\n/a/x\t10\t-\t-\thttp://h/1\n/b\t20\t-\t-\thttp://h/2\n@end 3\n");
  EXPECT_TRUE(loaded.warnings.empty());
  EXPECT_EQ(loaded.tree->totals().bytes, 30u);
}

TEST(Native, AnEmptyTreeIsMeantWhenEndSaysSo) { EXPECT_EQ(read("@end 0\n").tree->rows(), 1u); }

TEST(Native, TotalsCountEveryKind) {
  const Totals totals = read(
                            "/a\t7\t-\t-\thttp://h/1\n/d/b\t-\t-\t-\thttp://h/2\n"
                            "/l\t-\t-\t-\t-\t!link=a\n/i\t-\t-\t-\t-\t!data=base64:Zm9v\n")
                            .tree->totals();
  EXPECT_EQ(totals.files, 3u);
  EXPECT_EQ(totals.directories, 1u);
  EXPECT_EQ(totals.links, 1u);
  EXPECT_EQ(totals.bytes, 10u);
  EXPECT_EQ(totals.unknown_sizes, 1u);
  EXPECT_GT(totals.memory, 0u);
}

TEST(Native, TheDeepestAndLongestPathsFit) {
  std::string deep;
  for (int depth = 0; depth < 128; ++depth) deep += "/d";
  EXPECT_EQ(read(deep + "\t1\t-\t-\thttp://h/1\n").tree->rows(), 129u);
  std::string longest;
  for (int part = 0; part < 15; ++part) longest += "/" + std::string(255, 'a');
  longest += "/" + std::string(4095 - longest.size() - 1, 'a');
  const Loaded loaded = read(longest + "\t1\t-\t-\thttp://h/1\n");
  EXPECT_EQ(loaded.tree->path(loaded.tree->rows() - 1), longest);
}

}  // namespace
}  // namespace skimfs::fs::manifest
