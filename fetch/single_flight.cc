// SPDX-License-Identifier: MIT
//
// See single_flight.h.
#include "fetch/single_flight.h"

#include <utility>

namespace skimfs::fetch {

bool SingleFlight::lead(const std::string& question, Age age) {
  const auto [flight, first] = waiting_.try_emplace(question);
  if (!first) flight->second.push_back(age);
  return first;
}

std::vector<SingleFlight::Age> SingleFlight::end(const std::string& question) {
  const auto flight = waiting_.extract(question);
  return flight ? std::move(flight.mapped()) : std::vector<Age>();
}

void SingleFlight::leave(const std::string& question, Age age) {
  const auto flight = waiting_.find(question);
  if (flight != waiting_.end()) std::erase(flight->second, age);
}

}  // namespace skimfs::fetch
