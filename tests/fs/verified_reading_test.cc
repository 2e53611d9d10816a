// SPDX-License-Identifier: MIT
//
// Files whose digests the manifest states: no byte of a unit is seen before the unit is right.
#include <gtest/gtest.h>

#include "fetch/error.h"
#include "tests/fs/filesystem_fixture.h"
#include "tests/support/digests_of.h"

namespace skimfs::test {
namespace {

using fetch::ByteRange;
using fetch::Errc;
using fs::Verify;

constexpr std::uint64_t kPiece = 64 * 1024;
constexpr std::uint64_t kPieced = 10 * kPiece + 1234;
constexpr std::uint64_t kSmall = 300 * 1024 + 5;
constexpr std::uint64_t kLarge = 6 * kMiB + 321;  // above verify_whole
constexpr std::uint64_t kJoined = 30;

const std::string kPieces = "http://h.example/pieces";
const std::string kList = "http://h.example/list";
const std::string kWhole = "http://h.example/whole";
const std::string kHuge = "http://h.example/huge";

std::string sha256_of(const std::string& url, std::uint64_t size) {
  return digest_of(body(url, 0, size));
}

std::vector<std::byte> joined() {
  auto bytes = body("http://h.example/a", 5, 10);
  for (const char c : std::string("0123456789")) bytes.push_back(static_cast<std::byte>(c));
  const auto last = body("http://h.example/b", 0, 10);
  bytes.insert(bytes.end(), last.begin(), last.end());
  return bytes;
}

std::string line(const std::string& name, std::uint64_t size, const std::string& digest,
                 const std::string& rest) {
  return "/" + name + "\t" + std::to_string(size) + "\t-\t" + digest + "\t" + rest + "\n";
}

const std::string& entries() {
  static const std::string text = [] {
    const auto list = piece_list(body(kPieces, 0, kPieced), kPiece);
    const std::string pieces = "\tpieces=sha256:65536:" + kList;
    const std::string pinned = pieces + "#" + digest_of(list).substr(7);
    return line("pieces", kPieced, "-", kPieces + pieces) +
           line("pinned", kPieced, "-", kPieces + pinned) +
           line("whole", kSmall, sha256_of(kWhole, kSmall), kWhole) +
           line("huge", kLarge, sha256_of(kHuge, kLarge), kHuge) +
           line("blake3", kSmall, "blake3:" + std::string(64, '0'), kWhole) +
           line("plain", kSmall, "-", kWhole) +
           line("joined", kJoined, digest_of(joined()),
                "-\t!part=5+10 http://h.example/a\t!part=base64:MDEyMzQ1Njc4OQ==\t"
                "!part=0+10 http://h.example/b") +
           line("data", 10, digest_of(std::as_bytes(std::span("0123456789", 10))),
                "-\t!data=base64:MDEyMzQ1Njc4OQ==") +
           line("lie", 10, digest_of({}), "-\t!data=base64:MDEyMzQ1Njc4OQ==");
  }();
  return text;
}

class Verified : public FileSystemTest {
 protected:
  Verified() : FileSystemTest(entries()) {
    fetching.contents[kList] = piece_list(body(kPieces, 0, kPieced), kPiece);
    mount(Verify::automatic);
  }

  void mount(Verify mode) {
    limits.verify = {mode, cache.status().limit / 4, cache.status().limit / 4};
    filesystem = std::make_unique<fs::FileSystem>(tree, cache, fetching, clock, limits);
  }
  // Flips a byte of `url` at `offset` the next `times` times it is sent.
  void spoil(const std::string& url, std::uint64_t offset, unsigned times) {
    fetching.tamper = [this, url, offset, times](const std::string& of, std::uint64_t at,
                                                 std::vector<std::byte>& bytes) mutable {
      if (of != url || times == 0 || offset < at || offset >= at + bytes.size()) return;
      --times;
      ++spoilt;
      bytes[offset - at] ^= std::byte{1};
    };
  }
  std::string verified(const std::string& name) {
    return filesystem->xattr(inode(name), "user.skimfs.verified").value();
  }
  // What is left behind by an earlier file system of the same cache.
  void forget(const std::string& name) { cache.drop(inode(name)); }

  unsigned spoilt = 0;
};

// --- pieces

TEST_F(Verified, ThePieceListIsAskedForFirstAndOnce) {
  const auto file = open("pieces");
  const auto one = read(file, 0, 4096), two = read(file, 9 * kPiece, 4096);
  ASSERT_EQ(fetching.orders.size(), 1u);
  EXPECT_EQ(fetching.orders[0].order.object->urls.front(), kList);
  fetching.deliver_all(kPieced);
  EXPECT_EQ(one->bytes, body(kPieces, 0, 4096));
  EXPECT_EQ(two->bytes, body(kPieces, 9 * kPiece, 4096));
  EXPECT_EQ(std::count_if(fetching.ranges_asked.begin(), fetching.ranges_asked.end(),
                          [](const ByteRange& range) { return range.last == 11 * 32 - 1; }),
            1);
}

TEST_F(Verified, AReadFetchesWholePieces) {
  const auto file = open("pieces");
  read(file, 4 * kPiece + 100, 10);
  fetching.deliver_all(kPieced);
  EXPECT_EQ(fetching.ranges_asked.back(), (ByteRange{4 * kPiece, 5 * kPiece - 1}));
}

TEST_F(Verified, NoByteIsSeenBeforeTheLastOfItsPieceIsRight) {
  const auto answer = read(open("pieces"), 3 * kPiece, 4096);
  fetching.deliver(0, UINT64_MAX, kPieced);  // the list
  ASSERT_EQ(fetching.orders.size(), 1u);
  fetching.deliver(0, kPiece - 1, kPieced);
  EXPECT_FALSE(answer->answered());
  EXPECT_EQ(cache.held(inode("pieces")), 0u);
  fetching.deliver(0, 1, kPieced);
  EXPECT_EQ(answer->bytes, body(kPieces, 3 * kPiece, 4096));
}

TEST_F(Verified, APieceIsSeenBeforeTheNextOneArrives) {
  const auto answer = read(open("pieces"), 0, 4096);
  fetching.deliver(0, UINT64_MAX, kPieced);
  fetching.deliver(0, kPiece + 1, kPieced);
  EXPECT_EQ(answer->bytes, body(kPieces, 0, 4096));
  EXPECT_EQ(cache.held(inode("pieces")), kPiece);
  fetching.deliver_all(kPieced);
}

TEST_F(Verified, ABadPieceIsFetchedAgainFromItsFirstByte) {
  spoil(kPieces, kPiece + 70, 1);
  const auto answer = read(open("pieces"), 0, 2 * kPiece);
  fetching.deliver(0, UINT64_MAX, kPieced);
  fetching.deliver(0, 2 * kPiece, kPieced);
  EXPECT_FALSE(answer->answered());
  EXPECT_EQ(fetching.orders[0].order.sink->kept(), kPiece);
  fetching.deliver_all(kPieced);
  EXPECT_EQ(spoilt, 1u);
  EXPECT_EQ(answer->bytes, body(kPieces, 0, 2 * kPiece));
  EXPECT_EQ(filesystem->status().digest_mismatches, 1u);
}

TEST_F(Verified, APieceThatIsBadTwiceIsAnErrorThatIsTold) {
  spoil(kPieces, kPiece + 70, 2);
  const auto file = open("pieces");
  const auto answer = read(file, kPiece, 4096);
  fetching.deliver_all(kPieced);
  EXPECT_EQ(answer->error, Errc::digest_mismatch);
  EXPECT_EQ(filesystem->xattr(inode("pieces"), "user.skimfs.error"),
            make_error_code(Errc::digest_mismatch).message());
  EXPECT_EQ(filesystem->status().digest_mismatches, 2u);
  const auto later = read(file, kPiece, 4096);
  fetching.deliver_all(kPieced);
  EXPECT_EQ(later->bytes, body(kPieces, kPiece, 4096));
}

TEST_F(Verified, ABadPieceTakesNoOtherPieceWithIt) {
  spoil(kPieces, 3 * kPiece, UINT_MAX);
  const auto file = open("pieces");
  const auto before = read(file, 0, kPiece), bad = read(file, 3 * kPiece, 1),
             after = read(file, 5 * kPiece, 10);
  fetching.deliver_all(kPieced);
  EXPECT_EQ(before->bytes, body(kPieces, 0, kPiece));
  EXPECT_EQ(bad->error, Errc::digest_mismatch);
  EXPECT_EQ(after->bytes, body(kPieces, 5 * kPiece, 10));
}

TEST_F(Verified, ABrokenTransferKeepsThePartOfAPieceThatCame) {
  const auto answer = read(open("pieces"), 2 * kPiece, 4096);
  fetching.deliver(0, UINT64_MAX, kPieced);
  fetching.deliver(0, 1000, kPieced);
  fetching.interrupt(0);
  EXPECT_EQ(fetching.orders[0].order.sink->kept(), 1000u);
  fetching.deliver_all(kPieced);
  EXPECT_EQ(answer->bytes, body(kPieces, 2 * kPiece, 4096));
}

TEST_F(Verified, AWrongListIsAnErrorAndNoFileIsServedByIt) {
  fetching.contents[kList][2 * 32] ^= std::byte{1};
  const auto file = open("pieces");
  const auto wrong = read(file, 2 * kPiece, 1);
  fetching.deliver_all(kPieced);
  EXPECT_EQ(wrong->error, Errc::digest_mismatch);
  const auto right = read(file, 4 * kPiece, 1);
  fetching.deliver_all(kPieced);
  EXPECT_EQ(right->bytes, body(kPieces, 4 * kPiece, 1));
}

TEST_F(Verified, AListIsComparedWithItsOwnDigest) {
  spoil(kList, 5, 1);
  const auto answer = read(open("pinned"), 2 * kPiece, 1);
  fetching.deliver_all(kPieced);
  EXPECT_EQ(answer->bytes, body(kPieces, 2 * kPiece, 1));
  EXPECT_EQ(spoilt, 1u);
}

TEST_F(Verified, AListThatIsNotTheStatedOneIsAnError) {
  fetching.contents[kList] = piece_list(body(kPieces, 0, kPieced, 2), kPiece);
  fetching.server_version = 2;
  const auto answer = read(open("pinned"), 2 * kPiece, 1);
  fetching.deliver_all(kPieced);
  EXPECT_EQ(answer->error, Errc::digest_mismatch);
}

TEST_F(Verified, AMissingListIsAnErrorAndNoChangeOfTheFile) {
  const auto answer = read(open("pieces"), 0, 1);
  fetching.finish(0, Errc::missing);
  EXPECT_EQ(answer->error, Errc::unverifiable);
  EXPECT_TRUE(fetching.orders.empty());
}

TEST_F(Verified, AListThatChangesEndsTheVersionItBelongsTo) {
  const auto file = open("pieces");
  read(file, 4 * kPiece, 1);
  fetching.deliver_all(kPieced);
  const fs::Inode before = inode("pieces");
  cache.drop(before | fs::Inode{1} << 63);  // the list
  const auto answer = read(file, 9 * kPiece, 1);
  ASSERT_EQ(fetching.orders.size(), 1u);
  fetching.finish(0, Errc::changed);
  EXPECT_EQ(answer->error, Errc::changed);
  EXPECT_NE(inode("pieces"), before);
}

TEST_F(Verified, AnInterruptedReaderOfTheListLeavesNothingBehind) {
  const auto answer = read(open("pieces"), 0, 1);
  answer->take_away();
  fetching.deliver_all(kPieced);
  EXPECT_FALSE(answer->bytes);
  EXPECT_EQ(cache.status().pinned, 0u);
  EXPECT_EQ(cache.status().filling, 0u);
}

// S-DIGEST-5: a held block was verified, but its piece must be fetched whole to verify the one that is gone.
TEST_F(Verified, AnEvictedBlockOfAPieceIsVerifiedWithAllOfItsPiece) {
  const auto file = open("whole");
  read(file, 0, 1);
  fetching.deliver_all(kSmall);
  auto pins = cache.find(inode("whole"), {0, 4096});  // the first block stays
  ASSERT_TRUE(pins);
  ASSERT_LT(pins->front()->extent().end(), kSmall);
  std::vector<cache::FillTicket> filler;
  cache::GroupId group = 1;  // no group may hold all; so there are many
  for (std::uint64_t at = 0, length = cache::kBlock; cache.held(inode("whole")) == kSmall;) {
    auto claim =
        cache.claim(12345, {at, length}, cache::BlockCache::Why::demand, {.group = group++});
    if (claim)
      filler.push_back(std::move(claim->missing.front()));
    else
      length = cache::kGrain;
    at += length;
  }
  filler.clear();
  fetching.ranges_asked.clear();
  spoil(kWhole, 7, 1);  // in the block that is held
  const auto answer = read(file, kSmall - 1, 1);
  fetching.deliver_all(kSmall);
  EXPECT_EQ(answer->bytes, body(kWhole, kSmall - 1, 1));
  EXPECT_EQ(fetching.ranges_asked, (std::vector<ByteRange>{{0, kSmall - 1}}));
  EXPECT_EQ(spoilt, 1u);
  pins.reset();
  EXPECT_EQ(read(file, 0, 4096)->bytes, body(kWhole, 0, 4096));
}

TEST_F(Verified, AServerWithoutRangesIsVerifiedToo) {
  spoil(kPieces, 2 * kPiece, 1);
  const auto answer = read(open("pieces"), 2 * kPiece, 10);
  fetching.deliver(0, UINT64_MAX, kPieced);
  fetching.finish(0, Errc::ranges_ignored);
  ASSERT_TRUE(fetching.orders.at(0).order.whole);
  fetching.deliver_all(kPieced);
  EXPECT_EQ(spoilt, 1u);
  EXPECT_EQ(answer->bytes, body(kPieces, 2 * kPiece, 10));
}

TEST_F(Verified, ReadAheadIsVerifiedAndMakesNoMoreRequestsThanItNeeds) {
  const auto file = open("pieces");
  for (std::uint64_t at = 0; at < kPieced; at += 16 * 1024) {
    const std::uint64_t length = std::min<std::uint64_t>(16 * 1024, kPieced - at);
    const auto answer = read(file, at, length);
    fetching.deliver_all(kPieced);
    ASSERT_EQ(answer->bytes, body(kPieces, at, length)) << at;
  }
  EXPECT_LE(fetching.ranges_asked.size(), 3u);
  EXPECT_EQ(filesystem->status().bytes_verified, kPieced);
  EXPECT_EQ(filesystem->status().reads, (kPieced + 16 * 1024 - 1) / (16 * 1024));
}

// --- whole files

TEST_F(Verified, AWholeFileIsSeenOnlyWhenItsDigestIsRight) {
  const auto answer = read(open("whole"), 100, 100);
  EXPECT_EQ(fetching.ranges_asked, (std::vector<ByteRange>{{0, kSmall - 1}}));
  fetching.deliver(0, kSmall - 1, kSmall);
  EXPECT_FALSE(answer->answered());
  fetching.deliver(0, 1, kSmall);
  EXPECT_EQ(answer->bytes, body(kWhole, 100, 100));
}

TEST_F(Verified, AWholeFileThatIsWrongTwiceIsAnError) {
  spoil(kWhole, kSmall - 1, 2);
  const auto answer = read(open("whole"), 0, 100);
  fetching.deliver_all(kSmall);
  EXPECT_EQ(answer->error, Errc::digest_mismatch);
  EXPECT_EQ(cache.held(inode("whole")), 0u);
}

TEST_F(Verified, AJoinedFileIsVerifiedAsItIsJoined) {
  const auto answer = read(open("joined"), 0, kJoined);
  fetching.deliver(0, UINT64_MAX, 100);
  EXPECT_FALSE(answer->answered());
  fetching.deliver_all(100);
  EXPECT_EQ(answer->bytes, joined());
}

TEST_F(Verified, AWrongPartOfAJoinedFileIsFetchedAgainThoughAnotherWasTheLast) {
  spoil("http://h.example/a", 6, 1);
  const auto answer = read(open("joined"), 0, kJoined);
  fetching.deliver_all(100);
  EXPECT_EQ(answer->bytes, joined());
  ASSERT_EQ(fetching.ranges_asked.size(), 4u);
}

TEST_F(Verified, AJoinedFileThatIsWrongTwiceIsAnError) {
  spoil("http://h.example/a", 6, 2);
  const auto answer = read(open("joined"), 0, kJoined);
  fetching.deliver_all(100);
  EXPECT_EQ(answer->error, Errc::digest_mismatch);
}

TEST_F(Verified, ABrokenPartOfAJoinedFileKeepsThePartsBeforeIt) {
  const auto answer = read(open("joined"), 0, kJoined);
  fetching.deliver(0, UINT64_MAX, 100);
  fetching.deliver(0, 4, 100);
  fetching.interrupt(0);
  fetching.deliver_all(100);
  EXPECT_EQ(answer->bytes, joined());
  EXPECT_EQ(fetching.ranges_asked.size(), 2u);
}

TEST_F(Verified, InlineDataIsVerifiedToo) {
  EXPECT_TRUE(read(open("data"), 0, 10)->bytes);
  EXPECT_EQ(read(open("lie"), 0, 10)->error, Errc::digest_mismatch);
}

// --- files too large to be one unit

class Afterwards : public Verified {
 protected:
  // Reads from `at` to the end as a program that copies; the error it hears, if any.
  std::error_code copy(const std::shared_ptr<fs::OpenFile>& file, std::uint64_t at = 0) {
    for (; at < kLarge; at += 128 * 1024) {
      const auto answer = read(file, at, std::min<std::uint64_t>(128 * 1024, kLarge - at));
      fetching.deliver_all(kLarge);
      if (answer->error) return answer->error;
    }
    return {};
  }
};

TEST_F(Afterwards, AReaderInOrderMakesTheFileVerified) {
  const auto file = open("huge");
  EXPECT_EQ(verified("huge"), "no");
  read(file, 0, 100);
  fetching.deliver_all(kLarge);
  EXPECT_EQ(verified("huge"), "partial");
  EXPECT_FALSE(copy(file));
  EXPECT_EQ(verified("huge"), "yes");
}

TEST_F(Afterwards, AReaderOfAWrongFileDoesNotGetItsLastBytes) {
  spoil(kHuge, 3 * kMiB, UINT_MAX);
  const auto file = open("huge");
  EXPECT_EQ(copy(file), Errc::digest_mismatch);
  EXPECT_EQ(filesystem->status().digest_mismatches, 1u);
  EXPECT_EQ(verified("huge"), "no");
}

TEST_F(Afterwards, AWrongVersionIsRefusedFromThenOn) {
  spoil(kHuge, 3 * kMiB, 1);
  const auto file = open("huge");
  copy(file);
  EXPECT_EQ(read(file, 0, 100)->error, Errc::digest_mismatch);
  EXPECT_EQ(filesystem->try_open(inode("huge")).value().error(), Errc::digest_mismatch);
  EXPECT_EQ(cache.held(inode("huge")), 0u);
}

TEST_F(Afterwards, AWrongVersionIsGoneWhenTheServerHasAnother) {
  spoil(kHuge, 3 * kMiB, 1);
  copy(open("huge"));
  const fs::Inode before = inode("huge");
  clock.advance(limits.revalidate);
  ASSERT_FALSE(filesystem->try_open(before));
  const auto answer = std::make_shared<FakeAnswer>();
  filesystem->open(before, answer);
  fetching.server_version = 2;
  for (int i = 0; i < 2; ++i) {
    const auto probe = fetching.probes.at(0);
    fetching.probes.clear();
    probe.sink->finish({}, fetching.version(kLarge), 0);
  }
  EXPECT_EQ(answer->error, Errc::changed);
  EXPECT_TRUE(filesystem->try_open(inode("huge")).value());
}

TEST_F(Afterwards, ReadsThatComeOutOfOrderAreStillTakenInOrder) {
  const auto file = open("huge");
  for (std::uint64_t at = 0; at < kLarge; at += 256 * 1024) {
    for (const std::uint64_t part : {at + 128 * 1024, at}) {
      if (part >= kLarge) continue;
      const auto answer = read(file, part, std::min<std::uint64_t>(128 * 1024, kLarge - part));
      fetching.deliver_all(kLarge);
      ASSERT_TRUE(answer->bytes);
    }
  }
  EXPECT_EQ(verified("huge"), "yes");
}

TEST_F(Afterwards, AReaderThatLeavesSomethingOutVerifiesNothing) {
  const auto file = open("huge");
  read(file, 0, 100);
  fetching.deliver_all(kLarge);
  EXPECT_FALSE(copy(file, 128 * 1024));
  EXPECT_EQ(verified("huge"), "partial");
}

TEST_F(Afterwards, ASecondPassIsCheckedAnew) {
  const auto file = open("huge");
  EXPECT_FALSE(copy(file));
  forget("huge");
  spoil(kHuge, 1 * kMiB, UINT_MAX);
  EXPECT_EQ(copy(file), Errc::digest_mismatch);
}

// --- modes

TEST_F(Verified, StrictRefusesWhatItCannotVerifyFirst) {
  mount(Verify::strict);
  EXPECT_EQ(filesystem->try_open(inode("huge")).value().error(), Errc::unverifiable);
  EXPECT_EQ(filesystem->try_open(inode("blake3")).value().error(), Errc::unverifiable);
  for (const char* name : {"whole", "pieces", "plain"})
    EXPECT_TRUE(filesystem->try_open(inode(name)).value()) << name;
}

TEST_F(Verified, OffChecksNothing) {
  mount(Verify::off);
  spoil(kWhole, 200 * 1024 + 7, UINT_MAX);
  const auto answer = read(open("whole"), 200 * 1024, 4096);
  EXPECT_LT(fetching.orders.at(0).order.range.last, kSmall - 1);
  fetching.deliver_all(kSmall);
  EXPECT_TRUE(answer->bytes);
  EXPECT_NE(answer->bytes, body(kWhole, 200 * 1024, 4096));
  EXPECT_EQ(verified("whole"), "no");
}

TEST_F(Verified, AnAlgorithmThatIsNotKnownIsServedUnverified) {
  const auto answer = read(open("blake3"), 0, 4096);
  fetching.deliver_all(kSmall);
  EXPECT_TRUE(answer->bytes);
  EXPECT_EQ(verified("blake3"), "no");
}

TEST_F(Verified, TheAttributeSaysHowFarAFileWasVerified) {
  EXPECT_EQ(verified("pieces"), "no");
  const auto file = open("pieces");
  read(file, 4 * kPiece, 1);
  fetching.deliver_all(kPieced);
  EXPECT_EQ(verified("pieces"), "partial");
  for (std::uint64_t at = 0; at < kPieced; at += kPiece) {
    read(file, at, 1);
    fetching.deliver_all(kPieced);
  }
  EXPECT_EQ(verified("pieces"), "yes");
  forget("pieces");
  EXPECT_EQ(verified("pieces"), "yes");  // what is fetched again is verified again
  EXPECT_EQ(verified("whole"), "no");
  read(open("whole"), 0, 1);
  fetching.deliver_all(kSmall);
  EXPECT_EQ(verified("whole"), "yes");
}

}  // namespace
}  // namespace skimfs::test
