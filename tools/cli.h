// SPDX-License-Identifier: MIT
//
// The words after "skimfs": CLI11 fed from the option table.
#pragma once

#include <CLI/App.hpp>
#include <deque>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "fs/options.h"

namespace skimfs::tools {

using Words = std::span<const std::string>;

// A command line nobody can mean.  what(): one line.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

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

// What "skimfs mount" and mount.skimfs were asked to do.
struct MountWords {
  fs::Options options;
  std::vector<std::string> warnings;  // one line each
  bool help = false, version = false;
  bool verbose = false;
  bool check_only = false;      // read the manifest, mount nothing
  std::string mount_namespace;  // a file to enter first, see setns(2); empty: none
};

// "SOURCE DIR [-f] [-v] [-o LIST]... [--NAME=VALUE]...".  Source and mountpoint are as written.
// Throws UsageError, fs::OptionError.
MountWords parse_mount(Words words);

// Synopsis, two examples, the six options used most, all others by group: at most 80 columns.
std::string help_text();

}  // namespace skimfs::tools
