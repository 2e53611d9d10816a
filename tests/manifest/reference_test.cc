// SPDX-License-Identifier: MIT
//
// URLs: resolved as RFC 3986 says, refused before a transfer could misread them.
#include "fs/manifest/reference.h"

#include <gtest/gtest.h>

#include <string>

namespace skimfs::fs::manifest {
namespace {

int fault(std::string_view reference, bool has_base = true) {
  try {
    check_reference(reference, has_base);
  } catch (const BadText& bad) {
    return static_cast<int>(bad.at);
  }
  return -1;
}

TEST(Reference, ResolvesTheExamplesOfRfc3986) {
  const std::string base = "http://a/b/c/d;p";
  const auto in = [&](std::string_view reference) { return resolve(base, reference); };
  // Section 5.4.1; "g:h" and references that need the base's query are refused before.
  EXPECT_EQ(in("g"), "http://a/b/c/g");
  EXPECT_EQ(in("./g"), "http://a/b/c/g");
  EXPECT_EQ(in("g/"), "http://a/b/c/g/");
  EXPECT_EQ(in("/g"), "http://a/g");
  EXPECT_EQ(in("//g"), "http://g/");
  EXPECT_EQ(in("?y"), "http://a/b/c/d;p?y");
  EXPECT_EQ(in("g?y"), "http://a/b/c/g?y");
  EXPECT_EQ(in("g#s"), "http://a/b/c/g");
  EXPECT_EQ(in(";x"), "http://a/b/c/;x");
  EXPECT_EQ(in("."), "http://a/b/c/");
  EXPECT_EQ(in("./"), "http://a/b/c/");
  EXPECT_EQ(in(".."), "http://a/b/");
  EXPECT_EQ(in("../g"), "http://a/b/g");
  EXPECT_EQ(in("../.."), "http://a/");
  EXPECT_EQ(in("../../g"), "http://a/g");
  // Section 5.4.2.
  EXPECT_EQ(in("../../../g"), "http://a/g");
  EXPECT_EQ(in("/./g"), "http://a/g");
  EXPECT_EQ(in("/../g"), "http://a/g");
  EXPECT_EQ(in("g."), "http://a/b/c/g.");
  EXPECT_EQ(in("..g"), "http://a/b/c/..g");
  EXPECT_EQ(in("./../g"), "http://a/b/g");
  EXPECT_EQ(in("g/./h"), "http://a/b/c/g/h");
  EXPECT_EQ(in("g/../h"), "http://a/b/c/h");
  EXPECT_EQ(in("g;x=1/../y"), "http://a/b/c/y");
  EXPECT_EQ(in("g?y/../x"), "http://a/b/c/g?y/../x");
}

TEST(Reference, AnAbsolutePathIsKeptAsWritten) {
  EXPECT_EQ(resolve("", "https://h/a/../b//c"), "https://h/a/../b//c");
}

TEST(Reference, SchemeAndHostBecomeLowerCase) {
  EXPECT_EQ(resolve("", "HTTPS://Cdn.Example.ORG:8443/A?B"), "https://cdn.example.org:8443/A?B");
  EXPECT_EQ(resolve("", "http://h"), "http://h/");
  EXPECT_EQ(resolve("", "http://h?q"), "http://h/?q");
}

TEST(Reference, AcceptsHttpAndHttpsOnly) {
  EXPECT_EQ(fault("http://h/"), -1);
  EXPECT_EQ(fault("https://h:8443/x?y=z"), -1);
  EXPECT_EQ(fault("http://[2001:db8::1]:80/"), -1);
  for (const char* text : {"ftp://h/x", "file:///etc/passwd", "gopher://h", "a:b", "javascript:x",
                           ":x", "http:x", "http:/x", "http:///x", "http://"}) {
    EXPECT_GE(fault(text), 0) << text;
  }
}

TEST(Reference, RefusesUserinfo) {
  EXPECT_EQ(fault("http://u:p@h/"), 7);
  EXPECT_EQ(fault("//u@h/x"), 2);
  EXPECT_EQ(fault("http://h/@x"), -1);
}

TEST(Reference, RefusesBrokenHostsAndPorts) {
  for (const char* text : {"http://h:0/", "http://h:65536/", "http://h:99999999999/", "http://h:/",
                           "http://h:8x/", "http://[::1/", "http://[::1]x/", "http://[x]/",
                           "http://[]/", "http://h%41/", "http://h,x/", "http://:80/"}) {
    EXPECT_GE(fault(text), 0) << text;
  }
}

TEST(Reference, RefusesBytesThatMustBeEncoded) {
  EXPECT_EQ(fault("a b"), 1);
  EXPECT_EQ(fault("a\tb"), 1);
  EXPECT_EQ(fault("http://h/\xc3\xa9"), 9);
  EXPECT_EQ(fault("a\\b"), 1);
  EXPECT_EQ(fault("a\x7f"), 1);
  EXPECT_EQ(fault("ab%4"), 2);
  EXPECT_EQ(fault("ab%zz"), 2);
  EXPECT_EQ(fault(""), 0);
  EXPECT_EQ(fault("#only-a-fragment"), 0);
}

TEST(Reference, NeedsABaseWhenItIsRelative) {
  EXPECT_EQ(fault("x", false), 0);
  EXPECT_EQ(fault("//h/x", false), 0);
  EXPECT_EQ(fault("http://h/x", false), -1);
}

TEST(Reference, ABaseHasNoQuery) {
  EXPECT_THROW(check_base("http://h/?x", false), BadText);
  EXPECT_NO_THROW(check_base("http://h/#x", false));
}

TEST(Reference, AppendsAPathPercentEncodedWithOneSlash) {
  EXPECT_EQ(append_path("https://h/set/", "/a b/c+d%e~.txt"), "https://h/set/a%20b/c%2Bd%25e~.txt");
  EXPECT_EQ(append_path("https://h/set", "/\xc3\xa9"), "https://h/set/%C3%A9");
}

TEST(Reference, PercentEncodingIsUndoneByDecoding) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
}

}  // namespace
}  // namespace skimfs::fs::manifest
