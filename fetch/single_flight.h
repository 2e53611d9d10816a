// SPDX-License-Identifier: MIT
//
// Of many orders with one question, one asks; the others wait for what it hears.
//
// Pure; the lane's thread only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace skimfs::fetch {

class SingleFlight {
 public:
  using Age = std::uint64_t;

  // True: `age` asks, since nobody else does.  False: it waits until leave() names it.
  bool lead(const std::string& question, Age age);
  // `age` asks, or waits, no longer.  If it asked: all that waited, in the order they came.
  std::vector<Age> leave(const std::string& question, Age age);

 private:
  struct Flight {
    Age leader;
    std::vector<Age> waiting;
  };
  std::map<std::string, Flight> flights_;  // by question
};

}  // namespace skimfs::fetch
