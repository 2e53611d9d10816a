// SPDX-License-Identifier: MIT
//
// skimfs manifest.
#include "tools/cmd_manifest.h"

#include <iostream>

#include "fs/load_manifest.h"
#include "tools/command_line.h"
#include "tools/exit_code.h"
#include "tools/manifest_cmd.h"
#include "tools/page.h"

namespace skimfs::tools {
namespace {

constexpr std::string_view kHelp =
    R"(Usage: skimfs manifest check FILE... [--json] [-o OPTION[,OPTION]...]
       skimfs manifest build FILE OUT [-o OPTION[,OPTION]...]

check reads each manifest as a mount would, without network, and tells all that
is wrong.  build compiles one to OUT, which mounts at once whatever its size.
Options that say how a manifest is read: format base strip names on_error.
)";

int check(Words words) {
  ManifestCheck check;
  bool help = false;
  CommandLine line;
  line.add_option("FILE", check.files);
  line.add_flag("--json", check.json);
  line.add_flag("-h,--help", help);
  const OptionWords option_words(line);
  line.take(words);
  if (help) return print(kHelp);
  if (check.files.empty()) throw UsageError("manifest check: wanted FILE, found nothing");
  fs::Options options;
  option_words.apply_to(options);
  check.read = fs::read_options(options);
  return manifest_check(check, std::cout, std::cerr);
}

int build(Words words) {
  ManifestBuild build;
  bool help = false;
  CommandLine line;
  line.add_option("FILE", build.from);
  line.add_option("OUT", build.to);
  line.add_flag("-h,--help", help);
  const OptionWords option_words(line);
  line.take(words);
  if (help) return print(kHelp);
  if (build.to.empty()) throw UsageError("manifest build: wanted FILE and OUT");
  fs::Options options;
  option_words.apply_to(options);
  build.read = fs::read_options(options);
  return manifest_build(build, std::cout, std::cerr);
}

}  // namespace

int manifest_command(Words words) {
  if (words.empty()) throw UsageError("manifest: wanted check or build, found nothing");
  if (words[0] == "--help" || words[0] == "-h") return print(kHelp);
  if (words[0] == "check") return check(words.subspan(1));
  if (words[0] == "build") return build(words.subspan(1));
  throw UsageError("manifest: unknown word \"" + words[0] + "\"");
}

}  // namespace skimfs::tools
