// SPDX-License-Identifier: MIT
//
// CLI11 fed from the option table.  For the files of commands; no header needs it.
#pragma once

#include <CLI/App.hpp>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "fs/options.h"
#include "tools/words.h"

namespace skimfs::tools {

// An option's name as the command line has it: "idle-timeout".
std::string with_dashes(std::string_view name);

// One command's words.
class CommandLine : public CLI::App {
 public:
  CommandLine();

  // Throws UsageError, and fs::OptionError for an unknown --word.
  void take(Words words);
};

// -o and the long form of every option of the table, as words of one command.
class OptionWords {
 public:
  // `app` must not outlive this.
  explicit OptionWords(CLI::App& app);
  OptionWords(const OptionWords&) = delete;
  OptionWords& operator=(const OptionWords&) = delete;

  // After parse(): takes over what was given; a long form wins over -o.  Throws fs::OptionError.
  void apply_to(fs::Options& options) const;

 private:
  struct LongForm {
    const fs::Option* option;
    std::string value;
    CLI::Option* given;
  };

  std::vector<std::string> lists_;
  std::deque<LongForm> long_forms_;  // a deque: CLI11 keeps references into it
};

}  // namespace skimfs::tools
