// SPDX-License-Identifier: MIT
//
//   bench_relay SERVER-PORT RTT-MS [CONNECTION-MBIT [TOTAL-MBIT [FIRST-WINDOW]]]
//
// Prints the port where the server is found at that distance, and relays until it is killed.
// FIRST-WINDOW: bytes in flight on a new connection; 0, as for the rates: no limit.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <system_error>

#include "tests/bench/relay.h"

namespace {

[[noreturn]] void usage() {
  std::fputs(
      "usage: bench_relay SERVER-PORT RTT-MS [CONNECTION-MBIT [TOTAL-MBIT "
      "[FIRST-WINDOW]]]\n",
      stderr);
  std::exit(2);
}

unsigned number(int argc, char** argv, int at) {
  if (at >= argc) return 0;
  const std::string_view text = argv[at];
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) usage();
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr double kMbit = 1e6 / 8;
  if (argc < 3 || argc > 6) usage();
  const unsigned server = number(argc, argv, 1);
  if (server > 65535) usage();
  skimfs::bench::PathLimits limits;
  limits.delay = std::chrono::microseconds(number(argc, argv, 2)) * 500;
  limits.connection_rate = number(argc, argv, 3) * kMbit;
  limits.total_rate = number(argc, argv, 4) * kMbit;
  limits.first_window = number(argc, argv, 5);
  try {
    skimfs::bench::Relay relay(static_cast<std::uint16_t>(server), limits);
    std::printf("%u\n", unsigned{relay.port()});
    std::fflush(stdout);
    relay.run();
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "bench_relay: %s\n", error.what());
    return 1;
  }
}
