// SPDX-License-Identifier: MIT
#include "tools/command_line.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <utility>

#include "fs/option_list.h"

namespace skimfs::tools {
namespace {

// "--idle-timeout,--idle_timeout"
std::string long_forms(const fs::Option& option) {
  const std::string dashed = "--" + with_dashes(option.name);
  const std::string plain = "--" + std::string(option.name);
  return dashed == plain ? plain : dashed + "," + plain;
}

[[noreturn]] void refuse_extra(const std::string& word) {
  if (!word.starts_with("--")) throw UsageError("unexpected word \"" + word + "\"");
  throw fs::OptionError(fs::unknown_option(word.substr(2, word.find('=') - 2)));
}

}  // namespace

std::string with_dashes(std::string_view name) {
  std::string result(name);
  std::replace(result.begin(), result.end(), '_', '-');
  return result;
}

CommandLine::CommandLine() {
  set_help_flag();  // without CLI11's own help
  allow_extras();   // refused in take(), with a suggestion
}

void CommandLine::take(Words words) {
  // CLI11 takes words from the back.
  std::vector<std::string> reversed(words.rbegin(), words.rend());
  try {
    parse(std::move(reversed));
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string_view text = error.what();  // "--memory: 1 required TEXT missing"
    throw UsageError(std::string(text.substr(0, text.find(':'))) + " needs a value");
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }
  std::vector<std::string> extra = remaining();
  std::erase(extra, "--");  // CLI11 counts the mark of "only operands from here" as one
  if (!extra.empty()) refuse_extra(extra.front());
}

OptionWords::OptionWords(CLI::App& app) {
  app.add_option("-o", lists_)->allow_extra_args(false);
  for (const fs::Option& option : fs::option_table()) {
    LongForm& form = long_forms_.emplace_back(LongForm{&option, {}, nullptr});
    form.given = option.value == fs::Option::Value::required
                     ? app.add_option(long_forms(option), form.value)
                     : app.add_flag(long_forms(option), form.value);
    form.given->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
}

void OptionWords::apply_to(fs::Options& options) const {
  for (const std::string& list : lists_) fs::apply_option_list(list, options);
  for (const LongForm& form : long_forms_) {
    if (form.given->count() != 0) fs::set_option(options, form.option->name, form.value);
  }
}

}  // namespace skimfs::tools
