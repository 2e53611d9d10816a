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

  // True: nobody asks yet, and `age` does now.  False: it waits until end() names it.
  bool lead(const std::string& question, Age age);
  // Who asks is done: all that waited, in the order they came.
  std::vector<Age> end(const std::string& question);
  // `age` waits no longer.
  void leave(const std::string& question, Age age);

 private:
  std::map<std::string, std::vector<Age>> waiting_;  // behind those who ask
};

}  // namespace skimfs::fetch
