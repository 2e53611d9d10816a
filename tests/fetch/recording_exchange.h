// SPDX-License-Identifier: MIT
//
// An exchange that remembers what it was told, and fails the test where that breaks the contract of
// transport.h.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fetch/transport.h"

namespace skimfs::test {

struct RecordingExchange final : fetch::Exchange {
  void connected(bool over_used, bool is_public) override {
    public_peer = is_public;
    EXPECT_FALSE(sent) << "connected() twice";
    sent = true;
    reused = over_used;
  }
  void lost() override {
    EXPECT_TRUE(sent == reused);  // neither, of one that waited for its turn
    EXPECT_EQ(status, 0);
    EXPECT_FALSE(ended);
    EXPECT_EQ(losses++, 0u) << "lost() twice";
    sent = reused = false;
  }
  bool head(const fetch::ResponseHead& head) override {
    EXPECT_EQ(status, 0) << "head() twice";
    status = head.status;
    for (const auto& [name, value] : head.fields) fields.emplace_back(name, value);
    return !stop_at_head;
  }
  std::span<std::byte> space() override {
    EXPECT_NE(status, 0) << "space() before head()";
    return std::span(room).first(room_size);
  }
  bool body(std::span<const std::byte> bytes) override {
    EXPECT_NE(status, 0) << "body() before head()";
    if (bytes.data() == room.data()) in_place += bytes.size();
    EXPECT_FALSE(ended);
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return text.size() < stop_at;
  }
  void end(const fetch::ExchangeEnd& end) override {
    EXPECT_FALSE(ended) << "end() twice";
    ended = true;
    fault = end.fault;
    detail = end.detail;
  }
  std::string field(std::string_view name) const {
    for (const auto& [key, value] : fields)
      if (fetch::same_word(key, name)) return value;
    return {};
  }

  std::array<std::byte, 100> room;
  std::size_t room_size = 0;
  std::size_t in_place = 0;  // bytes received there
  bool stop_at_head = false;
  std::size_t stop_at = SIZE_MAX;
  bool sent = false, reused = false, ended = false, public_peer = false;
  int status = 0;
  unsigned losses = 0;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string text;
  fetch::Fault fault = fetch::Fault::none;
  std::string detail;
};

}  // namespace skimfs::test
