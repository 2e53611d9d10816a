// SPDX-License-Identifier: MIT
//
// Command lines of the test tools: "--name VALUE", each as often as one likes.
//
// Everything throws std::invalid_argument with one line.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skimfs::test {

class Arguments {
 public:
  Arguments(int argc, char** argv, std::initializer_list<std::string_view> known);

  std::vector<std::string> all(std::string_view name) const;
  std::string last(std::string_view name, std::string otherwise) const;

 private:
  std::vector<std::pair<std::string, std::string>> given_;
};

// Before and after the first `at`.
std::pair<std::string, std::string> split(const std::string& text, char at);
std::uint64_t whole_number(const std::string& text);

}  // namespace skimfs::test
