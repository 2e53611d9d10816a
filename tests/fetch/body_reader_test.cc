// SPDX-License-Identifier: MIT
//
// Which bytes of a connection are a body, told beside a model that knows it of every byte.
#include "fetch/body_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skimfs::test {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

using fetch::BodyReader;
using fetch::Fault;
using fetch::HeaderField;
using fetch::ResponseHead;

using Fields = std::vector<HeaderField>;

constexpr std::uint64_t kUntilClose = INT64_MAX;
const Fields kChunked = {{"Transfer-Encoding", "chunked"}};

// What has come of a connection's bytes.
struct Reading {
  std::string body;
  std::string rest;  // not of this response
};

// All that next() gives of `bytes`.
Reading feed(BodyReader& reader, std::string_view bytes) {
  Reading reading;
  auto left = std::as_bytes(std::span(bytes));
  for (;;) {
    const std::uint64_t sure = std::min<std::uint64_t>(reader.sure(), left.size());
    const std::byte* const front = left.data();
    const auto run = reader.next(left);
    if (run.empty()) break;
    if (sure > 0) {
      EXPECT_EQ(run.size(), sure);
      EXPECT_EQ(run.data(), front);
    }
    reading.body.append(reinterpret_cast<const char*>(run.data()), run.size());
  }
  reading.rest.assign(reinterpret_cast<const char*>(left.data()), left.size());
  return reading;
}

BodyReader reader_of(const Fields& fields, int status = 206, bool head_only = false) {
  BodyReader reader;
  reader.begin({status, fields}, head_only);
  return reader;
}

void refused(const Fields& fields, Fault fault) {
  BodyReader reader = reader_of(fields);
  const Reading reading = feed(reader, "5\r\nabcde\r\n0\r\n\r\n");
  EXPECT_EQ(reader.fault(), fault);
  EXPECT_EQ(reader.ended(), fault);
  EXPECT_EQ(reader.sure(), 0u);
  EXPECT_FALSE(reader.complete());
  EXPECT_EQ(reading.body, "");
}

// ------------------------------------------------------------ what frames it (section 6.3)

// S-HTTP-7
TEST(BodyReader, ALengthEndsABody) {
  BodyReader reader = reader_of({{"content-length", "5"}});
  EXPECT_EQ(reader.sure(), 5u);
  EXPECT_EQ(reader.ended(), Fault::short_body);
  const Reading reading = feed(reader, "abcdeHTTP/1.1 200");
  EXPECT_EQ(reading.body, "abcde");
  EXPECT_EQ(reading.rest, "HTTP/1.1 200");
  EXPECT_TRUE(reader.complete());
  EXPECT_EQ(reader.sure(), 0u);
}

TEST(BodyReader, AnEmptyBodyIsCompleteAtOnce) {
  BodyReader reader = reader_of({{"Content-Length", "0"}});
  EXPECT_TRUE(reader.complete());
  EXPECT_EQ(reader.ended(), Fault::none);
  EXPECT_EQ(feed(reader, "abc").rest, "abc");
}

TEST(BodyReader, WithoutALengthTheConnectionsEndIsTheBodys) {
  BodyReader reader = reader_of({});
  EXPECT_EQ(reader.sure(), kUntilClose);
  EXPECT_EQ(reader.ended(), Fault::none);
  EXPECT_EQ(feed(reader, "HTTP/1.1 200\r\n\r\n").body, "HTTP/1.1 200\r\n\r\n");
  EXPECT_EQ(reader.sure(), kUntilClose);
  EXPECT_FALSE(reader.complete());
  EXPECT_EQ(reader.ended(), Fault::none);
}

TEST(BodyReader, SomeResponsesHaveNoBodyWhateverTheirFieldsSay) {
  const std::vector<Fields> heads = {
      {}, {{"Content-Length", "5"}}, kChunked, {{"Content-Length", "five"}}};
  for (const Fields& fields : heads) {
    for (BodyReader reader : {reader_of(fields, 200, true), reader_of(fields, 204),
                              reader_of(fields, 304), reader_of(fields, 103)}) {
      EXPECT_TRUE(reader.complete());
      EXPECT_EQ(reader.sure(), 0u);
      EXPECT_EQ(feed(reader, "abcde").rest, "abcde");
      EXPECT_EQ(reader.ended(), Fault::none);
    }
  }
  EXPECT_FALSE(reader_of({{"Content-Length", "5"}}, 205).complete());
}

TEST(BodyReader, TheSameLengthTwiceIsOne) {
  BodyReader reader = reader_of({{"Content-Length", "5"}, {"content-length", "05"}});
  EXPECT_EQ(reader.sure(), 5u);
}

TEST(BodyReader, ALengthThatCannotBeIsNone) {
  for (const char* length : {"", "-1", "+5", "0x5", "5 5", "5,5", "5, 6", "5;", "5.0", "five",
                             "9223372036854775808", "99999999999999999999999"})
    refused({{"Content-Length", length}}, Fault::bad_length);
  refused({{"Content-Length", "5"}, {"Content-Length", "6"}}, Fault::bad_length);
  refused({{"Content-Length", "5"}, {"Content-Length", ""}}, Fault::bad_length);
  EXPECT_EQ(reader_of({{"Content-Length", "9223372036854775807"}}).sure(), kUntilClose);
}

TEST(BodyReader, ChunksCountForMoreThanALength) {
  BodyReader reader = reader_of({{"Content-Length", "3"}, {"Transfer-Encoding", "chunked"}});
  EXPECT_EQ(reader.sure(), 0u);
  const Reading reading = feed(reader, "5\r\nabcde\r\n0\r\n\r\n!");
  EXPECT_EQ(reading.body, "abcde");
  EXPECT_EQ(reading.rest, "!");
}

TEST(BodyReader, OnlyChunkedIsUnderstoodAndOnlyOnce) {
  for (const char* coding : {"CHUNKED", "chunked ,", ", chunked", "\tchunked"})
    EXPECT_EQ(reader_of({{"Transfer-Encoding", coding}}).fault(), Fault::none) << coding;
  for (const char* coding : {"gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "", ",",
                             "chunked;q=1", "\vchunked", "\"chunked\"", "chunked\r", "xchunked",
                             "chunked, identity", "identity, chunked", "x=\"a,chunked\""})
    refused({{"Transfer-Encoding", coding}}, Fault::protocol);
  refused({{"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}, Fault::protocol);
  refused({{"Transfer-Encoding", "gzip"}, {"Content-Length", "5"}}, Fault::protocol);
}

TEST(BodyReader, IdentityIsNoCoding) {
  EXPECT_EQ(reader_of({{"Transfer-Encoding", "identity"}, {"Content-Length", "5"}}).sure(), 5u);
  EXPECT_EQ(reader_of({{"Transfer-Encoding", "Identity"}}).sure(), kUntilClose);
}

TEST(BodyReader, ABodyBeginsAfresh) {
  BodyReader reader = reader_of(kChunked);
  feed(reader, "what?\r\n");
  ASSERT_EQ(reader.fault(), Fault::protocol);
  const Fields length = {{"Content-Length", "2"}};
  reader.begin({200, length}, false);
  EXPECT_EQ(reader.fault(), Fault::none);
  EXPECT_EQ(feed(reader, "abc").body, "ab");
  EXPECT_TRUE(reader.complete());
}

// ------------------------------------------------------------ chunks (section 7.1)

TEST(BodyReader, ChunksAreTakenApart) {
  for (const char* wire : {
           "5\r\nabcde\r\n0\r\n\r\n",           //
           "5\nabcde\n0\n\n",                   // section 2.2
           "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",  //
           "00000000000000000000005\r\nabcde\r\n000\r\n\r\n",
           "5;a=b;c=\"d e\"\r\nabcde\r\n0;last\r\n\r\n",  // section 7.1.1
           "5 \t; a = b\r\nabcde\r\n0 \r\n\r\n",          //
           "5\r\nabcde\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n",   // section 7.1.2
       }) {
    BodyReader reader = reader_of(kChunked);
    const Reading reading = feed(reader, wire + "HTTP/1.1"s);
    EXPECT_EQ(reading.body, "abcde") << wire;
    EXPECT_EQ(reading.rest, "HTTP/1.1") << wire;
    EXPECT_TRUE(reader.complete()) << wire;
    EXPECT_EQ(reader.ended(), Fault::none) << wire;
  }
}

TEST(BodyReader, AChunksSizeIsHexadecimal) {
  for (const auto& [line, size] : std::vector<std::pair<std::string, std::uint64_t>>{
           {"a", 10}, {"Ff", 255}, {"1000", 4096}, {"7fffffffffffffff", kUntilClose}}) {
    BodyReader reader = reader_of(kChunked);
    feed(reader, line + "\r\n");
    EXPECT_EQ(reader.sure(), size) << line;
  }
}

// Fails, and gives no more of the body than `body`.
void breaks(const std::string& wire, const std::string& body, Fault fault = Fault::protocol) {
  BodyReader reader = reader_of(kChunked);
  const Reading reading = feed(reader, wire);
  const std::string shown = wire.substr(0, 60);
  EXPECT_EQ(reading.body, body) << shown;
  EXPECT_EQ(reader.fault(), fault) << shown;
  EXPECT_EQ(reader.ended(), fault) << shown;
  EXPECT_EQ(reader.sure(), 0u) << shown;
  EXPECT_FALSE(reader.complete()) << shown;
  EXPECT_EQ(feed(reader, "1\r\na\r\n0\r\n\r\n").body, "") << shown;
}

TEST(BodyReader, ASizeThatCannotBeIsNone) {
  for (const std::string line :
       {"", " 5", "-5", "+5", "0x5", "5h", "5 5", "g", "5,", "\"5\"", "8000000000000000",
        "10000000000000000", "fffffffffffffffffffff", "5\r", "5;a\rb", "5;a\r"})
    breaks(line + "\r\nabcde\r\n0\r\n\r\n", "");
  breaks("5;\0\r\nabcde\r\n0\r\n\r\n"s, "");
}

TEST(BodyReader, AChunkEndsWhereItsSizeSays) {
  breaks("5\r\nabcdef", "abcde");  // at once, not at the end of a line
  breaks("5\r\nabcde\rf", "abcde");
  breaks("5\r\nabcde\r\r\n", "abcde");
  breaks("5\r\nabcde0\r\n\r\n", "abcde");
}

TEST(BodyReader, ATrailerIsOfFields) {
  const std::string chunk = "1\r\na\r\n0\r\n";
  for (const std::string line : {"HTTP/1.1 200 OK", "HTTP/1.1:", "nothing", ": x", "a b: c",
                                 "a : b", " folded: x", "a\t: b", "a: b\rc", "\r"})
    breaks(chunk + line + "\r\n\r\n", "a");
  breaks(chunk + "a: \0\r\n\r\n"s, "a");
}

TEST(BodyReader, LinesAreBounded) {
  const std::string most = "5;" + std::string(4094, 'x');
  BodyReader reader = reader_of(kChunked);
  EXPECT_EQ(feed(reader, most + "\nabcde").body, "abcde");
  breaks(most + "x", "");
}

TEST(BodyReader, ATrailerIsBounded) {
  const std::string chunk = "1\r\na\r\n0\r\n";
  const std::string most = "a:" + std::string(65534, 'x');
  BodyReader reader = reader_of(kChunked);
  feed(reader, chunk + most + "\n\n");
  EXPECT_TRUE(reader.complete());
  breaks(chunk + most + "x", "a", Fault::header_limit);
  std::string lines;
  for (int i = 0; i < 32 * 1024; ++i) lines += "a:\n";
  breaks(chunk + lines + "b", "a", Fault::header_limit);
}

TEST(BodyReader, ExtensionsDoNotOutweighTheBodyForEver) {
  const std::string chunk = "1;" + std::string(1054, 'x') + "\na\n";  // 1024 bytes beyond 32
  std::string wire;
  for (int i = 0; i < 64; ++i) wire += chunk;
  BodyReader reader = reader_of(kChunked);
  EXPECT_EQ(feed(reader, wire).body, std::string(64, 'a'));
  EXPECT_EQ(reader.fault(), Fault::none);
  breaks(wire + chunk, std::string(64, 'a'), Fault::header_limit);

  BodyReader short_lines = reader_of(kChunked);
  wire.clear();
  for (int i = 0; i < 10000; ++i) wire += "1;" + std::string(30, 'x') + "\na\n";
  EXPECT_EQ(feed(short_lines, wire).body.size(), 10000u);
  EXPECT_EQ(short_lines.fault(), Fault::none);
}

// ------------------------------------------------------------ the connection (section 9.3)

bool stays_open(const Fields& fields, unsigned minor) {
  return fetch::is_persistent({206, fields}, minor);
}

TEST(IsPersistent, HTTP11StaysOpenUnlessItSaysOtherwise) {
  EXPECT_TRUE(stays_open({}, 1));
  EXPECT_TRUE(stays_open({}, 2));
  EXPECT_TRUE(stays_open({{"Connection", "closed, Upgrade"}}, 1));
  for (const char* options :
       {"close", "Close", "keep-alive, close", "upgrade ,\tclose ,", ",close"})
    EXPECT_FALSE(stays_open({{"connection", options}}, 1)) << options;
  EXPECT_FALSE(stays_open({{"Connection", "keep-alive"}, {"Connection", "close"}}, 1));
}

TEST(IsPersistent, HTTP10StaysOpenOnlyIfItSaysSo) {
  EXPECT_FALSE(stays_open({}, 0));
  EXPECT_FALSE(stays_open({{"Connection", "keep-alive, close"}}, 0));
  EXPECT_FALSE(stays_open({{"Keep-Alive", "timeout=5"}}, 0));
  EXPECT_TRUE(stays_open({{"Connection", "Keep-Alive"}}, 0));
}

// Sections 6.1 and 6.3.
TEST(IsPersistent, FramingThatSomebodyMayReadOtherwiseEndsTheConnection) {
  EXPECT_TRUE(stays_open(kChunked, 1));
  EXPECT_FALSE(stays_open({{"Transfer-Encoding", "chunked"}, {"Content-Length", "5"}}, 1));
  EXPECT_FALSE(stays_open({{"content-length", "5"}, {"transfer-encoding", "identity"}}, 1));
  EXPECT_FALSE(stays_open({{"Transfer-Encoding", "chunked"}, {"Connection", "keep-alive"}}, 0));
}

// ------------------------------------------------------------ any body, in any pieces

// The bytes of a connection, and which of them are the body's.
struct Wire {
  Fields fields{};
  std::string bytes{};
  std::vector<bool> of_body{};
  std::size_t end = 0;  // of the response
  bool until_close = false;

  void add(std::string_view text, bool body = false) {
    bytes += text;
    of_body.insert(of_body.end(), text.size(), body);
  }
  // The body's bytes among the first `count`.
  std::string body(std::size_t count) const {
    std::string found;
    for (std::size_t i = 0; i < count; ++i)
      if (of_body[i]) found += bytes[i];
    return found;
  }
};

class AnyBody : public testing::TestWithParam<unsigned> {
 protected:
  std::size_t pick(std::size_t from, std::size_t to) {
    return std::uniform_int_distribution<std::size_t>(from, to)(random_);
  }

  // Much of it looks like framing.
  std::string content(std::size_t size) {
    constexpr std::string_view kBytes = "0123456789abcdef\r\n\r\n; :HTTP/\0"sv;
    std::string text;
    while (text.size() < size) text += kBytes[pick(0, kBytes.size() - 1)];
    return text;
  }

  std::string line_end() { return pick(0, 3) == 0 ? "\n" : "\r\n"; }

  std::string chunk_line(std::size_t size) {
    constexpr const char* kExtensions[] = {"", "", ";a", " ", " ; a=b", ";a=\"0; 5\"", "\t;;;"};
    char digits[32];
    std::snprintf(digits, sizeof digits, pick(0, 1) == 0 ? "%zx" : "%04zX", size);
    return digits + std::string(kExtensions[pick(0, 6)]) + line_end();
  }

  Wire chunked() {
    Wire wire{.fields = kChunked};
    for (std::size_t left = pick(0, 300); left > 0;) {
      const std::size_t size = pick(1, std::min<std::size_t>(left, 40));
      wire.add(chunk_line(size));
      wire.add(content(size), true);
      wire.add(line_end());
      left -= size;
    }
    wire.add(chunk_line(0));
    for (std::size_t lines = pick(0, 2); lines > 0; --lines)
      wire.add("X-Sum:" + std::string(pick(0, 9), '0') + line_end());
    wire.add(line_end());
    return wire;
  }

  Wire with_length() {
    const std::string body = content(pick(0, 300));
    length_ = std::to_string(body.size());
    Wire wire{.fields = {{"Content-Length", length_}}};
    wire.add(body, true);
    return wire;
  }

  Wire any() {
    const std::size_t kind = pick(0, 3);
    Wire wire = kind == 0 ? with_length() : kind == 1 ? Wire{.until_close = true} : chunked();
    if (wire.until_close) wire.add(content(pick(0, 300)), true);
    wire.end = wire.bytes.size();
    if (!wire.until_close) wire.add(content(pick(0, 30)));
    return wire;
  }

  std::mt19937 random_{GetParam()};
  std::string length_;
};

// No byte but the body's is promised.
void expect_true_promise(const BodyReader& reader, const Wire& wire, std::size_t at) {
  if (wire.until_close) return;
  ASSERT_LE(reader.sure(), wire.end - std::min(at, wire.end));
  for (std::size_t i = at; i < at + reader.sure(); ++i) ASSERT_TRUE(wire.of_body[i]) << i;
}

TEST_P(AnyBody, IsGivenExactlyInWhateverPieces) {
  for (int round = 0; round < 50; ++round) {
    const Wire wire = any();
    BodyReader reader = reader_of(wire.fields);
    std::string body;
    std::size_t at = 0, longest = pick(1, 60);
    while (at < wire.bytes.size()) {
      const std::size_t size = std::min(pick(1, longest), wire.bytes.size() - at);
      const Reading reading = feed(reader, std::string_view(wire.bytes).substr(at, size));
      at += size - reading.rest.size();
      body += reading.body;
      expect_true_promise(reader, wire, at);
      if (!reading.rest.empty()) break;
    }
    ASSERT_EQ(body, wire.body(wire.end)) << "seed " << GetParam() << " round " << round;
    ASSERT_EQ(at, wire.end) << "seed " << GetParam() << " round " << round;
    ASSERT_EQ(reader.fault(), Fault::none);
    ASSERT_EQ(reader.complete(), !wire.until_close);
  }
}

TEST_P(AnyBody, IsShortWhereverTheConnectionEndsBeforeIt) {
  const Wire wire = any();
  for (std::size_t cut = 0; cut <= wire.end; ++cut) {
    BodyReader reader = reader_of(wire.fields);
    ASSERT_EQ(feed(reader, std::string_view(wire.bytes).substr(0, cut)).body, wire.body(cut));
    const bool whole = wire.until_close || cut == wire.end;
    ASSERT_EQ(reader.ended(), whole ? Fault::none : Fault::short_body)
        << "seed " << GetParam() << " cut " << cut;
    ASSERT_EQ(reader.complete(), !wire.until_close && cut == wire.end);
    expect_true_promise(reader, wire, cut);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, AnyBody, testing::Range(1u, 41u));

}  // namespace
}  // namespace skimfs::test
