// SPDX-License-Identifier: MIT
#include "fs/xattr.h"

#include <gtest/gtest.h>

namespace skimfs::fs {
namespace {

manifest::Content content() {
  manifest::Content content;
  content.parts.push_back(
      {0, 10, {"https://h.example/a?sig=secret", "https://m.example/a?sig=secret"}, 0, 10, "\"e\"", ""});
  content.digests = {"sha256:00ff"};
  content.mime_type = "text/plain";
  return content;
}

TEST(Xattr, ListsWhatACopyMayKeep) {
  EXPECT_EQ(xattr_names(content()),
            (std::vector<std::string>{"user.xdg.origin.url", "user.mime_type",
                                      "user.checksum.sha256"}));
}

TEST(Xattr, NeverShowsAQuery) {
  const auto from = content();
  const XattrSource source{.content = from, .mirror = from.parts[0].urls[1]};
  EXPECT_EQ(xattr(source, "user.xdg.origin.url"), "https://h.example/a");
  EXPECT_EQ(xattr(source, "user.skimfs.url"), "https://h.example/a\nhttps://m.example/a");
  EXPECT_EQ(xattr(source, "user.skimfs.mirror"), "https://m.example/a");
}

TEST(Xattr, AnswersByNameWhatItDoesNotList) {
  const auto from = content();
  const XattrSource source{.content = from,
                           .version = {10, "\"e\"", std::nullopt},
                           .cached = 4096,
                           .size = 10,
                           .error = "server failed",
                           .verified = Integrity::State::partial};
  EXPECT_EQ(xattr(source, "user.skimfs.etag"), "\"e\"");
  EXPECT_EQ(xattr(source, "user.skimfs.cached"), "4096");
  EXPECT_EQ(xattr(source, "user.skimfs.error"), "server failed");
  EXPECT_EQ(xattr(source, "user.skimfs.verified"), "partial");
  EXPECT_EQ(xattr(source, "user.checksum.sha256"), "00ff");
}

TEST(Xattr, AnUnknownNameIsNoDataAndAForeignOneUnsupported) {
  const auto from = content();
  const XattrSource source{from};
  EXPECT_EQ(xattr(source, "user.skimfs.mirror").error(), std::errc::no_message_available);
  EXPECT_EQ(xattr(source, "user.other").error(), std::errc::no_message_available);
  EXPECT_EQ(xattr(source, "security.capability").error(), std::errc::operation_not_supported);
}

}  // namespace
}  // namespace skimfs::fs
