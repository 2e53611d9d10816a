// SPDX-License-Identifier: MIT
//
// Where a head begins and ends, and what is none.
#include "fetch/head_reader.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace skimfs::test {
namespace {

using namespace std::string_view_literals;

using fetch::Fault;
using fetch::HeadReader;
using Line = HeadReader::Line;

// What the last of the lines leads to; the ones before it must be taken.
Line take(HeadReader& reader, std::initializer_list<std::string_view> lines) {
  reader.reset();
  Line last = Line::more;
  for (const std::string_view line : lines) {
    EXPECT_EQ(last, Line::more) << "before " << line;
    last = reader.take(line);
  }
  return last;
}

class HeadReaderTest : public testing::Test {
 protected:
  void refused(std::initializer_list<std::string_view> lines) {
    EXPECT_EQ(take(reader, lines), Line::stop) << *(lines.end() - 1);
    EXPECT_EQ(reader.fault(), Fault::protocol);
    EXPECT_FALSE(reader.complete());
  }

  HeadReader reader;
};

TEST_F(HeadReaderTest, AHeadEndsWithAnEmptyLine) {
  for (const std::string_view end : {"\r\n", "\n"}) {
    ASSERT_EQ(take(reader, {"HTTP/1.1 206 Partial\r\n", "ETag:  \"v1\" \r\n", end}),
              Line::final_head);
    const auto head = reader.head();
    EXPECT_EQ(head.status, 206);
    ASSERT_EQ(head.fields.size(), 1u);
    EXPECT_EQ(head.fields[0].name, "ETag");
    EXPECT_EQ(head.fields[0].value, "\"v1\"");
  }
}

TEST_F(HeadReaderTest, InterimResponsesAreNotTheAnswer) {
  ASSERT_EQ(take(reader, {"HTTP/1.1 103 Early Hints\r\n", "Link: </a>\r\n", "\r\n",
                          "HTTP/1.1 200 OK\r\n", "\r\n"}),
            Line::final_head);
  EXPECT_EQ(reader.head().status, 200);
  EXPECT_TRUE(reader.head().fields.empty());
}

// What follows it is no HTTP/1.1 any more.
TEST_F(HeadReaderTest, NobodyAskedForAnotherProtocol) {
  refused({"HTTP/1.1 101 Switching Protocols\r\n"});
}

TEST(HeadReader, KnowsByTheFirstBytesWhatIsNoHttp) {
  HeadReader reader;
  for (const char* words : {"", "H", "HTTP/1.", "HTTP/1.1 20"})
    EXPECT_TRUE(reader.may_go_on(words)) << words;
  for (const char* words : {"\x15\x03", "h", "HTTP/2", "SSH-2.0"})
    EXPECT_FALSE(reader.may_go_on(words)) << words;
  reader.take("HTTP/1.1 206 Partial\r\n");
  EXPECT_TRUE(reader.may_go_on("ET"));
  reader.reset();
  EXPECT_FALSE(reader.may_go_on("ET"));
}

// S-HTTP-6
TEST_F(HeadReaderTest, AStatusLineStandsFirstAndOnlyThere) {
  refused({"http/1.1: x\r\n"});
  refused({"Content-Range: bytes 0-9/10\r\n"});
  refused({"\r\n"});
  refused({"HTTP/1.1 206 Partial\r\n", "HTTP/1.1 100 x: y\r\n"});
  refused({"HTTP/1.1 206 Partial\r\n", "ETag: \"v1\"\r\n", "HTTP/1.1 206 Partial\r\n"});
  refused({"HTTP/1.1 100 Continue\r\n", "\r\n", "ETag: \"v1\"\r\n"});
}

// Blanks do not end a head; what came after them would be hidden.
TEST_F(HeadReaderTest, ALineOfBlanksIsRefused) {
  refused({"HTTP/1.1 206 Partial\r\n", " \r\n"});
  refused({"HTTP/1.1 206 Partial\r\n", "\t\n"});
  refused({"HTTP/1.1 206 Partial\r\n", "\r\r\n"});
}

// RFC 9112 section 4.
TEST_F(HeadReaderTest, AStatusLineHasOneForm) {
  for (const std::string_view line :
       {"HTTP/1.1 206\r\n", "HTTP/1.1 206 \r\n", "HTTP/1.1 206\n", "HTTP/1.1 206  a:\tb\xff\r\n"}) {
    EXPECT_EQ(take(reader, {line, "\r\n"}), Line::final_head) << line;
    EXPECT_EQ(reader.head().status, 206) << line;
  }
  for (const std::string_view line : {"HTTP/1.1 20\r\n",
                                      "HTTP/1.1 2060\r\n",
                                      "HTTP/1.1 206x\r\n",
                                      "HTTP/1.1  206\r\n",
                                      "HTTP/1.1 \r\n",
                                      "HTTP/1.1\r\n",
                                      "HTTP/1.1\t206\r\n",
                                      "HTTP/1.1 206\t\r\n",
                                      "HTTP/1.1 -06\r\n",
                                      "HTTP/1.1 2 6\r\n",
                                      "HTTP/1.1 099\r\n",
                                      "HTTP/1.1 000\r\n",
                                      "HTTP/2 206 OK\r\n",
                                      "HTTP/2.0 206\r\n",
                                      "HTTP/1.11 206\r\n",
                                      "HTTP/1. 206\r\n",
                                      "HTTP/1 206\r\n",
                                      "HTTP/11 206\r\n",
                                      "HTTP/1.x 206\r\n",
                                      "http/1.1 206\r\n",
                                      " HTTP/1.1 206\r\n",
                                      "ICY 200 OK\r\n",
                                      "\n",
                                      "HTTP/1.1 206\r\r\n",
                                      "HTTP/1.1 206 a\rb\r\n"})
    refused({line});
  refused({"HTTP/1.1 206 a\0\r\n"sv});
  refused({"HTTP/1.1 \0\0\0\r\n"sv});
}

TEST_F(HeadReaderTest, TheMinorVersionIsThatOfTheAnswer) {
  take(reader, {"HTTP/1.1 100\r\n", "\r\n", "HTTP/1.0 206 Partial\r\n", "\r\n"});
  EXPECT_EQ(reader.minor(), 0u);
  take(reader, {"HTTP/1.9 206 Partial\r\n", "\r\n"});
  EXPECT_EQ(reader.minor(), 9u);
  reader.reset();
  EXPECT_EQ(reader.minor(), 0u);
}

// RFC 9112 section 5.1: whoever drops the blank, or stops at it, reads another field.
TEST_F(HeadReaderTest, AFieldHasANameOfVisibleBytes) {
  for (const std::string_view line :
       {": 5\r\n", "Content-Length\r\n", "Content-Length : 5\r\n", "Content-Length\t: 5\r\n",
        "Content Length: 5\r\n", " Content-Length: 5\r\n", "\tContent-Length: 5\r\n",
        "Content-Length\v: 5\r\n", "Content\x01: 5\r\n", "Content\x7f: 5\r\n", "HTTP/1.1: 5\r\n",
        "\rContent-Length: 5\r\n"})
    refused({"HTTP/1.1 206\r\n", line});
  refused({"HTTP/1.1 206\r\n", "Content\0: 5\r\n"sv});
  ASSERT_EQ(take(reader, {"HTTP/1.1 206\r\n", "x[\xfc]/y:z\r\n", "\r\n"}), Line::final_head);
  EXPECT_EQ(reader.head().fields[0].name, "x[\xfc]/y");
}

// RFC 9110 section 5.5.
TEST_F(HeadReaderTest, AValueHasNeitherNulNorCr) {
  refused({"HTTP/1.1 206\r\n", "ETag: a\0b\r\n"sv});
  refused({"HTTP/1.1 206\r\n", "ETag: a\0\r\n"sv});
  refused({"HTTP/1.1 206\r\n", "ETag: a\rContent-Length: 5\r\n"});
  refused({"HTTP/1.1 206\r\n", "ETag: a\r\r\n"});
  refused({"HTTP/1.1 206\r\n", "ETag: a\nContent-Length: 5\r\n"});
  ASSERT_EQ(take(reader, {"HTTP/1.1 206\r\n", "A:\r\n", "B: \t x\ty:z \t\r\n", "C: \t\n", "\n"}),
            Line::final_head);
  const auto head = reader.head();
  ASSERT_EQ(head.fields.size(), 3u);
  EXPECT_EQ(head.fields[0].value, "");
  EXPECT_EQ(head.fields[1].value, "x\ty:z");
  EXPECT_EQ(head.fields[2].value, "");
}

TEST_F(HeadReaderTest, ALineHasItsEnd) {
  refused({""});
  refused({"HTTP/1.1 206"});
  refused({"HTTP/1.1 206\r\n", "ETag: a"});
  refused({"HTTP/1.1 206\r\n", "\r"});
}

TEST_F(HeadReaderTest, AHeadIsBounded) {
  const std::string line = "a:" + std::string(64 * 1024 - 16, 'x') + "\n";  // with "HTTP/1.1 206\n"
  EXPECT_EQ(take(reader, {"HTTP/1.1 206\n", line}), Line::more);
  EXPECT_EQ(reader.take("\n"), Line::stop);
  EXPECT_EQ(reader.fault(), Fault::header_limit);

  take(reader, {"HTTP/1.1 206\n"});
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(reader.take("a:\n"), Line::more) << i;
  EXPECT_EQ(reader.take("a:\n"), Line::stop);
  EXPECT_EQ(reader.fault(), Fault::header_limit);

  reader.reset();
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(reader.take("HTTP/1.1 100\n"), Line::more) << i;
    ASSERT_EQ(reader.take("\n"), Line::more) << i;
  }
  ASSERT_EQ(reader.take("HTTP/1.1 100\n"), Line::more);
  EXPECT_EQ(reader.take("\n"), Line::stop);
  EXPECT_EQ(reader.fault(), Fault::header_limit);

  EXPECT_EQ(take(reader, {"HTTP/1.1 206\n", "\n"}), Line::final_head);
}

}  // namespace
}  // namespace skimfs::test
