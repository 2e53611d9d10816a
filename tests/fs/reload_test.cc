// SPDX-License-Identifier: MIT
//
// A file system whose names are replaced while it is in use.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fetch/error.h"
#include "tests/fs/filesystem_fixture.h"

namespace skimfs::test {
namespace {

using fetch::Errc;
using fs::manifest::Time;

const std::string kA = "http://h.example/a", kB = "http://h.example/b";
constexpr std::uint64_t kSize = 4 * kMiB;

const std::string kFirst = "/a\t4194304\t-\t-\t" + kA + "\n/u\t-\t-\t-\t" + kB + "\n";

class Reloading : public FileSystemTest {
 protected:
  Reloading() : FileSystemTest(kFirst) {}

  fs::Reloaded reload(const std::string& entries) {
    return filesystem->reload(tree_of(entries), Time{2, 0}, Time{3, 0}).value();
  }
  void answer_probe(std::uint64_t size) {
    ASSERT_EQ(fetching.probes.size(), 1u);
    fetching.probes[0].sink->finish({}, fetching.version(size), 0);
  }
  std::error_code lookup(const std::string& name) {
    const auto now = filesystem->try_lookup(1, name);
    return !now ? make_error_code(Errc::no_length) : *now ? std::error_code{} : now->error();
  }
};

// S-RELOAD-1
TEST_F(Reloading, AFileThatStaysKeepsInodeAndCachedBytes) {
  const auto before = inode("a");
  read(open("a"), 0, 4096);
  fetching.deliver_all(kSize);
  const std::size_t asked = fetching.ranges_asked.size();
  reload("/new\t1\t-\t-\t" + kB + "\n" + kFirst);
  EXPECT_EQ(inode("a"), before);
  EXPECT_EQ(read(open("a"), 0, 4096)->bytes, body(kA, 0, 4096));
  EXPECT_EQ(fetching.ranges_asked.size(), asked);
}

// It is not looked up in the manifest, whose disk may hang: who ends one deadline ends all others.
TEST_F(Reloading, ADeadlineIsToldWithThePathThatWasOpened) {
  const auto answer = read(open("a"), 0, 4096);
  reload("/b\t1\t-\t-\t" + kB + "\n");
  testing::internal::CaptureStderr();
  answer->run_out();
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("ev=deadline path=/a "));
}

// S-RELOAD-2
TEST_F(Reloading, AHandleGoesOnWithWhatItHasWhenItsNameLeadsElsewhere) {
  const auto old = inode("a");
  const auto file = open("a");
  read(file, 0, 4096);
  fetching.deliver_all(kSize);
  const auto done = reload("/a\t1000\t-\t-\t" + kB + "\n");
  EXPECT_EQ(done.changed, 1u);
  EXPECT_EQ(done.removed, 1u);
  EXPECT_NE(inode("a"), old);
  EXPECT_EQ(filesystem->attributes(old)->size, kSize);
  EXPECT_EQ(filesystem->try_open(old)->error(), make_error_code(Errc::changed));
  const auto answer = read(file, 3 * kMiB, 4096);
  fetching.deliver_all(kSize);
  EXPECT_EQ(answer->bytes, body(kA, 3 * kMiB, 4096));
  const auto other = read(open("a"), 0, 1000);
  fetching.deliver_all(1000);
  EXPECT_EQ(other->bytes, body(kB, 0, 1000));
}

TEST_F(Reloading, AnInodeWithoutNameAndHandleIsStale) {
  const auto old = inode("a");
  open("a");
  reload("/b\t1\t-\t-\t" + kB + "\n");
  EXPECT_EQ(filesystem->attributes(old).error(), make_error_code(Errc::changed));
  EXPECT_EQ(lookup("a"), std::make_error_code(std::errc::no_such_file_or_directory));
  EXPECT_EQ(filesystem->xattr(old, "user.skimfs.url").error(), make_error_code(Errc::changed));
  EXPECT_EQ(filesystem->xattr_names(old).error(), make_error_code(Errc::changed));
}

TEST_F(Reloading, AnEndedInodeThatIsOpenHasNoXattrs) {
  const auto old = inode("a");
  const auto file = open("a");
  reload("/b\t1\t-\t-\t" + kB + "\n");
  EXPECT_EQ(filesystem->xattr(old, "user.skimfs.url").error(),
            std::make_error_code(std::errc::no_message_available));
  EXPECT_TRUE(filesystem->xattr_names(old)->empty());
}

// Between a lookup's two looks at the names they may have become others.
TEST_F(Reloading, WhatNeedsNoServerIsNotAskedOfOne) {
  reload("/u/x\t1\t-\t-\t" + kA + "\n/e\t0\t-\t-\t" + kA + "\n");
  for (const std::string name : {"u", "e"}) {
    const auto answer = std::make_shared<FakeAnswer>();
    filesystem->lookup(1, name, answer);
    EXPECT_TRUE(answer->node) << name;
  }
  EXPECT_TRUE(fetching.probes.empty());
}

// S-RELOAD-4
TEST_F(Reloading, AnOpenHandleAsksUnderTheUrlThatWasSignedAgain) {
  const auto signed_by = [](const std::string& what) {
    return "/s\t4194304\t-\t-\thttp://h.example/s?sv=1&sig=" + what + "\n";
  };
  reload(signed_by("old"));
  const auto file = open("s");
  read(file, 0, 4096);
  EXPECT_EQ(fetching.orders.back().order.object->urls.front(), "http://h.example/s?sv=1&sig=old");
  fetching.deliver_all(kSize);
  EXPECT_EQ(reload(signed_by("new")).same, 1u);
  read(file, 3 * kMiB, 4096);
  EXPECT_EQ(fetching.orders.back().order.object->urls.front(), "http://h.example/s?sv=1&sig=new");
  fetching.deliver_all(kSize);
}

TEST_F(Reloading, ALearnedSizeStays) {
  auto answer = std::make_shared<FakeAnswer>();
  filesystem->lookup(1, "u", answer);
  answer_probe(77);
  ASSERT_TRUE(answer->node);
  reload("/n\t1\t-\t-\t" + kA + "\n" + kFirst);
  EXPECT_EQ(filesystem->try_lookup(1, "u")->value().attributes.size, 77u);
}

TEST_F(Reloading, ALookupUnderWayAnswersFromTheNamesThereAreThen) {
  auto stays = std::make_shared<FakeAnswer>();
  filesystem->lookup(1, "u", stays);
  reload("/u\t5\t-\t-\t" + kB + "\n");
  answer_probe(77);
  ASSERT_TRUE(stays->node);
  EXPECT_EQ(stays->node->attributes.size, 5u);
}

TEST_F(Reloading, ALookupUnderWayGoesOnWhereTheNameLeadsThen) {
  auto moves = std::make_shared<FakeAnswer>();
  filesystem->lookup(1, "u", moves);
  reload("/u\t-\t-\t-\t" + kA + "\n");
  answer_probe(77);
  EXPECT_FALSE(moves->answered());
  ASSERT_EQ(fetching.probes.size(), 2u);
  EXPECT_EQ(fetching.probes[1].object->urls.front(), kA);
  fetching.probes[1].sink->finish({}, fetching.version(78), 0);
  ASSERT_TRUE(moves->node);
  EXPECT_EQ(moves->node->attributes.size, 78u);
}

TEST_F(Reloading, ALookupUnderWayOfWhatIsRemovedFindsNothing) {
  auto goes = std::make_shared<FakeAnswer>();
  filesystem->lookup(1, "u", goes);
  reload("/a\t1\t-\t-\t" + kA + "\n");
  answer_probe(77);
  EXPECT_EQ(goes->error, std::make_error_code(std::errc::no_such_file_or_directory));
}

TEST_F(Reloading, OldNamesStayForListings) {
  const auto before = filesystem->names();
  reload("/b\t1\t-\t-\t" + kB + "\n");
  EXPECT_EQ(filesystem->marked(0), before);
  EXPECT_EQ(filesystem->marked(1), filesystem->names());
  clock.advance(std::chrono::seconds(60));
  filesystem->forget_older_names();
  EXPECT_EQ(filesystem->marked(0), filesystem->names()) << "then they are as now";
}

// S-RELOAD-4: what was refused under the old signature is asked for at once under the new one.
TEST_F(Reloading, ARefusalIsForgotten) {
  const auto answer = std::make_shared<FakeAnswer>();
  filesystem->lookup(1, "u", answer);
  fetching.probes[0].sink->finish(Errc::denied, {}, 0);
  EXPECT_EQ(lookup("u"), make_error_code(Errc::denied));
  reload(kFirst);
  EXPECT_FALSE(filesystem->try_lookup(1, "u"));
}

// What changed upstream before stays changed.
TEST_F(Reloading, AGenerationStays) {
  const auto file = open("a");
  read(file, 0, 4096);
  fetching.deliver_all(kSize);
  ++fetching.server_version;
  read(file, 3 * kMiB, 4096);
  fetching.deliver_all(kSize);
  const auto second = inode("a");
  reload(kFirst + "/n\t1\t-\t-\t" + kA + "\n");
  EXPECT_EQ(inode("a"), second);
}

}  // namespace
}  // namespace skimfs::test
