// SPDX-License-Identifier: MIT
#include "fs/filesystem.h"

#include <gtest/gtest.h>

#include <map>

#include "fetch/error.h"
#include "tests/fs/filesystem_fixture.h"

namespace skimfs::test {
namespace {

using fetch::Errc;

const std::string kBig = "http://h.example/big";
constexpr std::uint64_t kBigSize = 8 * kMiB + 1234;

class Reading : public FileSystemTest {
 protected:
  Reading()
      : FileSystemTest(
            "/big\t8389842\t-\t-\thttp://h.example/big\n"
            "/pinned\t1000\t-\t-\thttp://h.example/pinned\tetag=\"v1\"\n"
            "/joined\t30\t-\t-\t-\t!part=5+10 http://h.example/a\t!part=base64:MDEyMzQ1Njc4OQ==\t"
            "!part=0+10 http://h.example/b\n"
            "/unknown\t-\t-\t-\thttp://h.example/unknown\n"
            "/tagged\t-\t-\t-\thttp://h.example/tagged\tetag=\"v1\"\n"
            "/middling\t1048576\t-\t-\thttp://h.example/middling\n"
            "/empty\t0\t-\t-\thttp://h.example/empty\n"
            "/tiny\t300\t-\t-\thttp://h.example/tiny\n") {}
};

TEST_F(Reading, NoMemoryToReadAheadIsNoErrorOfAnyRead) {
  const auto file = open("big");
  std::uint64_t hits = 0;
  fetching.none_ahead = true;
  for (std::uint64_t at = 0; at < kBigSize; at += 128 * 1024) {
    const cache::Extent bytes{at, std::min<std::uint64_t>(128 * 1024, kBigSize - at)};
    const auto answer = std::make_shared<FakeAnswer>();
    if (const auto view = filesystem->try_read(*file, bytes)) {
      answer->read(*view);
      ++hits;
    } else {
      filesystem->read(file, bytes, answer);
      EXPECT_EQ(fetching.orders.size(), 1u) << "for what is demanded there is memory";
    }
    fetching.deliver_all(kBigSize);
    ASSERT_EQ(answer->bytes, body(kBig, bytes.offset, bytes.length));
  }
  EXPECT_GT(hits, 0u);
}

// S-READ-4
TEST_F(Reading, AMissIsAnsweredWhenItsLastByteIsThere) {
  const auto file = open("big");
  const auto answer = read(file, 0, 4096);
  fetching.deliver(0, 4095, kBigSize);
  EXPECT_FALSE(answer->answered());
  fetching.deliver(0, 1, kBigSize);
  EXPECT_EQ(answer->bytes, body(kBig, 0, 4096));
  fetching.deliver_all(kBigSize);
}

TEST_F(Reading, ALoneReadInTheMiddleFetchesItsPagesAndNoMore) {
  const auto file = open("big");
  read(file, 5 * kMiB + 100, 4096);
  ASSERT_EQ(fetching.ranges_asked.size(), 1u);
  EXPECT_EQ(fetching.ranges_asked[0], (fetch::ByteRange{5 * kMiB, 5 * kMiB + 8191}));
  fetching.deliver_all(kBigSize);
}

TEST_F(Reading, AThousandReadersOfOneColdBlockMakeOneRequest) {
  const auto file = open("big");
  std::vector<std::shared_ptr<FakeAnswer>> answers;
  for (int i = 0; i < 1000; ++i) answers.push_back(read(file, 4 * kMiB, 4096));
  EXPECT_EQ(fetching.ranges_asked.size(), 1u);
  fetching.deliver_all(kBigSize);
  for (const auto& answer : answers) EXPECT_EQ(answer->bytes, body(kBig, 4 * kMiB, 4096));
}

TEST_F(Reading, ASmallFileComesInOneRequest) {
  const auto answer = read(open("tiny"), 0, 300);
  fetching.deliver_all(300);
  EXPECT_EQ(fetching.ranges_asked.size(), 1u);
  EXPECT_EQ(answer->bytes, body("http://h.example/tiny", 0, 300));
}

TEST_F(Reading, AWholeFileReadInOrderIsRightAndFetchedOnce) {
  const auto file = open("big");
  std::uint64_t fetched = 0;
  for (std::uint64_t at = 0; at < kBigSize; at += kMiB) {
    const auto length = std::min(kMiB, kBigSize - at);
    const auto answer = read(file, at, length);
    fetching.deliver_all(kBigSize);
    ASSERT_EQ(answer->bytes, body(kBig, at, length)) << at;
  }
  for (const auto& range : fetching.ranges_asked) fetched += range.length();
  EXPECT_EQ(fetched, kBigSize);
}

TEST_F(Reading, ABrokenTransferGoesOnAtTheFirstByteMissing) {
  const auto answer = read(open("tiny"), 0, 300);
  fetching.deliver(0, 100, 300);
  fetching.interrupt(0);
  EXPECT_EQ(fetching.orders[0].order.sink->kept(), 100u);
  fetching.deliver_all(300);
  EXPECT_EQ(answer->bytes, body("http://h.example/tiny", 0, 300));
}

TEST_F(Reading, BytesOfAnUncountedBodyAreHeldBackUntilItEnds) {
  const auto answer = read(open("tiny"), 0, 100);
  fetching.deliver(0, 200, 300, /*counted=*/false);
  EXPECT_FALSE(answer->answered());
  fetching.deliver(0, 100, 300, false);
  EXPECT_EQ(answer->bytes, body("http://h.example/tiny", 0, 100));
}

TEST_F(Reading, BytesHeldBackAreVoidWhenTheBodyBreaks) {
  const auto answer = read(open("tiny"), 0, 300);
  fetching.deliver(0, 200, 300, /*counted=*/false);
  fetching.interrupt(0);
  EXPECT_EQ(fetching.orders[0].order.sink->kept(), 0u);
  fetching.deliver_all(300);
  EXPECT_EQ(answer->bytes, body("http://h.example/tiny", 0, 300));
}

// S-ERR-1
TEST_F(Reading, AFailureReachesEveryReaderAndIsRemembered) {
  const auto file = open("tiny");
  const auto one = read(file, 0, 100), two = read(file, 100, 100);
  fetching.finish(0, Errc::server_failed);
  EXPECT_EQ(one->error, Errc::server_failed);
  EXPECT_EQ(two->error, Errc::server_failed);
  EXPECT_EQ(filesystem->xattr(inode("tiny"), "user.skimfs.error"),
            make_error_code(Errc::server_failed).message());
}

// S-ERR-1
TEST_F(Reading, AReaderWhoseTimeIsOverIsCountedAndRememberedThoughItsFillGoesOn) {
  const auto file = open("tiny");
  read(file, 0, 100)->run_out();
  EXPECT_EQ(filesystem->status().errors, 1u);
  EXPECT_EQ(filesystem->xattr(inode("tiny"), "user.skimfs.error"),
            make_error_code(Errc::timed_out).message());
  fetching.deliver_all(300);
  EXPECT_EQ(filesystem->status().errors, 1u);
}

// S-ERR-1
TEST_F(Reading, AReadWhoseTimeIsOverAsItFailsIsOneError) {
  const auto answer = read(open("tiny"), 0, 100);
  answer->before_failing = [&] { answer->run_out(); };
  fetching.finish(0, Errc::server_failed);
  EXPECT_EQ(answer->error, std::errc::timed_out);
  EXPECT_EQ(filesystem->status().errors, 1u);
}

TEST_F(Reading, AReaderThatLeavesIsNoError) {
  read(open("tiny"), 0, 100)->take_away();
  EXPECT_EQ(filesystem->status().errors, 0u);
}

TEST_F(Reading, AReadAfterAFailureAsksAgain) {
  const auto file = open("tiny");
  read(file, 0, 100);
  fetching.finish(0, Errc::server_failed);
  const auto answer = read(file, 0, 100);
  fetching.deliver_all(300);
  EXPECT_EQ(answer->bytes, body("http://h.example/tiny", 0, 100));
}

TEST_F(Reading, AnInterruptedReaderLeavesTheOthersTheirBytes) {
  const auto file = open("tiny");
  const auto gone = read(file, 0, 100), stays = read(file, 0, 100);
  gone->take_away();
  fetching.deliver_all(300);
  EXPECT_FALSE(gone->bytes);
  EXPECT_EQ(stays->bytes, body("http://h.example/tiny", 0, 100));
}

TEST_F(Reading, AFillThatNobodyWantsIsGivenUp) {
  auto file = open("big");
  const auto answer = read(file, 0, 4096);
  fetching.deliver(0, 4096, kBigSize);
  ASSERT_TRUE(answer->answered());
  file.reset();
  EXPECT_TRUE(fetching.deliver(0, 4096, kBigSize));
}

TEST_F(Reading, AServerThatIgnoresRangesIsAskedForTheWholeOnce) {
  const auto file = open("tiny");
  const auto one = read(file, 100, 100), two = read(file, 200, 100);
  while (!fetching.orders.empty() && !fetching.orders[0].order.whole)
    fetching.finish(0, Errc::ranges_ignored);
  ASSERT_EQ(fetching.orders.size(), 1u);
  EXPECT_TRUE(fetching.orders[0].order.whole);
  EXPECT_EQ(fetching.orders[0].order.range, (fetch::ByteRange{0, 299}));
  fetching.deliver_all(300);
  EXPECT_EQ(one->bytes, body("http://h.example/tiny", 100, 100));
  EXPECT_EQ(two->bytes, body("http://h.example/tiny", 200, 100));
}

TEST_F(Reading, AWholeObjectBeyondTheBoundIsAnError) {
  const auto file = open("big");
  const auto answer = read(file, 0, 4096);
  fetching.finish(0, Errc::ranges_ignored);
  EXPECT_EQ(answer->error, Errc::ranges_ignored);
  EXPECT_TRUE(fetching.orders.empty());
}

TEST_F(Reading, AServerThatKnowsRangesAgainIsAskedForRangesAgain) {
  const auto file = open("big");
  read(file, 0, 4096);
  fetching.finish(0, Errc::ranges_ignored);
  const auto answer = read(file, 0, 4096);
  fetching.deliver_all(kBigSize);
  EXPECT_EQ(answer->bytes, body(kBig, 0, 4096));
}

TEST_F(Reading, AWholeBodyIsFetchedOnceThoughManyBlocksWereAskedFor) {
  const auto file = open("middling");
  const auto first = read(file, 0, 4096), second = read(file, 300 * 1024, 4096);
  fetching.finish(0, Errc::ranges_ignored);
  EXPECT_EQ(fetching.orders.size(), 1u);
  fetching.deliver_all(kMiB);
  EXPECT_EQ(first->bytes, body("http://h.example/middling", 0, 4096));
  EXPECT_EQ(second->bytes, body("http://h.example/middling", 300 * 1024, 4096));
}

// Seen where a slow transfer outlived its reader: each open fetched the whole body anew.
TEST_F(Reading, AWholeBodyIsFetchedToItsEndThoughItsReaderHasLeft) {
  auto file = open("middling");
  const auto answer = read(file, 0, 4096);
  fetching.finish(0, Errc::ranges_ignored);
  fetching.deliver(0, 8192, kMiB);
  EXPECT_EQ(answer->bytes, body("http://h.example/middling", 0, 4096));
  file.reset();
  fetching.deliver_all(kMiB);
  EXPECT_EQ(read(open("middling"), 300 * 1024, 4096)->bytes,
            body("http://h.example/middling", 300 * 1024, 4096));
  EXPECT_EQ(fetching.ranges_asked.size(), 2u);
}

TEST_F(Reading, AnEmptyFileHasAttributesAfterItWasOpened) {
  open("empty");
  EXPECT_EQ(filesystem->xattr(inode("empty"), "user.skimfs.etag").error(),
            std::errc::no_message_available);
}

TEST_F(Reading, AJoinedFileIsItsPartsInOrder) {
  const auto answer = read(open("joined"), 0, 30);
  fetching.deliver_all(100);
  auto expected = body("http://h.example/a", 5, 10);
  for (const char c : std::string("0123456789")) expected.push_back(static_cast<std::byte>(c));
  const auto last = body("http://h.example/b", 0, 10);
  expected.insert(expected.end(), last.begin(), last.end());
  EXPECT_EQ(answer->bytes, expected);
}

TEST_F(Reading, AChangeEndsTheVersionForOpenHandles) {
  const auto old = open("big");
  read(old, 4 * kMiB, 4096);
  fetching.deliver_all(kBigSize);
  const fs::Inode before = inode("big");
  const auto stale = read(old, 6 * kMiB, 4096);
  fetching.finish(0, Errc::changed);
  EXPECT_EQ(stale->error, Errc::changed);
  EXPECT_EQ(read(old, 4 * kMiB, 4096)->bytes, body(kBig, 4 * kMiB, 4096));  // still held
  EXPECT_NE(inode("big"), before);
}

TEST_F(Reading, ANewOpenAfterAChangeReadsTheNewContentOnly) {
  const auto old = open("big");
  read(old, 4 * kMiB, 4096);
  fetching.deliver_all(kBigSize);
  const fs::Inode before = inode("big");
  read(old, 6 * kMiB, 4096);
  fetching.finish(0, Errc::changed);
  fetching.server_version = 2;
  const auto errors = filesystem->status().errors;
  EXPECT_EQ(filesystem->try_open(before).value().error(), Errc::changed);
  EXPECT_EQ(filesystem->status().errors, errors) << "the kernel opens the new inode instead";
  const auto answer = read(open("big"), 4 * kMiB, 4096);
  fetching.deliver_all(kBigSize);
  EXPECT_EQ(answer->bytes, body(kBig, 4 * kMiB, 4096, 2));
}

TEST_F(Reading, AnEndedVersionNeverAsksAgain) {
  const auto old = open("big");
  read(old, 4 * kMiB, 4096);
  fetching.deliver_all(kBigSize);
  read(old, 6 * kMiB, 4096);
  fetching.finish(0, Errc::changed);
  const auto answer = read(old, 2 * kMiB, 4096);
  EXPECT_EQ(answer->error, Errc::changed);
  EXPECT_TRUE(fetching.orders.empty());
}

TEST_F(Reading, TheOldInodeKeepsItsAttributesWhileAHandleIsOpen) {
  auto old = open("big");
  read(old, 4 * kMiB, 4096);
  fetching.deliver_all(kBigSize);
  const fs::Inode before = inode("big");
  read(old, 6 * kMiB, 4096);
  fetching.finish(0, Errc::changed);
  EXPECT_EQ(filesystem->attributes(before).value().size, kBigSize);
  old.reset();
  EXPECT_EQ(filesystem->attributes(before).error(), Errc::changed);
}

// S-OPEN-3
TEST_F(Reading, AVersionThatEndedIsToldOnceWhereOpensAreSkipped) {
  limits.tell_ended = true;
  filesystem = std::make_unique<fs::FileSystem>(tree, cache, fetching, clock, limits);
  const auto old = open("big");
  const fs::Inode before = inode("big");
  read(old, 4 * kMiB, 4096);
  fetching.deliver_all(kBigSize);
  EXPECT_FALSE(filesystem->ended(before));
  EXPECT_TRUE(filesystem->take_ended().attributes.empty());
  read(old, 6 * kMiB, 4096);
  fetching.finish(0, Errc::changed);
  EXPECT_TRUE(filesystem->ended(before));
  EXPECT_FALSE(filesystem->ended(inode("big")));
  EXPECT_EQ(filesystem->take_ended().attributes, std::vector<fs::Inode>{before});
  EXPECT_TRUE(filesystem->take_ended().attributes.empty());
}

TEST_F(Reading, NothingIsToldToAKernelThatAsksAtOpen) {
  const auto old = open("big");
  read(old, 4 * kMiB, 4096);
  fetching.deliver_all(kBigSize);
  read(old, 6 * kMiB, 4096);
  fetching.finish(0, Errc::changed);
  EXPECT_TRUE(filesystem->take_ended().attributes.empty());
}

TEST_F(Reading, AContradictionOfTheManifestIsAnErrorAndNoNewVersion) {
  const fs::Inode before = inode("pinned");
  const auto answer = read(open("pinned"), 0, 100);
  fetching.finish(0, Errc::changed);
  EXPECT_EQ(answer->error, Errc::bad_response);
  EXPECT_EQ(inode("pinned"), before);
}

TEST_F(Reading, AnUnknownSizeIsAskedForOnceHoweverManyAsk) {
  std::vector<std::shared_ptr<FakeAnswer>> answers;
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(filesystem->try_lookup(1, "unknown"));
    answers.push_back(std::make_shared<FakeAnswer>());
    filesystem->lookup(1, "unknown", answers.back());
  }
  ASSERT_EQ(fetching.probes.size(), 1u);
  fetching.probes[0].sink->finish({}, fetching.version(777), 0);
  for (const auto& answer : answers) EXPECT_EQ(answer->node.value().attributes.size, 777u);
  EXPECT_EQ(filesystem->try_lookup(1, "unknown").value().value().attributes.size, 777u);
}

TEST_F(Reading, AnAbsenceIsBelievedForFiveSeconds) {
  const auto answer = std::make_shared<FakeAnswer>();
  filesystem->lookup(1, "unknown", answer);
  fetching.probes[0].sink->finish(Errc::missing, {}, 0);
  EXPECT_EQ(answer->error, Errc::missing);
  EXPECT_EQ(filesystem->try_lookup(1, "unknown").value().error(), Errc::missing);
  clock.advance(std::chrono::seconds(5));
  EXPECT_FALSE(filesystem->try_lookup(1, "unknown"));
}

TEST_F(Reading, ASizeFromAnAnswerThatContradictsTheManifestIsNotBelieved) {
  const auto answer = std::make_shared<FakeAnswer>();
  filesystem->lookup(1, "tagged", answer);
  fetching.probes[0].sink->finish({}, {1234, "\"portal\"", std::nullopt}, 0);
  EXPECT_EQ(answer->error, Errc::bad_response);
  EXPECT_FALSE(filesystem->try_lookup(1, "tagged"));
}

// Once all who asked later waited for a probe that nobody had made.
TEST_F(Reading, ASizeThatCouldNotBeAskedForIsAskedForAnew) {
  const auto answer = std::make_shared<FakeAnswer>();
  fetching.out_of_memory = true;
  filesystem->lookup(1, "unknown", answer);
  EXPECT_EQ(answer->error, std::errc::not_enough_memory);
  fetching.out_of_memory = false;
  filesystem->lookup(1, "unknown", std::make_shared<FakeAnswer>());
  EXPECT_EQ(fetching.probes.size(), 1u);
}

TEST_F(Reading, TroubleWithASizeIsNotRemembered) {
  filesystem->lookup(1, "unknown", std::make_shared<FakeAnswer>());
  fetching.probes[0].sink->finish(Errc::unreachable, {}, 0);
  EXPECT_FALSE(filesystem->try_lookup(1, "unknown"));
}

std::string walk_of(int files) {
  std::string text;
  for (int i = 10; i < 10 + files; ++i)
    text += "/f" + std::to_string(i) + "\t300\t-\t-\thttp://h.example/" + std::to_string(i) + "\n";
  return text;
}

class Walking : public FileSystemTest {
 protected:
  Walking() : FileSystemTest(walk_of(40)) {}
  std::shared_ptr<FakeAnswer> read_file(int i) {
    return read(open("f" + std::to_string(i)), 0, 300);
  }
};

TEST_F(Walking, AProgramThatWalksFindsItsFilesThere) {
  for (int i = 10; i < 13; ++i) {
    read_file(i);
    fetching.deliver_all(300);
  }
  const auto requests = fetching.ranges_asked.size();
  const auto answer = read_file(13);
  EXPECT_EQ(answer->bytes, body("http://h.example/13", 0, 300));
  EXPECT_EQ(fetching.ranges_asked.size(), requests + 2) << "at the end of the window, which grows";
}

TEST_F(Walking, EveryFileIsFetchedOnce) {
  for (int i = 10; i < 50; ++i) {
    const auto answer = read_file(i);
    fetching.deliver_all(300);
    ASSERT_EQ(answer->bytes, body("http://h.example/" + std::to_string(i), 0, 300));
  }
  EXPECT_EQ(fetching.ranges_asked.size(), 40u);
}

TEST_F(Walking, WhatIsFetchedEarlyWaitsBehindWhatIsDemanded) {
  for (int i = 10; i < 13; ++i) read_file(i);
  std::map<fetch::Priority, int> orders;
  for (const auto& order : fetching.orders) orders[order.order.priority]++;
  EXPECT_EQ(orders[fetch::Priority::demand], 3);
  EXPECT_EQ(orders[fetch::Priority::sibling], 16);
  fetching.deliver_all(300);
}

std::string two_servers(int files) {
  std::string text = "/well\t8388608\t-\t-\thttp://well.example/f\n";
  for (int i = 10; i < 10 + files; ++i)
    text += "/s" + std::to_string(i) + "\t1048576\t-\t-\thttp://silent.example/" +
            std::to_string(i) + "\n";
  return text;
}

class TwoServers : public FileSystemTest {
 protected:
  TwoServers() : FileSystemTest(two_servers(60)) {}
  std::size_t first_of(const std::string& host) const {
    std::size_t i = 0;
    while (i < fetching.orders.size() &&
           fetching.orders[i].order.object->urls.front().find(host) == std::string::npos)
      ++i;
    return i;
  }
};

// Seen with 300 readers of a server that accepted and was silent: a read from another server took
// 23 s, until their deadlines gave back the memory.
TEST_F(TwoServers, ReadersOfASilentOneTakeNoRoomFromReadersOfTheOther) {
  std::vector<std::shared_ptr<FakeAnswer>> stuck;
  for (int i = 10; i < 70; ++i) stuck.push_back(read(open("s" + std::to_string(i)), 0, 4096));
  EXPECT_GT(cache.status().room_waits, 0u);
  const auto file = open("well");
  for (std::uint64_t at = 0; at < 8 * kMiB; at += 128 * 1024) {
    const auto answer = read(file, at, 128 * 1024);
    for (std::size_t i; !answer->answered() && (i = first_of("well")) < fetching.orders.size();)
      fetching.deliver(i, UINT64_MAX, 8 * kMiB);
    ASSERT_EQ(answer->bytes, body("http://well.example/f", at, 128 * 1024)) << at;
  }
  while (!fetching.orders.empty()) fetching.finish(0, Errc::timed_out);
  for (const auto& answer : stuck) EXPECT_EQ(answer->error, Errc::timed_out);
}

class Revalidating : public Reading {
 protected:
  void SetUp() override {
    read(open("big"), 4 * kMiB, 4096);
    fetching.deliver_all(kBigSize);
    clock.advance(limits.revalidate);
    before = inode("big");
    filesystem->open(before, answer);
  }
  void answer_probe(unsigned version) {
    fetching.server_version = version;
    const auto probe = fetching.probes.back();
    fetching.probes.pop_back();
    probe.sink->finish({}, fetching.version(kBigSize), 0);
  }
  fs::Inode before = 0;
  std::shared_ptr<FakeAnswer> answer = std::make_shared<FakeAnswer>();
};

TEST_F(Revalidating, AnOldPinIsCheckedBeforeAnOpen) {
  EXPECT_FALSE(filesystem->try_open(before));
  answer_probe(1);
  EXPECT_TRUE(answer->file);
  EXPECT_TRUE(filesystem->try_open(before));
}

TEST_F(Revalidating, TwoAnswersMustAgreeOnAChange) {
  answer_probe(2);
  EXPECT_FALSE(answer->answered());
  answer_probe(2);
  EXPECT_EQ(answer->error, Errc::changed);
  EXPECT_NE(inode("big"), before);
}

TEST_F(Revalidating, AFlappingServerChangesNothing) {
  answer_probe(2);
  answer_probe(1);
  EXPECT_TRUE(answer->file);
  EXPECT_EQ(inode("big"), before);
}

TEST_F(Revalidating, AnAnswerThatSaysNeitherETagNorDateIsOfSomebodyElse) {
  for (int i = 0; i < 2 && !answer->answered(); ++i) {
    fetching.probes.back().sink->finish({}, {1234, "", std::nullopt}, 0);
  }
  EXPECT_TRUE(answer->file);
  EXPECT_EQ(inode("big"), before);
}

TEST_F(Revalidating, AServerThatIsAwayTakesNothingAway) {
  fetching.probes.back().sink->finish(Errc::unreachable, {}, 0);
  EXPECT_TRUE(answer->file);
}

class Mirrored : public FileSystemTest {
 protected:
  static constexpr std::uint64_t kSize = 100000;
  Mirrored()
      : FileSystemTest(
            "/f\t100000\t-\t-\thttp://one/f\tmirror=http://two/f?sig=x\n"
            "/stated\t100000\t-\t-\thttp://one/s\tetag=\"v1\"\tmirror=http://two/s\n"
            "/unknown\t-\t-\t-\thttp://one/u\tmirror=http://two/u\n") {}
  void read_first(const std::string& name, std::size_t source) {
    fetching.server_source = source;
    read(open(name), 0, 4096);
    fetching.deliver_all(kSize);
  }
  // Opens an old file; the probe is left to the test.
  std::shared_ptr<FakeAnswer> open_old(const std::string& name) {
    clock.advance(limits.revalidate);
    const auto answer = std::make_shared<FakeAnswer>();
    EXPECT_FALSE(filesystem->try_open(inode(name)));
    filesystem->open(inode(name), answer);
    return answer;
  }
  void answer_probe(std::size_t source, const std::string& etag) {
    const auto probe = fetching.probes.back();
    fetching.probes.pop_back();
    probe.sink->finish({}, {kSize, etag, std::nullopt}, source);
  }
};

TEST_F(Mirrored, AllUrlsAreHandedToTheFetcher) {
  read(open("f"), 0, 100);
  EXPECT_EQ(fetching.orders[0].order.object->urls,
            (std::vector<std::string>{"http://one/f", "http://two/f?sig=x"}));
  fetching.deliver_all(kSize);
}

TEST_F(Mirrored, TheUrlUsedLastIsToldWithoutItsQuery) {
  EXPECT_EQ(filesystem->xattr(inode("f"), "user.skimfs.mirror").error(),
            std::errc::no_message_available);
  read_first("f", 1);
  EXPECT_EQ(filesystem->xattr(inode("f"), "user.skimfs.mirror"), "http://two/f");
}

TEST_F(Mirrored, AMirrorThatSaysTheSameConfirmsAnOldPin) {
  read_first("f", 0);
  const auto answer = open_old("f");
  answer_probe(1, "\"v1\"");
  EXPECT_TRUE(answer->file);
  EXPECT_TRUE(filesystem->try_open(inode("f")));
}

TEST_F(Mirrored, AMirrorWithAnotherVersionChangesNothing) {
  read_first("f", 0);
  const fs::Inode before = inode("f");
  const auto answer = open_old("f");
  answer_probe(1, "\"other\"");
  EXPECT_TRUE(answer->file) << "at once";
  EXPECT_EQ(inode("f"), before);
}

TEST_F(Mirrored, ThePreferredUrlEndsAVersionThatAMirrorGave) {
  read_first("f", 1);
  const fs::Inode before = inode("f");
  const auto answer = open_old("f");
  answer_probe(0, "\"v2\"");
  answer_probe(0, "\"v2\"");
  EXPECT_EQ(answer->error, Errc::changed);
  EXPECT_NE(inode("f"), before);
}

TEST_F(Mirrored, TwoUrlsThatDisagreeWithThePinInTurnChangeNothing) {
  read_first("f", 1);
  const auto answer = open_old("f");
  answer_probe(0, "\"v2\"");
  answer_probe(1, "\"v2\"");
  EXPECT_TRUE(answer->file) << "two answers of one source must agree";
}

TEST_F(Mirrored, AnOpenSurvivesAUrlThatContradictsTheManifestWhileAnotherMayNot) {
  read_first("stated", 0);
  const auto answer = open_old("stated");
  answer_probe(0, "\"portal\"");
  answer_probe(0, "\"portal\"");
  EXPECT_TRUE(answer->file);
}

TEST_F(Mirrored, ASizeMayComeFromAMirror) {
  const auto answer = std::make_shared<FakeAnswer>();
  filesystem->lookup(1, "unknown", answer);
  answer_probe(1, "\"v1\"");
  EXPECT_EQ(answer->node.value().attributes.size, kSize);
}

}  // namespace
}  // namespace skimfs::test
