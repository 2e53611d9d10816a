// SPDX-License-Identifier: MIT
//
// skimfs-hostile-origin: the hostile origin as a program; README.md beside this says how to use it.
//
// Standard output: the base URL, then a line of JSON for each request that has been answered.
// Ends when its standard input does, or by a signal.
#include <fmt/format.h>
#include <poll.h>

#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/arguments.h"
#include "tests/support/behaviour_text.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

constexpr const char* kUsage =
    "usage: skimfs-hostile-origin [--port N] --file /PATH:SIZE...\n"
    "                             [--behave /PATH:SWITCH=VALUE,...]...\n"
    "                             [--change /PATH:REQUESTS[:SIZE]]... [--faults SEED:PERCENT]\n"
    "switches:\n";

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\') {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string json_of(const RequestRecord& request) {
  std::string headers;
  for (const auto& [name, value] : request.headers) {
    headers += (headers.empty() ? "" : ",") + json_text(name) + ":" + json_text(value);
  }
  return fmt::format(R"({{"connection":{},"method":{},"target":{},"status":{},"body_sent":{},)"
                     R"("headers":{{{}}}}})",
                     request.connection, json_text(request.method), json_text(request.target),
                     request.status, request.body_sent, headers);
}

// What a server does once in a while.
std::vector<Behaviour> usual_faults() {
  return {{.stop_after = 3000, .ending = Ending::reset},
          {.stop_after = 100, .ending = Ending::close_unsaid},
          {.status = 500},
          {.status = 503},
          {.ranges = Ranges::shifted},
          {.content_range = ContentRange::missing},
          {.encoding = "gzip"}};
}

void configure(HostileOrigin& origin, const Arguments& arguments) {
  for (const std::string& file : arguments.all("--file")) {
    const auto [path, size] = split(file, ':');
    origin.add(path, whole_number(size));
  }
  for (const std::string& line : arguments.all("--behave")) {
    const auto [path, text] = split(line, ':');
    const auto [behaviour, spell] = parse_behaviour(text);
    origin.behave(path, behaviour, spell.times, spell.after);
  }
  for (const std::string& line : arguments.all("--change")) {
    const auto [path, rest] = split(line, ':');
    const bool sized = rest.find(':') != rest.npos;
    const auto [requests, size] = sized ? split(rest, ':') : std::pair(rest, std::string());
    origin.change_after(path, static_cast<unsigned>(whole_number(requests)),
                        sized ? std::optional(whole_number(size)) : std::nullopt);
  }
  if (const std::string faults = arguments.last("--faults", ""); !faults.empty()) {
    const auto [seed, percent] = split(faults, ':');
    origin.misbehave(whole_number(seed), std::stod(percent) / 100, usual_faults());
  }
}

// Prints what is answered, until standard input ends.
void serve(HostileOrigin& origin) {
  std::size_t printed = 0;
  for (bool open = true; open;) {
    pollfd input{0, POLLIN, 0};
    char byte;
    if (::poll(&input, 1, 0) > 0 && std::fread(&byte, 1, 1, stdin) == 0) open = false;
    const auto more = [&] {
      const auto requests = origin.requests();
      return requests.size() > printed && requests[printed].done;
    };
    if (!origin.await(more, std::chrono::milliseconds(200))) continue;
    const auto requests = origin.requests();
    for (; printed < requests.size() && requests[printed].done; ++printed) {
      std::cout << json_of(requests[printed]) << std::endl;
    }
    if (printed < requests.size()) continue;
    origin.forget_requests();
    printed = 0;
  }
}

}  // namespace
}  // namespace skimfs::test

int main(int argc, char** argv) {
  using namespace skimfs::test;
  try {
    const Arguments arguments(argc, argv, {"--port", "--file", "--behave", "--change", "--faults"});
    HostileOrigin origin(static_cast<std::uint16_t>(whole_number(arguments.last("--port", "0"))));
    configure(origin, arguments);
    std::cout << origin.base() << std::endl;
    serve(origin);
  } catch (const std::exception& wrong) {
    std::cerr << "skimfs-hostile-origin: " << wrong.what() << "\n"
              << kUsage << behaviour_switches();
    return 2;
  }
}
