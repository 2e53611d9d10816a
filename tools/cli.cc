// SPDX-License-Identifier: MIT
//
// The words after "skimfs".
#include "tools/cli.h"

#include <algorithm>
#include <string_view>

#include "tools/command_line.h"

namespace skimfs::tools {
namespace {

constexpr std::size_t kColumns = 80;

// Appends `text` broken at spaces; the first line of `page` stands at column `indent` already.
void append_wrapped(std::string& page, std::string_view text, std::size_t indent) {
  std::size_t column = indent;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (column != indent && column + 1 + word.size() > kColumns) {
      page += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column != indent) {
      page += ' ';
      ++column;
    }
    page += word;
    column += word.size();
  }
  page += '\n';
}

std::string heading_of(const fs::Option& option) {
  std::string heading = "  --" + with_dashes(option.name);
  if (!option.form.empty()) heading += "=" + std::string(option.form);
  return heading;
}

void append_option(std::string& page, const fs::Option& option) {
  constexpr std::size_t kIndent = 27;
  const std::string heading = heading_of(option);
  page += heading;
  if (heading.size() + 2 > kIndent) {
    page += "\n" + std::string(kIndent, ' ');
  } else {
    page += std::string(kIndent - heading.size(), ' ');
  }
  append_wrapped(page, std::string(option.help) + " [" + option.standard + "]", kIndent);
}

constexpr std::string_view kHelpHead =
    R"(Usage: skimfs SOURCE DIR [-f] [-o OPTION[,OPTION]...] [--OPTION=VALUE]...
       skimfs umount [-z] DIR
       skimfs reload DIR
       skimfs status DIR [--json]
       skimfs manifest check FILE... [--json]
       skimfs manifest build FILE OUT

Mounts a manifest, a text file that names paths and URLs, as a read-only tree of
ordinary files.  Reads fetch just the bytes asked for and keep them in memory.

  skimfs genomes.skimfs /mnt/genomes
  skimfs -f urls.txt /mnt/set -o memory=64M,connections=16

Used most:
)";

constexpr std::string_view kHelpWords = R"(
Words:
  SOURCE                   the manifest: a path, or - for standard input with -f
  DIR                      an existing directory
  -f, --foreground         do not go to the background; log to standard error
  -o LIST                  options as in fstab: memory=64M,allow_other; a comma
                           in a value is \, and a backslash \\
  -v, --verbose            say what was mounted
  -z, --lazy               umount: out of sight now, gone with its last user
      --json               status, manifest check: for programs
  -h, --help               print this
  -V, --version            print the versions of skimfs, libfuse and libcurl
)";

constexpr std::string_view kHelpTail = R"(
Every option is also an -o option, with - or _ between its words.  Sizes take
K M G T (powers of 1024), times s min h d.  Exit codes are those of mount(8): 0
means mounted and answering.  More in skimfs(1), mount.skimfs(8) and
skimfs-manifest(5).
)";

}  // namespace

MountWords parse_mount(Words words) {
  MountWords result;
  CommandLine line;
  line.add_option("SOURCE", result.options.source);
  line.add_option("DIR", result.options.mountpoint);
  line.add_flag("-f,--foreground", result.options.foreground);
  line.add_flag("-v,--verbose", result.verbose);
  line.add_flag("-h,--help", result.help);
  line.add_flag("-V,--version", result.version);
  const OptionWords option_words(line);
  line.take(words);
  option_words.apply_to(result.options);
  return result;
}

std::string help_text() {
  std::string page(kHelpHead);
  for (const fs::Option& option : fs::option_table()) {
    if (option.often) append_option(page, option);
  }
  page += kHelpWords;
  std::string_view group;
  for (const fs::Option& option : fs::option_table()) {
    if (option.group != group) page += "\n" + std::string(option.group) + ":\n";
    group = option.group;
    if (!option.often) append_option(page, option);
  }
  page += kHelpTail;
  return page;
}

}  // namespace skimfs::tools
