// SPDX-License-Identifier: MIT
//
// Where redirects may lead, and what is remembered of them.
#include "fetch/redirect.h"

#include <gtest/gtest.h>

#include "fetch/error.h"

namespace skimfs::fetch {
namespace {

Url url(const std::string& text) { return Url::parse(text).value(); }

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

TEST(RedirectMemory, RemembersTheLastTarget) {
  RedirectMemory memory(2);
  EXPECT_EQ(memory.find(url("http://a/")), nullptr);
  memory.remember(url("http://a/"), url("http://x/1"));
  memory.remember(url("http://a/"), url("http://x/2"));
  EXPECT_EQ(memory.find(url("http://a/"))->text(), "http://x/2");
  memory.forget(url("http://a/"));
  EXPECT_EQ(memory.find(url("http://a/")), nullptr);
}

TEST(RedirectMemory, AnExpiredTargetIsNoTargetUntilAnotherWorks) {
  RedirectMemory memory(2);
  const Url from = url("http://a/1");
  memory.expire(from);
  EXPECT_FALSE(memory.expired(from)) << "there was none";
  memory.remember(from, url("http://b/1"));
  memory.expire(from);
  EXPECT_EQ(memory.find(from), nullptr);
  EXPECT_TRUE(memory.expired(from));
  memory.remember(from, url("http://b/2"));
  EXPECT_FALSE(memory.expired(from));
  EXPECT_EQ(*memory.find(from), url("http://b/2"));
}

TEST(RedirectMemory, ForgetsTheOldestWhenFull) {
  RedirectMemory memory(2);
  for (const char* from : {"http://a/", "http://b/", "http://c/"})
    memory.remember(url(from), url("http://x/"));
  EXPECT_EQ(memory.find(url("http://a/")), nullptr);
  EXPECT_NE(memory.find(url("http://b/")), nullptr);
  EXPECT_NE(memory.find(url("http://c/")), nullptr);
}

TEST(RedirectMemory, AForgottenPlaceIsFree) {
  RedirectMemory memory(2);
  memory.remember(url("http://a/"), url("http://x/"));
  memory.forget(url("http://a/"));
  memory.remember(url("http://a/"), url("http://x/"));
  memory.remember(url("http://b/"), url("http://x/"));
  EXPECT_NE(memory.find(url("http://a/")), nullptr);
  EXPECT_NE(memory.find(url("http://b/")), nullptr);
}

}  // namespace
}  // namespace skimfs::fetch
