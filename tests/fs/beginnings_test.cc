// SPDX-License-Identifier: MIT
//
// Files whose size the manifest does not state: size and first bytes by one request.
#include "fs/beginnings.h"

#include "fetch/error.h"
#include "tests/fs/filesystem_fixture.h"
#include "tests/support/digests_of.h"

namespace skimfs::test {
namespace {

using fetch::Errc;

std::string url(int i) { return "http://h.example/" + std::to_string(i); }

std::string unsized_files(int files) {
  std::string text;
  for (int i = 10; i < 10 + files; ++i)
    text += "/f" + std::to_string(i) + "\t-\t-\t-\t" + url(i) + "\n";
  return text;
}

class Unsized : public FileSystemTest {
 protected:
  // Nothing is asked for before it is looked up.
  explicit Unsized(const std::string& entries = unsized_files(40))
      : FileSystemTest(entries, 16 * kMiB, 0) {}

  std::shared_ptr<FakeAnswer> look_up(const std::string& name) {
    auto answer = std::make_shared<FakeAnswer>();
    filesystem->lookup(1, name, answer);
    return answer;
  }
  // Looks file `i` up; what was asked for.
  std::uint64_t ask(int i) {
    look_up("f" + std::to_string(i));
    return fetching.probes.back().bytes;
  }
  std::shared_ptr<FakeAnswer> read_file(int i, std::uint64_t length) {
    return read(open("f" + std::to_string(i)), 0, length);
  }
  // A program has read so many files, of 300 bytes each, from number 10 on.
  void copy(int files) {
    for (int i = 10; i < 10 + files; ++i) {
      ask(i);
      fetching.answer_probe(300);
      fetching.deliver_all(300);
      ASSERT_EQ(read_file(i, 300)->bytes, body(url(i), 0, 300));
    }
  }
  std::uint64_t filling() const { return cache.status().filling; }
};

// S-NAME-4
TEST_F(Unsized, ASmallFileNeedsOneRequestInAll) {
  const auto answer = look_up("f10");
  fetching.answer_probe(300);
  EXPECT_EQ(answer->node.value().attributes.size, 300u) << "at the head, before the body";
  fetching.deliver_all(300);
  EXPECT_EQ(read_file(10, 300)->bytes, body(url(10), 0, 300));
  EXPECT_TRUE(fetching.ranges_asked.empty());
  EXPECT_EQ(filesystem->status().probes, 1u);
}

TEST_F(Unsized, AReaderWaitsForTheBytesThatAreOnTheirWay) {
  look_up("f10");
  fetching.answer_probe(300);
  const auto answer = read_file(10, 300);
  EXPECT_FALSE(answer->answered());
  EXPECT_EQ(fetching.promoted.size(), 1u) << "and is demand from now on";
  fetching.deliver_all(300);
  EXPECT_EQ(answer->bytes, body(url(10), 0, 300));
  EXPECT_TRUE(fetching.ranges_asked.empty());
}

TEST_F(Unsized, OfALargeFileTheRestIsFetchedWhenItIsRead) {
  ask(10);
  fetching.answer_probe(50'000);
  const auto answer = read_file(10, 50'000);
  ASSERT_EQ(fetching.ranges_asked.size(), 1u);
  EXPECT_EQ(fetching.ranges_asked[0], (fetch::ByteRange{fs::ProbeWidth::kNarrow, 49'999}));
  fetching.deliver_all(50'000);
  EXPECT_EQ(answer->bytes, body(url(10), 0, 50'000));
}

TEST_F(Unsized, WhoLooksOnlyAsksForNoMoreThanFourBeginnings) {
  std::uint64_t beginnings = 0;
  for (int i = 10; i < 50; ++i) {
    beginnings += ask(i) > 1;
    fetching.answer_probe(100'000);
    fetching.deliver_all(100'000);
  }
  EXPECT_EQ(beginnings, 4u);
  EXPECT_EQ(fetching.probes.size(), 0u);
}

TEST_F(Unsized, WhoReadsIsGivenMore) {
  copy(2);
  EXPECT_EQ(ask(12), fs::ProbeWidth::kWidest);
}

TEST_F(Unsized, AFileThatIsReadAgainPaysOnlyOnce) {
  copy(1);
  for (int i = 0; i < 20; ++i) read_file(10, 300);
  int beginnings = 0;
  for (int i = 11; i < 40; ++i) beginnings += ask(i) > 1;
  EXPECT_EQ(beginnings, 5) << "four for nothing, one spent on the first file, which paid for two";
}

TEST_F(Unsized, AReadElsewhereInTheFilePaysNothing) {
  for (int i = 10; i < 20; ++i) {
    ask(i);
    fetching.answer_probe(kMiB);
    fetching.deliver_all(kMiB);
    read(open("f" + std::to_string(i)), kMiB - 4096, 4096);
    fetching.deliver_all(kMiB);
  }
  EXPECT_EQ(ask(20), 1u);
}

TEST_F(Unsized, RoomIsHeldBeforeBytesAreAskedForAndGivenBackBeyondTheEnd) {
  ask(10);
  EXPECT_GE(filling(), fs::ProbeWidth::kNarrow);
  fetching.answer_probe(300);
  EXPECT_GT(filling(), 0u);
  EXPECT_LT(filling(), 2u * cache::kGrain);
  fetching.deliver_all(300);
  EXPECT_EQ(filling(), 0u);
  EXPECT_EQ(cache.held(inode("f10")), 300u);
}

TEST_F(Unsized, WithoutRoomOnlyTheSizeIsAskedFor) {
  const auto all = cache.claim(1ull << 50, {0, 14 * kMiB}, cache::BlockCache::Why::demand, {});
  ASSERT_TRUE(all);
  EXPECT_EQ(ask(10), 1u);
}

TEST_F(Unsized, RoomThatDemandHasTakenMeanwhileIsNotTakenBack) {
  ask(10);
  std::vector<cache::BlockCache::Claim> others;  // each takes half of what is left
  for (const std::uint64_t size : {7 * kMiB, 4 * kMiB, 2 * kMiB, 1 * kMiB}) {
    auto claim =
        cache.claim(size << 20, {0, size}, cache::BlockCache::Why::demand, {.group = size});
    others.push_back(std::move(claim).value());
  }
  const auto before = filling();
  fetching.answer_probe(100'000);
  EXPECT_TRUE(fetching.orders.empty());
  EXPECT_LT(filling(), before);
  EXPECT_EQ(filesystem->try_lookup(1, "f10").value().value().attributes.size, 100'000u);
}

TEST_F(Unsized, AnEmptyFileHasASizeAndNoRoom) {
  ask(10);
  fetching.answer_probe(0);
  EXPECT_EQ(filesystem->try_lookup(1, "f10").value().value().attributes.size, 0u);
  EXPECT_EQ(cache.status().used, 0u);
}

TEST_F(Unsized, ThatItFailsGivesTheRoomBack) {
  ask(10);
  fetching.probes[0].sink->finish(Errc::missing, {}, 0);
  EXPECT_EQ(cache.status().used, 0u);
}

TEST_F(Unsized, AServerWithoutRangesTellsTheSizeAlone) {
  ask(10);
  fetching.answer_probe(300, true);
  const auto answer = read_file(10, 300);
  EXPECT_FALSE(answer->answered());
  EXPECT_EQ(fetching.ranges_asked.size(), 1u);
  fetching.deliver_all(300);
  EXPECT_EQ(answer->bytes, body(url(10), 0, 300));
}

TEST_F(Unsized, BytesThatBreakOffAreFetchedByWhoReadsThem) {
  ask(10);
  fetching.answer_probe(9000);
  fetching.deliver(0, 4096, 9000);
  const auto answer = read_file(10, 9000);
  fetching.finish(0, std::make_error_code(std::errc::operation_canceled));
  EXPECT_FALSE(answer->answered()) << "it asks for itself";
  fetching.deliver_all(9000);
  EXPECT_EQ(answer->bytes, body(url(10), 0, 9000));
}

// The size is of the version whose bytes came: another version's never join them.
TEST_F(Unsized, AnotherVersionBehindTheBeginningIsStale) {
  ask(10);
  fetching.answer_probe(50'000);
  fetching.deliver_all(50'000);
  const auto before = inode("f10");
  fetching.server_version = 2;
  const auto answer = read_file(10, 50'000);
  fetching.deliver_all(50'000);
  EXPECT_EQ(answer->error, Errc::changed);
  EXPECT_FALSE(filesystem->try_lookup(1, "f10")) << "a new inode, whose size is asked for";
  EXPECT_TRUE(filesystem->ended(before));
}

TEST_F(Unsized, ANewVersionHasABeginningOfItsOwn) {
  ask(10);
  fetching.answer_probe(50'000);
  fetching.deliver_all(50'000);
  fetching.server_version = 2;
  read_file(10, 50'000);
  fetching.deliver_all(50'000);
  ask(10);
  fetching.answer_probe(300);
  fetching.deliver_all(300);
  EXPECT_EQ(read_file(10, 300)->bytes, body(url(10), 0, 300, 2));
}

TEST_F(Unsized, AnAnswerThatContradictsTheManifestBringsNoBytes) {
  const auto taker = [this](std::uint64_t size, const std::string& tag) {
    return fetching.probes[0].sink->taker(0, {size, tag, std::nullopt}, 300);
  };
  look_up("f10");
  EXPECT_TRUE(taker(300, "\"any\""));
  fetching.probes.clear();
  filesystem->reload(tree_of("/f10\t-\t-\t-\t" + url(10) + "\tetag=\"v1\"\n"), {}, {}).value();
  look_up("f10");
  EXPECT_FALSE(taker(300, "\"portal\""));
}

TEST_F(Unsized, WhatAReloadHasTakenAwayIsNotKept) {
  ask(10);
  filesystem->reload(tree_of("/g\t1\t-\t-\thttp://h.example/g\n"), {}, {}).value();
  fetching.answer_probe(300);
  EXPECT_TRUE(fetching.orders.empty());
  EXPECT_EQ(cache.status().used, 0u);
}

// Files with a digest, of `size` bytes each: a digest is of all of a file.
class UnsizedWithDigests : public Unsized {
 protected:
  static constexpr std::uint64_t kSmall = 9000, kLarge = 200'000;
  UnsizedWithDigests() : Unsized(files("s", kSmall) + files("l", kLarge)) {}

  static std::string files(const std::string& name, std::uint64_t size) {
    std::string text;
    for (int i = 10; i < 30; ++i) {
      const std::string at = "http://h.example/" + name + std::to_string(i);
      text += "/" + name + std::to_string(i) + "\t-\t-\t" + digest_of(body(at, 0, size)) + "\t" +
              at + "\n";
    }
    return text;
  }
  std::shared_ptr<FakeAnswer> look_up_and_read(const std::string& name, std::uint64_t size) {
    look_up(name);
    fetching.answer_probe(size);
    const auto answer = read(open(name), 0, size);
    fetching.deliver_all(size);
    return answer;
  }
};

// S-DIGEST-1
TEST_F(UnsizedWithDigests, ASmallFileIsVerifiedAsItComes) {
  const auto answer = look_up_and_read("s10", kSmall);
  EXPECT_EQ(answer->bytes, body("http://h.example/s10", 0, kSmall));
  EXPECT_TRUE(fetching.ranges_asked.empty());
  EXPECT_EQ(filesystem->status().bytes_verified, kSmall);
}

TEST_F(UnsizedWithDigests, WrongBytesThatCameWithTheSizeAreNotShown) {
  fetching.tamper = [](const std::string&, std::uint64_t, std::vector<std::byte>& bytes) {
    bytes[0] ^= std::byte{1};
  };
  EXPECT_EQ(look_up_and_read("s10", kSmall)->error, Errc::digest_mismatch);
  EXPECT_EQ(cache.held(inode("s10")), 0u);
}

TEST_F(UnsizedWithDigests, PartOfWhatADigestIsOfIsNotTaken) {
  const auto answer = look_up_and_read("l10", kLarge);
  EXPECT_EQ(answer->bytes, body("http://h.example/l10", 0, kLarge));
  EXPECT_EQ(fetching.ranges_asked.at(0), (fetch::ByteRange{0, kLarge - 1}));
}

TEST_F(UnsizedWithDigests, BeginningsThatCannotBeTakenAreNotAskedForForEver) {
  for (int i = 10; i < 20; ++i) look_up_and_read("l" + std::to_string(i), kLarge);
  look_up("l20");
  EXPECT_EQ(fetching.probes.at(0).bytes, 1u);
}

}  // namespace
}  // namespace skimfs::test
