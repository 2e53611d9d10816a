// SPDX-License-Identifier: MIT
//
// What a new manifest keeps of the one before.
#include "fs/succession.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "fs/older_names.h"
#include "fs/signed_url.h"
#include "tests/support/manual_clock.h"
#include "tests/support/tree_of.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

using fs::Catalogue;
using fs::FileNumber;
using fs::Succession;
using fs::manifest::kRoot;
using fs::manifest::Row;
using fs::manifest::Time;

constexpr Time kFirst{100, 0}, kSecond{200, 0}, kNow{300, 0};

std::shared_ptr<const Catalogue> first(const std::string& entries) {
  return std::make_shared<Catalogue>(tree_of(entries), kFirst);
}
Succession next(const Catalogue& before, const std::string& entries) {
  return fs::succeed(before, tree_of(entries), kSecond, kNow);
}

Row row_of(const fs::manifest::Tree& tree, const std::string& path) {
  Row at = kRoot;
  for (std::size_t from = 0; from < path.size();) {
    const std::size_t end = std::min(path.find('/', from), path.size());
    const auto found = tree.find(at, path.substr(from, end - from));
    if (!found) ADD_FAILURE() << path;
    at = found.value_or(kRoot);
    from = end + 1;
  }
  return at;
}
FileNumber number_of(const Catalogue& names, const std::string& path) {
  return names.number(row_of(names.tree(), path));
}

const std::string kTwo =
    "/d/a\t1\t-\t-\thttp://h/a\n"
    "/d/b\t2\t-\t-\thttp://h/b\n";

TEST(Succession, TheSameAgainIsTheSame) {
  const auto before = first(kTwo);
  const Succession found = next(*before, kTwo);
  EXPECT_EQ(found.same, 3u);
  EXPECT_EQ(found.added + found.removed + found.changed, 0u);
  EXPECT_TRUE(found.gone.empty() && found.restated.empty() && found.lists.empty());
  EXPECT_EQ(number_of(*found.next, "d/b"), number_of(*before, "d/b"));
  EXPECT_EQ(found.next->epoch(), 1u);
}

// S-RELOAD-1
TEST(Succession, AnotherOrderKeepsNumbers) {
  const auto before = first(kTwo);
  const Succession found = next(*before,
                                "/d/b\t2\t-\t-\thttp://h/b\n"
                                "/d/a\t1\t-\t-\thttp://h/a\n");
  EXPECT_EQ(number_of(*found.next, "d/a"), number_of(*before, "d/a"));
  EXPECT_EQ(number_of(*found.next, "d/b"), number_of(*before, "d/b"));
  EXPECT_EQ(found.same, 3u);
  EXPECT_TRUE(found.gone.empty());
  EXPECT_EQ(found.lists, std::vector<FileNumber>{number_of(*before, "d")}) << "another list";
}

TEST(Succession, WhatIsAddedGetsANumberThatNobodyHad) {
  const auto before = first(kTwo);
  const Succession found = next(*before, kTwo + "/d/c\t3\t-\t-\thttp://h/c\n");
  EXPECT_EQ(found.added, 1u);
  EXPECT_EQ(number_of(*found.next, "d/c"), before->next_number());
  EXPECT_EQ(found.lists, std::vector<FileNumber>{number_of(*before, "d")});
}

TEST(Succession, WhatIsRemovedIsGone) {
  const auto before = first(kTwo);
  const Succession found = next(*before, "/d/a\t1\t-\t-\thttp://h/a\n");
  EXPECT_EQ(found.removed, 1u);
  EXPECT_EQ(found.gone, std::vector<FileNumber>{number_of(*before, "d/b")});
  EXPECT_FALSE(found.next->row(number_of(*before, "d/b")));
}

TEST(Succession, AWholeFolderComesAndGoes) {
  const auto before = first(kTwo);
  const Succession found = next(*before, "/e/x/y\t1\t-\t-\thttp://h/y\n");
  EXPECT_EQ(found.added, 3u);
  EXPECT_EQ(found.removed, 3u);
  EXPECT_EQ(found.lists, std::vector<FileNumber>{0});
}

// Each of these is other content at the same name.
void expect_changed(const std::string& was, const std::string& is) {
  const auto before = first(was);
  const Succession found = next(*before, is);
  EXPECT_EQ(found.changed, 1u) << is;
  EXPECT_EQ(found.removed, 0u) << is;
  EXPECT_EQ(found.gone, std::vector<FileNumber>{1}) << is;
  EXPECT_GE(number_of(*found.next, "a"), before->next_number()) << is;
}

TEST(Succession, OtherContentGetsAnotherNumber) {
  for (const std::string is :
       {"/a\t11\t-\t-\thttp://h/a\n", "/a\t10\t-\t-\thttp://h/b\n", "/a\t-\t-\t-\thttp://h/a\n",
        "/a\t10\t-\t-\thttp://h/a\tetag=\"x\"\n",
        "/a\t10\t-\tsha256:"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\thttp://h/a\n",
        "/a\t10\t-\t-\thttp://h/a\tvalidator=time\n", "/a\t10\t-\t-\thttp://h/a\tauth=bob\n",
        "/a\t10\t-\t-\thttp://h/a\tmirror=http://m/a\n", "/a/b\t10\t-\t-\thttp://h/a\n",
        "/a\t10\t-\t-\thttp://h/a\t!off=1\n", "/a\t-\t-\t-\t-\t!link=b\n",
        "/a\t10\t-\t-\thttp://h/a\tpieces=sha256:1048576:http://h/p\n"})
    expect_changed("/a\t10\t-\t-\thttp://h/a\n", is);
}

TEST(Succession, OtherWordsOfTheManifestAreOtherContent) {
  expect_changed("/a\t3\t-\t-\t-\t!data=base64:YWFh\n", "/a\t3\t-\t-\t-\t!data=base64:YmJi\n");
  expect_changed("/a\t-\t-\t-\t-\t!link=b\n", "/a\t-\t-\t-\t-\t!link=c\n");
  const std::string parts = "/a\t6\t-\t-\t-\t!part=0+3 http://h/x\t!part=0+3 http://h/y\n";
  expect_changed(parts, "/a\t6\t-\t-\t-\t!part=0+2 http://h/x\t!part=0+4 http://h/y\n");
  expect_changed(parts, "/a\t6\t-\t-\t-\t!part=1+3 http://h/x\t!part=0+3 http://h/y\n");
}

// S-RELOAD-1
TEST(Succession, AnotherModeOrTimeIsTheSameContent) {
  const auto before =
      first("/a\t10\t2024-05-01T12:00:00Z\t-\thttp://h/a\n/b\t1\t-\t-\thttp://h/b\n");
  const Succession found = next(
      *before, "/a\t10\t2024-05-02T12:00:00Z\t-\thttp://h/a\n/b\t1\t-\t-\thttp://h/b\tmode=755\n");
  EXPECT_EQ(found.same, 2u);
  EXPECT_EQ(found.restated, (std::vector<FileNumber>{1, 2}));
  EXPECT_TRUE(found.gone.empty());
}

// S-RELOAD-4
TEST(Succession, SignedAgainIsTheSameContent) {
  const std::string entry = "/a\t10\t-\t-\thttps://h/a?versionId=7&X-Amz-Date=";
  const auto before = first(entry + "1&X-Amz-Signature=aa\n");
  EXPECT_EQ(next(*before, entry + "2&X-Amz-Signature=bb\n").same, 1u);
  EXPECT_EQ(next(*before, "/a\t10\t-\t-\thttps://h/a?versionId=8&X-Amz-Date=1&X-Amz-Signature=aa\n")
                .changed,
            1u);
}

TEST(Succession, WhatNobodyDatesKeepsItsTime) {
  const auto before = first(kTwo);
  const Succession found = next(*before, kTwo + "/d/c\t3\t-\t-\thttp://h/c\n");
  const Catalogue& names = *found.next;
  EXPECT_EQ(names.undated(number_of(names, "d/a")).seconds, kFirst.seconds);
  EXPECT_EQ(names.undated(number_of(names, "d/c")).seconds, kSecond.seconds);
  EXPECT_EQ(names.undated(number_of(names, "d")).seconds, kNow.seconds) << "its list changed";
  EXPECT_EQ(names.undated(0).seconds, kFirst.seconds);
}

TEST(Succession, StopsWhenAsked) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(fs::succeed(*first(kTwo), tree_of(kTwo), kSecond, kNow, stop.get_token()),
               std::runtime_error);
}

// Against a model that knows every number ever given out: none returns for anything else.
TEST(Succession, NoNumberEverReturnsForAnotherContent) {
  std::mt19937 random(1);
  std::map<FileNumber, std::pair<std::string, std::uint64_t>> ever;  // path and size
  std::map<std::string, std::pair<std::uint64_t, FileNumber>> last;
  auto names = first("/a\t1\t-\t-\thttp://h/a\n");
  for (int reload = 0; reload < 300; ++reload) {
    std::map<std::string, std::uint64_t> files;
    for (int i = 0; i < 12; ++i)
      files["/d" + std::to_string(random() % 3) + "/f" + std::to_string(random() % 8)] =
          1 + random() % 2;
    std::vector<std::string> lines;
    for (const auto& [path, size] : files)
      lines.push_back(path + "\t" + std::to_string(size) + "\t-\t-\thttp://h" + path + "\n");
    std::shuffle(lines.begin(), lines.end(), random);
    std::string entries;
    for (const std::string& line : lines) entries += line;
    const Succession found = next(*names, entries);
    std::map<std::string, std::pair<std::uint64_t, FileNumber>> now;
    for (const auto& [path, size] : files) {
      const FileNumber number = number_of(*found.next, path.substr(1));
      const auto [known, fresh] = ever.try_emplace(number, path, size);
      EXPECT_EQ(known->second, std::pair(path, size));
      const auto before = last.find(path);
      if (before != last.end() && before->second.first == size) {
        EXPECT_EQ(number, before->second.second) << path;
      }
      EXPECT_EQ(found.next->row(number), row_of(found.next->tree(), path.substr(1)));
      now[path] = {size, number};
    }
    for (const FileNumber number : found.gone) EXPECT_FALSE(found.next->row(number));
    last = std::move(now);
    names = found.next;
  }
}

TEST(SignedUrl, OnlyTheSignatureGoes) {
  using fs::without_signature;
  EXPECT_EQ(without_signature("http://h/a"), "http://h/a");
  EXPECT_EQ(without_signature("http://h/a?Expires=1&policy=x"), "http://h/a?Expires=1&policy=x")
      << "no signature, so these words may select bytes";
  EXPECT_EQ(without_signature("http://h/a?v=1&X-Goog-Signature=s&X-Goog-Date=d"), "http://h/a?v=1");
  EXPECT_EQ(without_signature("http://h/a?AWSAccessKeyId=k&Signature=s&Expires=9"), "http://h/a");
  EXPECT_EQ(without_signature("http://h/a?sv=1&se=2&snapshot=3&sig=s"), "http://h/a?snapshot=3");
  EXPECT_EQ(without_signature("http://h/a?se=2"), "http://h/a?se=2");
  EXPECT_EQ(without_signature("http://h/a?st=2&sig=s"), "http://h/a?st=2&sig=s");
  EXPECT_EQ(without_signature("http://h/a?x-amz-signature=s&"), "http://h/a?");
}

std::shared_ptr<const Catalogue> kept(const fs::OlderNames& older, std::uint32_t epoch) {
  return older.find([epoch](const Catalogue& names) { return names.epoch() == epoch; });
}

TEST(OlderNames, AreKeptForAMinuteAndFew) {
  fs::OlderNames older;
  ManualClock clock;
  auto names = first(kTwo);
  for (int i = 0; i < 6; ++i) {
    older.keep(names, clock.now());
    names = next(*names, kTwo).next;
  }
  EXPECT_EQ(kept(older, 1), nullptr);
  EXPECT_NE(kept(older, 2), nullptr);
  EXPECT_EQ(kept(older, 6), nullptr) << "the present ones";
  clock.advance(60s);
  older.forget(clock.now());
  EXPECT_EQ(kept(older, 5), nullptr);
}

TEST(OlderNames, TheKernelIsToldAgainSoonAndAtTheEnd) {
  fs::OlderNames older;
  ManualClock clock;
  const auto inodes = std::make_shared<const fs::Files::Replaced>();
  older.keep(first(kTwo), clock.now());
  older.told(inodes);
  EXPECT_TRUE(older.forget(clock.now()).empty());
  clock.advance(1s);
  EXPECT_EQ(older.forget(clock.now()).size(), 1u);
  clock.advance(58s);
  EXPECT_TRUE(older.forget(clock.now()).empty());
  clock.advance(1s);
  EXPECT_EQ(older.forget(clock.now()).size(), 1u);
  EXPECT_TRUE(older.forget(clock.now()).empty());
}

TEST(Catalogue, ErasOfWhichNothingIsLeftAreForgotten) {
  auto names = first(kTwo);
  for (int i = 0; i < 1000; ++i)
    names = next(*names, "/d/x" + std::to_string(i) + "\t1\t-\t-\thttp://h/x\n" + kTwo).next;
  EXPECT_EQ(names->undated(number_of(*names, "d/a")).seconds, kFirst.seconds);
  EXPECT_EQ(names->undated(number_of(*names, "d/x999")).seconds, kSecond.seconds);
}

}  // namespace
}  // namespace skimfs::test
