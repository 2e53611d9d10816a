// SPDX-License-Identifier: MIT
//
// What is asked for before a program wants it: a beginning of other hosts than the one read from,
// so that there are connections, and the sizes of the files that it will look at.
#include "fs/sibling_reader.h"

#include "fetch/error.h"
#include "tests/fs/filesystem_fixture.h"
#include "tests/support/digests_of.h"

namespace skimfs::test {
namespace {

using fetch::Priority;

constexpr std::uint64_t kSize = 40'000;

// Directories of `files` files, on `hosts` hosts in turn.
std::string directories(int count, int files, int hosts) {
  std::string text;
  for (int d = 10; d < 10 + count; ++d)
    for (int i = 0; i < files; ++i)
      text += "/d" + std::to_string(d) + "/f" + std::to_string(100 + i) + "\t" +
              std::to_string(kSize) + "\t-\t-\thttp://h" + std::to_string(i % hosts) + "/" +
              std::to_string(d) + "/" + std::to_string(i) + "\n";
  return text;
}

class Warming : public FileSystemTest {
 protected:
  explicit Warming(int hosts = 3) : FileSystemTest(directories(20, 12, hosts)) {}

  std::shared_ptr<FakeAnswer> read_file(int directory, int i) {
    const auto in = inode("d" + std::to_string(directory));
    const auto file = filesystem->try_lookup(in, "f" + std::to_string(100 + i)).value().value();
    return read(filesystem->try_open(file.attributes.inode).value().value(), 0, 4096);
  }
  // What was ordered that no program reads yet.
  std::vector<const fetch::RangeOrder*> early() const {
    std::vector<const fetch::RangeOrder*> found;
    for (const auto& each : fetching.orders)
      if (each.order.priority == Priority::sibling) found.push_back(&each.order);
    return found;
  }
};

TEST_F(Warming, TheFirstReadInADirectoryAsksTheOtherHostsForTheBeginningOfTheirNextFiles) {
  read_file(10, 0);
  ASSERT_EQ(fetching.orders.size(), 3u);
  EXPECT_EQ(fetching.orders[0].order.priority, Priority::demand) << "before everything else";
  ASSERT_EQ(early().size(), 2u);
  EXPECT_EQ(early()[0]->object->urls.front(), "http://h1/10/1");
  EXPECT_EQ(early()[1]->object->urls.front(), "http://h2/10/2");
  EXPECT_EQ(early()[0]->range.first, 0u);
  EXPECT_EQ(early()[0]->range.length(), 16384u);
  fetching.deliver_all(kSize);
}

TEST_F(Warming, TheFileThatIsReadNextHasItsFirstBytes) {
  read_file(10, 0);
  fetching.deliver_all(kSize);
  const auto asked = fetching.ranges_asked.size();
  const auto answer = read_file(10, 1);
  EXPECT_EQ(answer->bytes, body("http://h1/10/1", 0, 4096));
  for (std::size_t i = asked; i < fetching.ranges_asked.size(); ++i)
    EXPECT_GE(fetching.ranges_asked[i].first, 16384u) << "the rest";
  fetching.deliver_all(kSize);
}

TEST_F(Warming, LookingAndOpeningAsksNobody) {
  for (int d = 10; d < 30; ++d) {
    const auto in = inode("d" + std::to_string(d));
    for (int i = 0; i < 12; ++i) {
      const auto file = filesystem->try_lookup(in, "f" + std::to_string(100 + i)).value().value();
      filesystem->try_open(file.attributes.inode).value().value();
    }
  }
  EXPECT_TRUE(fetching.ranges_asked.empty());
}

TEST_F(Warming, HostsThatAreWarmAreNotAsked) {
  for (const char* host : {"h0:80", "h1:80", "h2:80"})
    fetching.paces.at(host)->note_asked(clock.now());
  for (const int d : {12, 25, 10, 18}) {
    read_file(d, 3);
    fetching.deliver_all(kSize);
  }
  EXPECT_EQ(fetching.ranges_asked.size(), 4u);
}

TEST_F(Warming, TheSecondReadInADirectoryAsksNobodyElse) {
  read_file(10, 0);
  fetching.deliver_all(kSize);
  const auto before = fetching.ranges_asked.size();
  read_file(10, 9);
  EXPECT_EQ(fetching.ranges_asked.size(), before + 1);
  fetching.deliver_all(kSize);
}

TEST_F(Warming, IsGivenUpWhenNobodyFollows) {
  read_file(10, 0);
  const auto sink = early().at(0)->sink;
  EXPECT_TRUE(sink->useful());
  for (int d = 11; d < 19; ++d) read_file(d, 5);  // eight strangers
  EXPECT_FALSE(sink->useful());
  while (!fetching.orders.empty())
    fetching.finish(0, std::make_error_code(std::errc::operation_canceled));
}

class OneHost : public Warming {
 protected:
  OneHost() : Warming(1) {}
};

TEST_F(OneHost, ReadersAllOverTheTreeMakeNoFurtherRequest) {
  for (int i = 0; i < 60; ++i) {  // each pair comes once
    read_file(10 + i * 7 % 20, i * 5 % 12);
    fetching.deliver_all(kSize);
  }
  EXPECT_EQ(fetching.ranges_asked.size(), 60u);
}

class OneHostSpelledTwice : public FileSystemTest {
 protected:
  OneHostSpelledTwice()
      : FileSystemTest("/a\t4096\t-\t-\thttp://h/a\n/b\t4096\t-\t-\thttp://h:80/b\n") {}
};

TEST_F(OneHostSpelledTwice, IsNoOtherHost) {
  read(open("a"), 0, 4096);
  EXPECT_EQ(fetching.ranges_asked.size(), 1u);
  fetching.deliver_all(4096);
}

class VerifiedHosts : public FileSystemTest {
 protected:
  static std::string line(const std::string& name, std::uint64_t size, const std::string& url) {
    return "/" + name + "\t" + std::to_string(size) + "\t-\tcrc32c:00000000\t" + url + "\n";
  }
  VerifiedHosts()
      : FileSystemTest(line("a", 4096, "http://own/") + line("b", 100'000, "http://x/") +
                       line("c", 1'000'000, "http://y/")) {}
};

TEST_F(VerifiedHosts, AreAskedForWhatADigestVouchesForUnlessThatIsMuch) {
  read(open("a"), 0, 4096);
  ASSERT_EQ(fetching.ranges_asked.size(), 2u);
  EXPECT_EQ(fetching.ranges_asked[1].length(), 100'000u);
  while (!fetching.orders.empty())
    fetching.finish(0, std::make_error_code(std::errc::operation_canceled));
}

// ---------------------------------------------------------------------------------- sizes, early

std::string unsized_files(int files) {
  std::string text;
  for (int i = 10; i < 10 + files; ++i)
    text += "/f" + std::to_string(i) + "\t-\t-\t-\thttp://h/" + std::to_string(i) + "\n";
  return text;
}

class EarlySizes : public FileSystemTest {
 protected:
  EarlySizes() : FileSystemTest(unsized_files(60)) {}

  static std::string name(int i) { return "f" + std::to_string(i); }
  static std::string url(int i) { return "http://h/" + std::to_string(i); }

  // As the shell does: from memory, or parked.
  std::shared_ptr<FakeAnswer> look_up(int i) {
    auto answer = std::make_shared<FakeAnswer>();
    if (const auto found = filesystem->try_lookup(1, name(i)))
      *found ? answer->entry(**found) : answer->fail(found->error());
    else
      filesystem->lookup(1, name(i), answer);
    return answer;
  }
  void answer_all(std::uint64_t size = 300) {
    while (!fetching.probes.empty()) fetching.answer_probe(size);
    fetching.deliver_all(size);
  }
  // Of files 10, 11 and 12 the sizes are known; what is asked for before anybody looks it up.
  std::vector<fetch::ProbeOrder>& walk() {
    for (int i = 10; i < 13; ++i) {
      look_up(i);
      fetching.answer_probe(300);
    }
    return fetching.probes;
  }
  bool listed(int i) const {
    return filesystem->known(*filesystem->names(), *tree->find(fs::manifest::kRoot, name(i)))
        .has_value();
  }
  std::uint64_t asked() const { return filesystem->status().probes; }
};

// S-NAME-4
TEST_F(EarlySizes, OneFileIsOneRequest) {
  for (int i = 0; i < 10; ++i) {
    look_up(20);
    answer_all();
  }
  EXPECT_EQ(asked(), 1u);
}

TEST_F(EarlySizes, TwoFilesInOrderAreTwo) {
  look_up(20);
  look_up(21);
  answer_all();
  EXPECT_EQ(asked(), 2u);
}

// S-NAME-4
TEST_F(EarlySizes, TheThirdInOrderHasThoseOfTheNextAskedForBehindItself) {
  const auto& early = walk();
  ASSERT_EQ(early.size(), 2u);
  EXPECT_EQ(early[0].object->urls.front(), url(13));
  EXPECT_EQ(early[1].object->urls.front(), url(14));
  for (const auto& each : early) EXPECT_EQ(each.priority, Priority::sibling);
  answer_all();
}

TEST_F(EarlySizes, WhoLooksUpAFileThenWaitsForNobody) {
  walk();
  fetching.answer_probe(400);
  EXPECT_EQ(look_up(13)->node.value().attributes.size, 400u);
  answer_all();
}

// S-NAME-4
TEST_F(EarlySizes, WhatNobodyLookedAtForLongIsAskedForAgain) {
  walk();
  fetching.answer_probe(400);
  answer_all();
  clock.advance(std::chrono::seconds(61));  // longer than revalidate=
  const auto late = look_up(13);
  ASSERT_FALSE(late->node);
  fetching.answer_probe(500);
  EXPECT_EQ(late->node.value().attributes.size, 500u);
  EXPECT_EQ(look_up(13)->node.value().attributes.size, 500u);
  answer_all();
}

TEST_F(EarlySizes, TheirFirstBytesComeWithThem) {
  walk();
  answer_all();
  look_up(13);
  const auto before = fetching.ranges_asked.size();
  EXPECT_EQ(read(open(name(13)), 0, 300)->bytes, body(url(13), 0, 300));
  EXPECT_EQ(fetching.ranges_asked.size(), before);
  answer_all();
}

// What is longer than the beginning that comes with the size.
TEST_F(EarlySizes, WhoReadsThemHasTheirBytesFetchedAheadToo) {
  constexpr std::uint64_t size = 200'000;
  for (int i = 10; i < 20; ++i) {
    look_up(i);
    answer_all(size);
    const auto answer = read(open(name(i)), 0, 4096);
    answer_all(size);
    ASSERT_EQ(answer->bytes, body(url(i), 0, 4096));
  }
  look_up(20);
  const auto file = open(name(20));
  for (std::uint64_t at = 0; at < size; at += 50'000) {
    const auto before = fetching.orders.size();
    EXPECT_EQ(read(file, at, 50'000)->bytes, body(url(20), at, 50'000));
    for (std::size_t i = before; i < fetching.orders.size(); ++i)
      EXPECT_NE(fetching.orders[i].order.object->urls.front(), url(20));
  }
  answer_all(size);
}

TEST_F(EarlySizes, WhoLooksUpAFileThatIsAskedForJoins) {
  const auto id = walk().front().id;
  const auto before = asked();
  const auto answer = look_up(13);
  EXPECT_FALSE(answer->answered());
  EXPECT_EQ(fetching.promoted, std::vector{id}) << "and from now on it is demand";
  EXPECT_TRUE(fetching.probes.front().sink->wanted());
  EXPECT_EQ(asked(), before + 2) << "two behind the ones that are asked for, none for this";
  fetching.answer_probe(400);
  EXPECT_EQ(answer->node.value().attributes.size, 400u);
  answer_all();
}

TEST_F(EarlySizes, ALookupThatAnAnswerOvertakesAsksNobody) {
  walk();
  answer_all();  // after the shell has found the size unknown
  const auto answer = std::make_shared<FakeAnswer>();
  filesystem->lookup(1, name(13), answer);
  EXPECT_TRUE(answer->node);
  for (const auto& probe : fetching.probes) EXPECT_NE(probe.object->urls.front(), url(13));
  answer_all();
}

TEST_F(EarlySizes, AllFilesOfAWalkAreAskedForOnce) {
  for (int i = 10; i < 70; ++i) {
    const auto answer = look_up(i);
    answer_all();
    EXPECT_TRUE(answer->node) << i;
  }
  EXPECT_EQ(asked(), 60u);
}

TEST_F(EarlySizes, AListingShowsThemOnceSomebodyHasLooked) {
  walk();
  answer_all();
  EXPECT_TRUE(listed(12));
  EXPECT_FALSE(listed(13));
  look_up(13);
  EXPECT_TRUE(listed(13));
  answer_all();
}

TEST_F(EarlySizes, AListingShowsOneThatWasWaitedFor) {
  walk();
  look_up(13);
  answer_all();
  EXPECT_TRUE(listed(13));
}

TEST_F(EarlySizes, AreGivenUpWhenNobodyFollows) {
  const auto sink = walk().front().sink;
  EXPECT_TRUE(sink->useful());
  EXPECT_FALSE(sink->wanted());
  for (int i = 0; i < 8; ++i) look_up(20 + i * 6);  // eight strangers
  EXPECT_FALSE(sink->useful());
  look_up(13);
  EXPECT_TRUE(sink->useful()) << "somebody waits";
  answer_all();
}

TEST_F(EarlySizes, WhoJoinedOneThatWasGivenUpIsAskedForHimself) {
  const auto early = walk().front().sink;
  const auto answer = look_up(13);
  fetching.probes.erase(fetching.probes.begin());
  early->finish(std::make_error_code(std::errc::operation_canceled), {}, 0);
  EXPECT_FALSE(answer->answered());
  EXPECT_EQ(fetching.probes.back().object->urls.front(), url(13));
  EXPECT_EQ(fetching.probes.back().priority, Priority::demand);
  answer_all();
  EXPECT_EQ(answer->node.value().attributes.size, 300u);
}

TEST_F(EarlySizes, OneThatWasGivenUpIsAskedForWhenItIsLookedUp) {
  const auto early = walk().front().sink;
  fetching.probes.erase(fetching.probes.begin());
  early->finish(std::make_error_code(std::errc::operation_canceled), {}, 0);
  const auto answer = look_up(13);
  answer_all();
  EXPECT_TRUE(answer->node);
}

TEST_F(EarlySizes, AFileThatIsNotThereIsNotAskedForTwice) {
  walk().front().sink->finish(fetch::Errc::missing, {}, 0);
  fetching.probes.erase(fetching.probes.begin());
  const auto before = asked();
  EXPECT_EQ(look_up(13)->error, fetch::Errc::missing);
  EXPECT_EQ(asked(), before + 2) << "those that follow";
  EXPECT_EQ(filesystem->status().errors, 1u);
  answer_all();
}

TEST_F(EarlySizes, TheErrorOfAnEarlyOneThatPassesIsNobodys) {
  walk().front().sink->finish(fetch::Errc::server_failed, {}, 0);
  fetching.probes.erase(fetching.probes.begin());
  const auto answer = look_up(13);
  EXPECT_FALSE(answer->answered());
  answer_all();
  EXPECT_TRUE(answer->node);
  EXPECT_EQ(filesystem->status().errors, 0u);
}

TEST_F(EarlySizes, WithoutMemoryForThemTheLookupIsAnsweredAllTheSame) {
  look_up(10);
  answer_all();
  look_up(11);
  answer_all();
  const auto answer = look_up(12);
  answer_all();
  fetching.out_of_memory = true;
  EXPECT_TRUE(look_up(13)->node);
  fetching.out_of_memory = false;
  const auto next = look_up(16);
  answer_all();
  EXPECT_TRUE(next->node);
}

TEST_F(EarlySizes, AReloadEndsTheWalk) {
  const auto sink = walk().front().sink;
  filesystem->reload(tree_of(unsized_files(20)), {}, {}).value();
  EXPECT_FALSE(sink->useful());
  answer_all();
  EXPECT_EQ(look_up(13)->node.value().attributes.size, 300u);
}

// Files verified in pieces, each with a list of its own.
class WalkOfPieces : public FileSystemTest {
 protected:
  static constexpr std::uint64_t kBytes = 300'000, kPiece = 65'536;
  static constexpr int kFirst = 10, kLast = 50;

  static std::string url(int i) { return "http://h/" + std::to_string(i); }
  static std::string list(int i) { return "http://h/list" + std::to_string(i); }
  static std::string files() {
    std::string text;
    for (int i = kFirst; i < kLast; ++i)
      text += "/f" + std::to_string(i) + "\t" + std::to_string(kBytes) + "\t-\t-\t" + url(i) +
              "\tpieces=sha256:" + std::to_string(kPiece) + ":" + list(i) + "\n";
    return text;
  }

  WalkOfPieces() : FileSystemTest(files()) {
    for (int i = kFirst; i < kLast; ++i)
      fetching.contents[list(i)] = piece_list(body(url(i), 0, kBytes), kPiece);
  }
  std::shared_ptr<FakeAnswer> read_file(int i) {
    return read(open("f" + std::to_string(i)), 0, 4096);
  }
  // The third read, of file 12, is under way: what follows is being fetched.
  void walk() {
    for (int i = kFirst; i < kFirst + 2; ++i) {
      read_file(i);
      fetching.deliver_all(kBytes);
    }
    read_file(kFirst + 2);
  }
  // Orders of lists that no program reads from.
  std::vector<const fetch::RangeOrder*> early_lists() const {
    std::vector<const fetch::RangeOrder*> found;
    for (const auto& each : fetching.orders) {
      const std::string& asked = each.order.object->urls.front();
      if (fetching.contents.contains(asked) && asked != list(kFirst + 2))
        found.push_back(&each.order);
    }
    return found;
  }
};

// S-NET-1
TEST_F(WalkOfPieces, ListsOfFilesThatNobodyReadsYetAreNoDemand) {
  walk();
  ASSERT_GE(early_lists().size(), 8u);
  for (const fetch::RangeOrder* each : early_lists()) {
    EXPECT_EQ(each->priority, Priority::sibling);
    EXPECT_FALSE(each->sink->wanted());
    EXPECT_TRUE(each->sink->useful());
  }
  fetching.deliver_all(kBytes);
}

TEST_F(WalkOfPieces, ListsAreGivenUpWithTheWalk) {
  walk();
  filesystem->reload(tree_of(files()), {}, {}).value();
  for (const fetch::RangeOrder* each : early_lists()) EXPECT_FALSE(each->sink->useful());
  fetching.deliver_all(kBytes);
  for (int i = kFirst + 3; i < kLast; ++i)
    EXPECT_EQ(cache.held(inode("f" + std::to_string(i))), 0u)
        << "nor is what they are for asked for";
}

TEST_F(WalkOfPieces, FilesFollowTheirListsAndAreThereWhenTheyAreRead) {
  walk();
  fetching.deliver_all(kBytes);
  const auto asked = fetching.ranges_asked.size();
  EXPECT_EQ(read_file(kFirst + 3)->bytes, body(url(kFirst + 3), 0, 4096));
  EXPECT_EQ(cache.held(inode("f" + std::to_string(kFirst + 4))), kBytes);
  EXPECT_LE(fetching.ranges_asked.size() - asked, 4u) << "what joins the walk, and no more";
  fetching.deliver_all(kBytes);
}

TEST_F(WalkOfPieces, AReaderMakesTheListThatComesEarlyDemand) {
  walk();
  const auto id = early_lists().at(0)->id;
  const auto sink = early_lists().at(0)->sink;
  const auto answer = read_file(kFirst + 3);
  EXPECT_TRUE(sink->wanted());
  EXPECT_EQ(std::ranges::count(fetching.promoted, id), 1);
  fetching.deliver_all(kBytes);
  EXPECT_EQ(answer->bytes, body(url(kFirst + 3), 0, 4096));
}

TEST_F(WalkOfPieces, ListsThatCannotBeHadCostOnlyWhatTheyAreFor) {
  walk();
  while (!early_lists().empty()) {
    const auto& orders = fetching.orders;
    const auto at = std::ranges::find_if(
        orders, [&](const auto& each) { return &each.order == early_lists().front(); });
    fetching.finish(static_cast<std::size_t>(at - orders.begin()), fetch::Errc::missing);
  }
  fetching.deliver_all(kBytes);
  EXPECT_EQ(cache.status().pinned, 0u);
  const auto answer = read_file(kFirst + 3);
  fetching.deliver_all(kBytes);
  EXPECT_EQ(answer->bytes, body(url(kFirst + 3), 0, 4096)) << "asked for again";
}

// A large one, whose list has left the memory.
class LostList : public FileSystemTest {
 protected:
  static constexpr std::uint64_t kBytes = 8 * kMiB, kPiece = 65'536, kRead = 128 * 1024;

  LostList()
      : FileSystemTest("/f\t" + std::to_string(kBytes) + "\t-\t-\t" + kUrl +
                       "\tpieces=sha256:" + std::to_string(kPiece) + ":" + kList + "\n") {
    fetching.contents[kList] = piece_list(body(kUrl, 0, kBytes), kPiece);
  }
  // Reads in order until more is to be read ahead.
  std::shared_ptr<fs::OpenFile> read_until_list() {
    auto file = open("f");
    for (std::uint64_t at = 0; at < kBytes && lists() == 0; at += kRead) {
      cache.drop(file->remote()->version() | fs::Inode{1} << 63);
      if (filesystem->try_read(*file, {at, kRead})) continue;
      filesystem->read(file, {at, kRead}, std::make_shared<FakeAnswer>());
      fetching.deliver_all(kBytes);
    }
    return file;
  }
  std::size_t lists() const {
    return static_cast<std::size_t>(std::ranges::count_if(fetching.orders, [](const auto& each) {
      return each.order.object->urls.front() == kList;
    }));
  }

  static inline const std::string kUrl = "http://h/f", kList = "http://h/list";
};

TEST_F(LostList, IsReadAheadOfAsTheFileIs) {
  const auto file = read_until_list();
  ASSERT_EQ(lists(), 1u);
  const fetch::RangeOrder& order = fetching.orders.back().order;
  EXPECT_EQ(order.priority, Priority::next);
  EXPECT_FALSE(order.sink->wanted());
  EXPECT_TRUE(order.sink->useful());
  const auto held = cache.held(file->remote()->version());
  fetching.deliver_all(kBytes);
  EXPECT_GT(cache.held(file->remote()->version()), held) << "and the file follows";
}

TEST_F(LostList, IsGivenUpWhenTheFileIsClosed) {
  auto file = read_until_list();
  ASSERT_EQ(lists(), 1u);
  const auto sink = fetching.orders.back().order.sink;
  file.reset();
  EXPECT_FALSE(sink->useful());
  fetching.deliver_all(kBytes);
}

}  // namespace
}  // namespace skimfs::test
