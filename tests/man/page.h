// SPDX-License-Identifier: MIT
//
// A man page of this tree, as far as its tests must understand it.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace skimfs::test {

// "skimfs.1": its plain text, with the requests (".TP", ".SH NAME") left in, each on its own line.
std::string page_text(const std::string& name);

// "--memory", "--read-ahead-kb" wherever they stand in a text.
std::set<std::string> long_options_in(std::string_view text);

// What stands between .EX and .EE, line by line.
std::vector<std::string> example_lines(std::string_view page);

// Words as a shell would split them; only what the pages use: blanks and single quotes.
std::vector<std::string> shell_words(std::string_view line);

}  // namespace skimfs::test
