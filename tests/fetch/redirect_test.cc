// SPDX-License-Identifier: MIT
//
// Where redirects may lead, and what is remembered of them.
#include "fetch/redirect.h"

#include <gtest/gtest.h>

#include "fetch/error.h"

namespace skimfs::fetch {
namespace {

Url url(const std::string& text) { return Url::parse(text).value(); }

// As a test asks: the URL lives as long as the question.
struct AskedFor {
  Url url;
  std::string profile;
  operator Question() const { return {url, profile}; }
};
AskedFor asked(const std::string& text, const std::string& profile = {}) {
  return {url(text), profile};
}

TEST(Redirect, TheFiveThatCarryALocationAreRedirects) {
  for (const int status : {301, 302, 303, 307, 308}) EXPECT_TRUE(is_redirect(status)) << status;
  for (const int status : {200, 206, 300, 304, 305, 306, 400})
    EXPECT_FALSE(is_redirect(status)) << status;
}

TEST(Redirect, LeadsWhereTheLocationSays) {
  EXPECT_EQ(follow(url("http://h/a"), "https://cdn/b?s=1", 0)->text(), "https://cdn/b?s=1");
  EXPECT_EQ(follow(url("https://h/a"), "../b", 4)->text(), "https://h/b");
}

TEST(Redirect, IsRefusedBeyondTheFifth) {
  EXPECT_TRUE(follow(url("http://h/a"), "/b", 4));
  EXPECT_EQ(follow(url("http://h/a"), "/b", 5).error(), Errc::redirect_refused);
}

TEST(Redirect, NeverLeavesHttpOrGivesUpEncryption) {
  for (const char* location : {"", "ftp://h/", "file:///etc/passwd", "gopher://h/1", "http://h/",
                               "HTTP://h/", "http://user:secret@h/"})
    EXPECT_EQ(follow(url("https://h/a"), location, 0).error(), Errc::redirect_refused) << location;
}

constexpr std::size_t kPlenty = 1 << 20;  // bytes

TEST(RedirectMemory, RemembersTheLastTarget) {
  RedirectMemory memory(2, kPlenty);
  EXPECT_EQ(memory.find(asked("http://a/")), nullptr);
  memory.remember(asked("http://a/"), {url("http://x/1")});
  memory.remember(asked("http://a/"), {url("http://x/2"), true});
  EXPECT_EQ(memory.find(asked("http://a/"))->url.text(), "http://x/2");
  EXPECT_TRUE(memory.find(asked("http://a/"))->from_public);
  memory.forget(asked("http://a/"));
  EXPECT_EQ(memory.find(asked("http://a/")), nullptr);
}

// S-SEC-1
TEST(RedirectMemory, TellsOneProfileFromAnother) {
  RedirectMemory memory(3, kPlenty);
  memory.remember(asked("http://a/", "p"), {url("http://x/p")});
  EXPECT_EQ(memory.find(asked("http://a/")), nullptr);
  EXPECT_EQ(memory.find(asked("http://a/", "q")), nullptr);
  memory.remember(asked("http://a/"), {url("http://x/")});
  memory.expire(asked("http://a/"));
  EXPECT_FALSE(memory.expired(asked("http://a/", "p")));
  memory.forget(asked("http://a/"));
  EXPECT_EQ(memory.find(asked("http://a/", "p"))->url.text(), "http://x/p");
}

TEST(RedirectMemory, AnExpiredTargetIsNoTargetUntilAnotherWorks) {
  RedirectMemory memory(2, kPlenty);
  memory.expire(asked("http://a/1"));
  EXPECT_FALSE(memory.expired(asked("http://a/1"))) << "there was none";
  memory.remember(asked("http://a/1"), {url("http://b/1")});
  memory.expire(asked("http://a/1"));
  EXPECT_EQ(memory.find(asked("http://a/1")), nullptr);
  EXPECT_TRUE(memory.expired(asked("http://a/1")));
  memory.remember(asked("http://a/1"), {url("http://b/2")});
  EXPECT_FALSE(memory.expired(asked("http://a/1")));
  EXPECT_EQ(memory.find(asked("http://a/1"))->url, url("http://b/2"));
}

TEST(RedirectMemory, ForgetsTheOldestWhenFull) {
  RedirectMemory memory(2, kPlenty);
  for (const char* from : {"http://a/", "http://b/", "http://c/"})
    memory.remember(asked(from), {url("http://x/")});
  EXPECT_EQ(memory.find(asked("http://a/")), nullptr);
  EXPECT_NE(memory.find(asked("http://b/")), nullptr);
  EXPECT_NE(memory.find(asked("http://c/")), nullptr);
}

// S-MEM-1: a target may be as long as the head that names it.
TEST(RedirectMemory, LongTargetsLeaveSooner) {
  RedirectMemory memory(1000, 100'000);
  const std::string long_path(30'000, 'x');
  for (const char* from : {"http://a/", "http://b/", "http://c/", "http://d/"})
    memory.remember(asked(from), {url("http://x/" + long_path)});
  EXPECT_EQ(memory.find(asked("http://a/")), nullptr);
  EXPECT_NE(memory.find(asked("http://b/")), nullptr);
  memory.remember(asked("http://c/"), {url("http://x/")});
  memory.remember(asked("http://e/"), {url("http://x/" + long_path)});
  EXPECT_NE(memory.find(asked("http://b/")), nullptr) << "what a shorter target frees is free";
  memory.remember(asked("http://f/"), {url("http://x/" + std::string(200'000, 'x'))});
  EXPECT_EQ(memory.find(asked("http://f/")), nullptr) << "longer than all may be";
}

TEST(RedirectMemory, AForgottenPlaceIsFree) {
  RedirectMemory memory(2, kPlenty);
  memory.remember(asked("http://a/"), {url("http://x/")});
  memory.forget(asked("http://a/"));
  memory.remember(asked("http://a/"), {url("http://x/")});
  memory.remember(asked("http://b/"), {url("http://x/")});
  EXPECT_NE(memory.find(asked("http://a/")), nullptr);
  EXPECT_NE(memory.find(asked("http://b/")), nullptr);
}

}  // namespace
}  // namespace skimfs::fetch
