// SPDX-License-Identifier: MIT
#include "tests/support/arguments.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace skimfs::test {

Arguments::Arguments(int argc, char** argv, std::initializer_list<std::string_view> known) {
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw std::invalid_argument("unknown option \"" + name + "\"");
    if (i + 1 == argc) throw std::invalid_argument(name + " needs a value");
    given_.emplace_back(name, argv[i + 1]);
  }
}

std::vector<std::string> Arguments::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [given, value] : given_) {
    if (given == name) values.push_back(value);
  }
  return values;
}

std::string Arguments::last(std::string_view name, std::string otherwise) const {
  auto values = all(name);
  return values.empty() ? std::move(otherwise) : std::move(values.back());
}

std::pair<std::string, std::string> split(const std::string& text, char at) {
  const auto place = text.find(at);
  if (place == text.npos)
    throw std::invalid_argument("\"" + text + "\" has no \"" + std::string(1, at) + "\"");
  return {text.substr(0, place), text.substr(place + 1)};
}

std::uint64_t whole_number(const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    throw std::invalid_argument("\"" + text + "\" is no number");
  return value;
}

}  // namespace skimfs::test
