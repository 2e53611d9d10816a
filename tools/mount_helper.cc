// SPDX-License-Identifier: MIT
//
// The words mount(8) gives to mount.skimfs.
#include "tools/mount_helper.h"

#include "fs/option_list.h"

namespace skimfs::tools {
namespace {

// Short options with and without an argument, as getopt(3) would take them: "-sfo list", "-olist".
struct Letters {
  MountWords& result;
  std::vector<std::string>& lists;

  // Returns whether `letter` takes an argument; the flags are set at once.
  bool take(char letter) const {
    switch (letter) {
      case 's':
        result.options.sloppy = true;
        return false;
      case 'f':
        result.check_only = true;
        return false;
      case 'v':
        result.verbose = true;
        return false;
      case 'h':
        result.help = true;
        return false;
      case 'V':
        result.version = true;
        return false;
      case 'n':
        return false;  // no mtab is written anyway
      case 'o':
      case 'N':
      case 't':
        return true;
      default:
        throw UsageError(std::string("unknown option -") + letter);
    }
  }

  void take(char letter, const std::string& argument) const {
    if (letter == 'o') lists.push_back(argument);
    if (letter == 'N') result.mount_namespace = argument;
    // -t: the type that led mount(8) here.
  }
};

std::string without_old_prefix(const std::string& source) {
  constexpr std::string_view kPrefix = "skimfs#";
  return source.starts_with(kPrefix) ? source.substr(kPrefix.size()) : source;
}

void check_source(const std::string& source) {
  if (source.find("://") != std::string::npos || source.starts_with('/')) return;
  throw fs::OptionError("source \"" + source +
                        "\" is relative; mount(8) and fstab need an absolute path");
}

}  // namespace

bool is_mount_helper(std::string_view program) noexcept {
  const std::string_view name = program.substr(program.rfind('/') + 1);
  return name == "mount.skimfs" || name == "mount.fuse.skimfs";
}

MountWords parse_mount_helper(Words words) {
  MountWords result;
  std::vector<std::string> operands, lists;
  const Letters letters{result, lists};
  bool options_end = false;
  for (std::size_t at = 0; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (options_end || word.size() < 2 || word[0] != '-') {
      operands.push_back(word);
      continue;
    }
    if (word == "--") {
      options_end = true;
      continue;
    }
    for (std::size_t letter = 1; letter < word.size(); ++letter) {
      if (!letters.take(word[letter])) continue;
      const bool attached = letter + 1 < word.size();
      if (!attached && at + 1 == words.size()) {
        throw UsageError(std::string("-") + word[letter] + " needs an argument");
      }
      letters.take(word[letter], attached ? word.substr(letter + 1) : words[++at]);
      break;
    }
  }
  if (result.help || result.version) return result;
  if (operands.size() != 2) {
    throw UsageError("wanted SOURCE and DIR, found " + std::to_string(operands.size()) +
                     " operands");
  }
  result.options.source = without_old_prefix(operands[0]);
  result.options.mountpoint = operands[1];
  check_source(result.options.source);
  // Only now: -s may stand behind -o.
  for (const std::string& list : lists) {
    for (std::string& warning : fs::apply_option_list(list, result.options)) {
      result.warnings.push_back(std::move(warning));
    }
  }
  return result;
}

}  // namespace skimfs::tools
