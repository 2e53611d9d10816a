// SPDX-License-Identifier: MIT
//
// skimfs-fault-proxy: the fault proxy as a program; README.md beside this says how to use it.
//
// Standard output: the base URL, then a line of JSON for each connection that has ended.
// Ends when its standard input does, or by a signal.
#include <fmt/format.h>
#include <poll.h>

#include <cstdio>
#include <iostream>
#include <set>
#include <stdexcept>
#include <string>

#include "tests/support/arguments.h"
#include "tests/support/behaviour_text.h"

namespace skimfs::test {
namespace {

constexpr const char* kUsage =
    "usage: skimfs-fault-proxy --to PORT [--port N] [--fault SWITCH=VALUE,... | "
    "--random SEED:PERCENT]\n"
    "switches:\n";

void configure(FaultProxy& proxy, const Arguments& arguments) {
  if (const std::string text = arguments.last("--fault", ""); !text.empty()) {
    const auto [fault, spell] = parse_fault(text);
    proxy.fault(fault, spell.times, spell.after);
  }
  if (const std::string text = arguments.last("--random", ""); !text.empty()) {
    const auto [seed, percent] = split(text, ':');
    proxy.plan(RandomFaults(whole_number(seed), std::stod(percent) / 100));
  }
}

void serve(FaultProxy& proxy) {
  std::set<std::uint64_t> printed;
  for (bool open = true; open;) {
    pollfd input{0, POLLIN, 0};
    char byte;
    if (::poll(&input, 1, 200) > 0 && std::fread(&byte, 1, 1, stdin) == 0) open = false;
    for (const ProxyRecord& record : proxy.connections()) {
      if ((record.open && open) || !printed.insert(record.connection).second) continue;
      std::cout << fmt::format(R"({{"connection":{},"exchanges":{},"faulty":{},"to_server":{},)"
                               R"("to_client":{}}})",
                               record.connection, record.exchanges, record.faulty, record.to_server,
                               record.to_client)
                << std::endl;
    }
  }
}

}  // namespace
}  // namespace skimfs::test

int main(int argc, char** argv) {
  using namespace skimfs::test;
  try {
    const Arguments arguments(argc, argv, {"--to", "--port", "--fault", "--random"});
    FaultProxy proxy(static_cast<std::uint16_t>(whole_number(arguments.last("--to", ""))),
                     static_cast<std::uint16_t>(whole_number(arguments.last("--port", "0"))));
    configure(proxy, arguments);
    std::cout << proxy.base() << std::endl;
    serve(proxy);
  } catch (const std::exception& wrong) {
    std::cerr << "skimfs-fault-proxy: " << wrong.what() << "\n" << kUsage << fault_switches();
    return 2;
  }
}
