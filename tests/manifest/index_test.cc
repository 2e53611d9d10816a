// SPDX-License-Identifier: MIT
//
// Compiled manifests as files: what they keep, and what becomes of those that are damaged, hostile,
// or written to while they are mapped.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/manifest/helpers.h"
#include "tests/manifest/index_bytes.h"

namespace skimfs::fs::manifest {
namespace {

const std::string kEverything =
    "@base https://h.example/\n@mirror https://m.example/\n"
    "/a\t1\t-\t-\t=\n/"
    "b\t2\t2024-05-01T12:00:00Z\tmd5:00112233445566778899aabbccddeeff\tx\tetag=\"e\"\n"
    "/c/\t-\t-\t-\t-\tmode=0700\n/d\t-\t-\t-\t-\t!link=a\n/e\t3\t-\t-\t-\t!data=base64:Zm9v\n"
    "/f\t5\t-\t-\tx\t!off=5/99\n/g\t6\t-\t-\t-\t!part=0+3 x\t!part=base64:Zm9v\n"
    "/h\t-\t-\t-\thttps://o.example/x?y=z\n/i/j/k\t7\t-\t-\tx\tmirror=https://q.example/ \"r\"\n"
    "/i/j/l\t-\t-\t-\t-\t!link=../../a\n/l\t8\t-\t-\tx\ttype=a/b\tvalidator=time\n"
    "@base https://other.example/p/\n@set type=x/y\n@prefix /pre/fix\n"
    "/m\\x7f\t9\t-\t-\tx\tpieces=sha256:65536:p\n/n\t0\t-\t-\tx\tmode=0555\n/o\t1\t-\t-\t=\n";

std::string message_of(const std::string& index) {
  try {
    open_index(Memory(index).descriptor());
    return "opened";
  } catch (const IndexError& error) {
    return error.what();
  }
}

TEST(Index, IsTheTreeOfItsText) {
  const Memory file(index_of(kEverything));
  expect_same(*read(kEverything).tree, tree_of_index(file));
}

TEST(Index, IsTheTreeOfItsTextInWhateverOrderThatStands) {
  std::string text;
  for (const char* path : {"/z/1", "/a/1", "/z/0", "/b", "/a/0", "/z/1/"})
    text += std::string(path) + "\t1\t-\t-\thttp://h/x\n";
  ReadOptions skip;
  skip.on_bad_entry = OnBadEntry::skip;  // the last is a directory and a file
  const Memory file(index_of(text, skip));
  const Loaded loaded = load_text("#skimfs 1\n" + text, "m", skip);
  EXPECT_EQ(loaded.errors, 1u);
  expect_same(*loaded.tree, tree_of_index(file));
}

TEST(Index, KeepsWhatTheReaderHadToSay) {
  ReadOptions skip;
  skip.on_bad_entry = OnBadEntry::skip;
  const Memory file(index_of("@new x\n/a\t1\t-\t-\thttp://h/x\n/b\n", skip));
  const Provenance said = open_index(file.descriptor()).provenance;
  const Loaded loaded = load_text("#skimfs 1\n@new x\n/a\t1\t-\t-\thttp://h/x\n/b\n", "m", skip);
  EXPECT_EQ(said.errors, 1u);
  EXPECT_EQ(said.examples, loaded.examples);
  EXPECT_EQ(said.warnings, loaded.warnings);
  EXPECT_EQ(said.format, "skimfs");
  EXPECT_EQ(said.text, digest_of(std::string("#skimfs 1\n@new x\n/a\t1\t-\t-\thttp://h/x\n/b\n")));
}

TEST(Index, OfNothingIsARoot) {
  const Memory file(index_of("@end 0\n"));
  const Tree tree = tree_of_index(file);
  EXPECT_EQ(tree.rows(), 1u);
  EXPECT_TRUE(tree.children(kRoot).empty());
  EXPECT_FALSE(tree.find(kRoot, "a"));
  EXPECT_TRUE(tree.intact());
}

TEST(Index, FindsEachOfManyNamesInOneDirectory) {
  std::string text;
  for (int each = 0; each < 20000; ++each)
    text += "/d/" + std::to_string(each) + "\t1\t-\t-\thttp://h/x\n";
  const Memory file(index_of(text));
  const Tree tree = tree_of_index(file);
  for (int each = 0; each < 20000; ++each)
    ASSERT_EQ(tree.find(1, std::to_string(each)), static_cast<Row>(each + 2)) << each;
  EXPECT_FALSE(tree.find(1, "20000"));
  EXPECT_TRUE(tree.intact());
}

TEST(Index, CutAnywhereIsRefused) {
  const std::string whole = index_of(kEverything);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(message_of(whole.substr(0, size)), "opened") << size;
  EXPECT_NE(message_of(whole + '\0'), "opened");
}

// Wherever a bit turns, nothing of it is believed.
TEST(Index, NoFlippedBitGoesUnnoticed) {
  const std::string whole = index_of(kEverything);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string index = whole;
    index[at] = static_cast<char>(index[at] ^ (1 << at % 8));
    const Memory file(index);
    try {
      const Tree tree = tree_of_index(file);
      // Not every section is asked for every answer.
      const bool answered = tree.path(tree.rows() - 1) == "/pre/fix/o" && tree.intact();
      ask_all(tree);
      if (tree.intact()) {
        EXPECT_TRUE(answered);
        EXPECT_THROW(check_whole(open_index(file.descriptor()).tree), IndexError) << at;
      }
    } catch (const IndexError&) {
      continue;
    }
  }
}

TEST(Index, OfAnotherVersionOrMachineIsRefused) {
  std::string index = index_of("@end 0\n");
  index[offsetof(IndexHeader, version)] = 77;
  EXPECT_EQ(message_of(index), "compiled by another version of skimfs or for another machine");
  index = index_of("@end 0\n");
  std::swap(index[offsetof(IndexHeader, byte_order)], index[offsetof(IndexHeader, byte_order) + 3]);
  EXPECT_EQ(message_of(index), "compiled by another version of skimfs or for another machine");
  EXPECT_EQ(message_of(std::string(1000, 'x')), "no compiled manifest");
}

// Checks that fit prove nothing: whoever writes an index can write those too.
TEST(Index, HostileOnesNeverCrashAndTellNothingThatAManifestCouldNotSay) {
  const std::string whole = index_of(kEverything);
  std::mt19937 random(3);
  std::size_t opened = 0, damaged = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string index = whole;
    for (std::size_t edits = 1 + random() % 3; edits > 0; --edits) {
      const std::size_t at = random() % index.size();
      const std::uint32_t value = random() % 2 == 0 ? random() % 300 : random();
      if (random() % 2 == 0)
        index[at] = static_cast<char>(value);
      else
        std::memcpy(index.data() + at / 4 * 4, &value,
                    std::min<std::size_t>(sizeof value, index.size() - at / 4 * 4));
    }
    seal(index);
    const Memory file(index);
    try {
      const Tree tree = tree_of_index(file);
      ++opened;
      ask_all(tree);
      damaged += tree.intact() ? 0 : 1;
    } catch (const IndexError&) {
      continue;
    }
  }
  EXPECT_GT(opened, 1000u);
  EXPECT_GT(damaged, 500u);
}

TEST(Index, ADirectoryThatContainsItselfIsNotWalked) {
  std::string index = index_of("/a/b/c\t1\t-\t-\thttp://h/x\n");
  IndexHeader header{};
  std::memcpy(&header, index.data(), sizeof header);
  Row first = 1;  // row 2 is "b", in row 1, "a": let "b" list "a"
  std::memcpy(index.data() + header.children.at + 2 * sizeof(Row), &first, sizeof first);
  seal(index);
  const Memory file(index);
  const Tree tree = tree_of_index(file);
  EXPECT_EQ(tree.children(2)[0], kRoot);
  EXPECT_FALSE(tree.intact());
}

TEST(Index, ALinkThatLeavesTheMountIsNotFollowed) {
  std::string index = index_of("/a/b\t-\t-\t-\t-\t!link=../xy\n");
  index.replace(index.find("../xy"), 5, "../..");
  seal(index);
  const Memory file(index);
  const Tree tree = tree_of_index(file);
  EXPECT_EQ(tree.link_target(2), "");
  EXPECT_FALSE(tree.intact());
}

TEST(Index, AUrlWithALineFeedIsNotAskedFor) {
  std::string index = index_of("/a\t1\t-\t-\thttp://h/xyz\n");
  index[index.find("xyz") + 1] = '\n';
  seal(index);
  const Memory file(index);
  const Tree tree = tree_of_index(file);
  EXPECT_TRUE(tree.content(1).parts.empty());
  EXPECT_FALSE(tree.intact());
}

TEST(Index, AFileThatIsCutWhileItIsMappedEndsNoProcess) {
  std::string text;
  for (int each = 0; each < 20000; ++each)
    text += "/" + std::to_string(each) + "\t1\t-\t-\thttp://h/x\n";
  const Memory file(index_of(text));
  const Tree tree = tree_of_index(file);
  EXPECT_EQ(tree.entry(1).name, "0");
  EXPECT_TRUE(tree.intact());
  file.cut(8192);
  for (Row row = 0; row < tree.rows(); ++row) tree.entry(row);
  EXPECT_FALSE(tree.intact());
}

TEST(Index, AFileThatIsWrittenToWhileItIsMappedIsNotBelieved) {
  const std::string index = index_of("/a\t1\t-\t-\thttp://h/x\n");
  const Memory file(index);
  const Tree tree = tree_of_index(file);
  EXPECT_EQ(tree.entry(1).size, 1u);
  EXPECT_TRUE(tree.intact());
  file.write(0, index);
  EXPECT_FALSE(tree.intact());
}

TEST(Index, AnEtagWithALineFeedIsNotSent) {
  for (const char* entry : {"/a\t1\t-\t-\thttp://h/x\tetag=\"e-z\"\n",
                            "/a\t1\t-\t-\thttp://h/x\tmirror=http://m/x \"e-z\"\n"}) {
    std::string index = index_of(entry);
    index[index.find("e-z") + 1] = '\n';
    seal(index);
    const Memory file(index);
    const Tree tree = tree_of_index(file);
    EXPECT_TRUE(tree.content(1).parts.empty());
    EXPECT_FALSE(tree.intact());
  }
}

// Memory is planned by what the header says of pieces.
TEST(Index, APieceLongerThanTheLongestIsNotTaken) {
  std::string index = index_of("/a\t999999\t-\t-\thttp://h/x\tpieces=md5:131072:http://h/p\n");
  const std::uint64_t less = 65536;
  std::memcpy(index.data() + offsetof(IndexHeader, largest_piece), &less, sizeof less);
  seal(index);
  const Memory file(index);
  const Tree tree = tree_of_index(file);
  EXPECT_EQ(tree.content(1).pieces, "");
  EXPECT_FALSE(tree.intact());
}

// Made by skimfs manifest build from the texts in tests/fuzz/index_seeds; to be made anew with the
// format, or the fuzzer begins at nothing.
TEST(Index, TheCorpusOfTheFuzzerIsOfThisFormat) {
  for (const char* name : {"empty", "small", "kinds", "urls"}) {
    std::ifstream in(std::string(SKIMFS_INDEX_CORPUS) + "/" + name, std::ios::binary);
    const std::string index((std::istreambuf_iterator<char>(in)), {});
    EXPECT_EQ(message_of(index), "opened") << name;
  }
}

std::size_t resident_file_bytes() {
  std::size_t size = 0, resident = 0, shared = 0;
  std::ifstream("/proc/self/statm") >> size >> resident >> shared;
  return shared * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

TEST(Image, GivesItsPagesBackWhileItIsWalked) {
  constexpr std::size_t size = 64 << 20, window = 2 << 20;
  const Memory file;
  file.cut(size);
  Image image(file.descriptor());
  const std::string piece(kPiece, '\0');
  const std::vector<std::uint32_t> checks(
      size / kPiece, crc32c(std::as_bytes(std::span(piece.data(), piece.size()))));
  image.check_against(checks, 0, size, window);
  const std::size_t before = resident_file_bytes();
  std::size_t most = 0;
  for (std::size_t at = 0; at < size; at += kPiece) {
    ASSERT_TRUE(image.holds(image.bytes().data() + at, kPiece));
    if (at % (1 << 20) == 0) most = std::max(most, resident_file_bytes());
  }
  EXPECT_TRUE(image.intact());
  EXPECT_LT(most, before + size / 4);
}

TEST(Image, IsReadByManyThreadsWhileItsPagesAreGivenBack) {
  std::string text;
  for (int each = 0; each < 5000; ++each)
    text += "/" + std::to_string(each % 7) + "/" + std::to_string(each) + "\t1\t-\t-\thttp://h/x\n";
  const Memory file(index_of(text));
  Image image(file.descriptor());
  const std::span<const std::byte> bytes = image.bytes();
  std::vector<std::uint32_t> checks;
  for (std::size_t at = 0; at < bytes.size(); at += kPiece)
    checks.push_back(crc32c(bytes.subspan(at, std::min<std::size_t>(kPiece, bytes.size() - at))));
  image.check_against(checks, 0, bytes.size(), 256 * 1024);
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      std::mt19937 random(seed);
      for (int each = 0; each < 5000; ++each) {
        const std::size_t at = random() % bytes.size();
        const std::size_t length = random() % std::min<std::size_t>(10000, bytes.size() - at);
        if (!image.holds(bytes.data() + at, length)) return;
      }
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_TRUE(image.intact());
}

TEST(Checksum, IsCrc32c) {
  const auto of = [](std::string_view text) {
    return crc32c(std::as_bytes(std::span(text.data(), text.size())));
  };
  EXPECT_EQ(of("123456789"), 0xe3069283u);            // its catalogued check value
  EXPECT_EQ(of(std::string(32, '\0')), 0x8a9136aau);  // RFC 3720 appendix B.4
  EXPECT_EQ(of(std::string(32, '\xff')), 0x62a8ab43u);
}

TEST(Checksum, IsTheSameByTablesAndInPieces) {
  std::mt19937 random(1);
  std::string text(200, '\0');
  for (char& each : text) each = static_cast<char>(random());
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const auto part = bytes.first(size);
    EXPECT_EQ(crc32c(part), crc32c_by_tables(part)) << size;
    EXPECT_EQ(crc32c(part.subspan(size / 3), crc32c(part.first(size / 3))), crc32c(part)) << size;
  }
}

TEST(TextDigest, IsSha256) {
  EXPECT_EQ(hex(digest_of(std::string("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace skimfs::fs::manifest
