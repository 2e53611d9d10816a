// SPDX-License-Identifier: MIT
//
// Connections made before they are needed: what is asked of other hosts than the one read from.

#include "tests/fs/filesystem_fixture.h"

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

}  // namespace
}  // namespace skimfs::test
