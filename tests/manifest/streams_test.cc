// SPDX-License-Identifier: MIT
//
// Lines out of a stream that comes in any pieces.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "fs/manifest/line_reader.h"
#include "fs/manifest/tokens.h"

namespace skimfs::fs::manifest {
namespace {

struct Seen {
  std::string text;
  bool ended, had_cr, too_long;
  friend bool operator==(const Seen&, const Seen&) = default;
};

std::vector<Seen> lines_of(std::string_view text, std::size_t piece) {
  LineReader reader([&](std::span<char> into) {
    const std::size_t count = std::min({text.size(), into.size(), piece});
    std::copy_n(text.data(), count, into.data());
    text.remove_prefix(count);
    return count;
  });
  std::vector<Seen> seen;
  while (const Line* line = reader.next()) {
    EXPECT_EQ(line->number, seen.size() + 1);
    seen.push_back({std::string(line->text), line->ended, line->had_cr, line->too_long});
  }
  return seen;
}

TEST(LineReader, DropsTheLineFeedAndACarriageReturnBeforeIt) {
  EXPECT_EQ(lines_of("a\nb\r\n\nc\rd\n", 100), (std::vector<Seen>{{"a", true, false, false},
                                                                  {"b", true, true, false},
                                                                  {"", true, false, false},
                                                                  {"c\rd", true, false, false}}));
}

TEST(LineReader, SaysThatTheLastLineWasNotEnded) {
  EXPECT_EQ(lines_of("a\nb", 100),
            (std::vector<Seen>{{"a", true, false, false}, {"b", false, false, false}}));
}

TEST(LineReader, AnEmptyStreamHasNoLines) { EXPECT_TRUE(lines_of("", 1).empty()); }

TEST(LineReader, ALineOf64KiBIsWholeAndOneByteMoreIsTooLong) {
  const std::string fits(kMaxLine, 'a');
  const auto seen =
      lines_of(fits + "\r\n" + fits + "b\nnext\n" + fits + fits + fits + "\nlast", 5000);
  ASSERT_EQ(seen.size(), 5u);
  EXPECT_EQ(seen[0], (Seen{fits, true, true, false}));
  EXPECT_TRUE(seen[1].too_long);
  EXPECT_EQ(seen[2], (Seen{"next", true, false, false}));
  EXPECT_TRUE(seen[3].too_long);
  EXPECT_EQ(seen[4], (Seen{"last", false, false, false}));
}

TEST(LineReader, GivesTheSameLinesHoweverTheStreamIsCut) {
  std::mt19937 random(11);
  std::string text;
  for (int line = 0; line < 300; ++line) text += std::string(random() % 3000, 'x') + "\n";
  const auto whole = lines_of(text, text.size());
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, kMaxLine}) {
    EXPECT_EQ(lines_of(text, piece), whole) << piece;
  }
}

}  // namespace
}  // namespace skimfs::fs::manifest
