// SPDX-License-Identifier: MIT
//
// Lists of mount options, from fstab or anywhere.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fs/option_list.h"

namespace {

using namespace skimfs::fs;
using namespace std::chrono_literals;

void require(bool promise) {
  if (!promise) std::abort();
}

void check(const Options& options) {
  require(options.memory >= kLeastMemory);
  require(options.connections >= 1 && options.connections <= 4096);
  require(options.connections_per_host >= 1 && options.connections_per_host <= 4096);
  require(options.lanes >= 1 && options.lanes <= 8);
  require(options.timeout >= 1s && options.idle_timeout >= 1s && options.start_timeout >= 1s);
  require(options.revalidate >= 0s);
  require(((options.umask | options.fmask.value_or(0) | options.dmask.value_or(0)) & ~0777u) == 0);
  Options again;
  apply_option_list(options.kernel_options, again);
  require(again.kernel_options == options.kernel_options);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view list(reinterpret_cast<const char*>(data), size);
  for (const bool sloppy : {false, true}) {
    Options options;
    options.sloppy = sloppy;
    try {
      apply_option_list(list, options);
      check(options);
    } catch (const OptionError&) {
    }
  }
  return 0;
}
