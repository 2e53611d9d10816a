// SPDX-License-Identifier: MIT
#include "tests/faults/figures.h"

namespace skimfs::test {
namespace {

std::string line(const std::string& name, const std::string& value) {
  return "| " + name + " | " + value + " |\n";
}

std::string line(const std::string& name, std::uint64_t value) {
  return line(name, std::to_string(value));
}

std::string line(const std::string& name, const Longest& longest) {
  return line(name, std::to_string(longest.most().count()) + " ms");
}

}  // namespace

std::string Figures::table() const {
  return line("what", "figure") + line("---", "---:") +
         line("rows of the fault matrix, and variants of them",
              std::to_string(rows) + ", " + std::to_string(variants)) +
         line(
             "files read: variants × lasting and passing × how the size is known × buffered, "
             "direct, mmap",
             cases) +
         line("reads checked byte for byte", reads) + line("wrong bytes in", wrong) +
         line("short reads", brief) + line("daemons that died", deaths) +
         line("readers that outlived SIGKILL", unkillable) +
         line("longest from SIGKILL to gone", killed) +
         line("longest that a request waited (`timeout=5`)", oldest) +
         line("longest stop, every server silent, readers blocked", stop) +
         line("upstream swaps, of which readers saw bytes",
              std::to_string(swaps) + ", " + std::to_string(swaps_read)) +
         line("handles that saw two versions", mixes);
}

Figures& figures() noexcept {
  static Figures the_figures;
  return the_figures;
}

}  // namespace skimfs::test
