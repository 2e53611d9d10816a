// SPDX-License-Identifier: MIT
//
// A man page of this tree: just enough of groff_man(7).
#include "tests/man/page.h"

#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace skimfs::test {
namespace {

// The word of a font request: ".BR memory ," reads "memory,"; quotes hold blanks together.
std::string join_arguments(const std::string& arguments) {
  std::string text;
  bool quoted = false;
  for (const char byte : arguments) {
    if (byte == '"') {
      quoted = !quoted;
    } else if (byte != ' ' || quoted) {
      text += byte;
    }
  }
  return text;
}

std::string without_fonts(const std::string& line) {
  static const std::regex alternating(R"(^\.(BR|RB|BI|IB|IR|RI) (.*))"), plain(R"(^\.[BI] (.*))");
  std::smatch found;
  if (std::regex_match(line, found, alternating)) return join_arguments(found[2]);
  if (std::regex_match(line, found, plain)) {
    return std::regex_replace(found[1].str(), std::regex("\""), "");
  }
  return line;
}

std::string without_escapes(std::string text) {
  const std::pair<const char*, const char*> escapes[] = {
      {R"(\\\n)", ""},     {R"(\\f[BIRP])", ""}, {R"(\\c)", ""},
      {R"(\\-)", "-"},     {R"(\\~)", " "},      {R"(\\\(aq)", "'"},
      {R"(\\\(dq)", "\""}, {R"(\\\(ha)", "^"},   {R"(\\e)", "\x01"}};
  for (const auto& [escape, plain] : escapes) {
    text = std::regex_replace(text, std::regex(escape), plain);
  }
  return std::regex_replace(text, std::regex("\x01"), "\\");
}

}  // namespace

std::string page_text(const std::string& name) {
  std::ifstream file(SKIMFS_MAN_DIR "/" + name);
  if (!file) throw std::runtime_error("no man page " + name);
  std::stringstream raw;
  raw << file.rdbuf();
  std::istringstream lines(without_escapes(raw.str()));
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(".\\\"")) text += without_fonts(line) + "\n";
  }
  return text;
}

std::set<std::string> long_options_in(std::string_view text) {
  static const std::regex option(R"(--[a-z][a-z-]*)");
  const std::string owned(text);
  std::set<std::string> found;
  for (std::sregex_iterator at(owned.begin(), owned.end(), option), end; at != end; ++at) {
    found.insert(at->str());
  }
  return found;
}

std::vector<std::string> example_lines(std::string_view page) {
  std::istringstream lines{std::string(page)};
  std::vector<std::string> examples;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line == ".EX" || line == ".EE") {
      inside = line == ".EX";
    } else if (inside) {
      examples.push_back(line);
    }
  }
  return examples;
}

std::vector<std::string> shell_words(std::string_view line) {
  std::vector<std::string> words(1);
  bool quoted = false;
  for (const char byte : line) {
    if (byte == '\'') {
      quoted = !quoted;
    } else if (byte == ' ' && !quoted) {
      words.emplace_back();
    } else {
      words.back() += byte;
    }
  }
  std::erase(words, "");
  return words;
}

}  // namespace skimfs::test
