// SPDX-License-Identifier: MIT
//
// S-MEM-1: what a server's long answer took is not kept for the connection's next one.
#include <gtest/gtest.h>

#include <span>
#include <string>
#include <string_view>

#include "fetch/body_reader.h"
#include "fetch/head_reader.h"
#include "tests/fetch/failing_memory.h"

namespace skimfs::fetch {
namespace {

using test::Memory;

constexpr long kFew = 16 * 1024;  // bytes

class GivenBack : public ::testing::Test {
 protected:
  long more() const noexcept { return Memory::held - before_; }

 private:
  const long before_ = Memory::held;
};

TEST_F(GivenBack, IsWhatAHeadOfLongLinesTook) {
  HeadReader reader;
  reader.take("HTTP/1.1 200 OK\r\n");
  reader.take("a: " + std::string(60'000, 'x') + "\r\n");
  EXPECT_GT(more(), 50'000);
  reader.reset();
  EXPECT_LT(more(), kFew);
}

TEST_F(GivenBack, IsWhatAHeadOfManyFieldsTook) {
  HeadReader reader;
  reader.take("HTTP/1.1 200 OK\r\n");
  for (int i = 0; i < 999; ++i) reader.take("a:\r\n");
  EXPECT_EQ(reader.take("\r\n"), HeadReader::Line::final_head);
  EXPECT_EQ(reader.head().fields.size(), 999u);
  EXPECT_GT(more(), 50'000);
  reader.reset();
  EXPECT_LT(more(), kFew);
}

TEST_F(GivenBack, IsWhatATrailerTook) {
  BodyReader reader;
  const std::vector<HeaderField> fields{{"Transfer-Encoding", "chunked"}};
  const ResponseHead head{200, fields};
  reader.begin(head, false);
  const auto take = [&](std::string_view text) {
    std::span<const std::byte> bytes = std::as_bytes(std::span(text));
    EXPECT_TRUE(reader.next(bytes).empty());
  };
  take("0\r\na: ");
  for (int i = 0; i < 1000; ++i)
    take("sixty bytes of a trailer that a server does not come to end.");
  EXPECT_EQ(reader.fault(), Fault::none);
  EXPECT_GT(more(), 50'000);
  reader.reset();
  EXPECT_LT(more(), kFew);
}

}  // namespace
}  // namespace skimfs::fetch
