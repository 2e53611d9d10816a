// SPDX-License-Identifier: MIT
//
// See single_flight.h.
#include "fetch/single_flight.h"

#include <utility>

namespace skimfs::fetch {

bool SingleFlight::lead(const std::string& question, Age age) {
  Flight& flight = flights_.try_emplace(question, Flight{age, {}}).first->second;
  if (flight.leader == age) return true;
  flight.waiting.push_back(age);
  return false;
}

std::vector<SingleFlight::Age> SingleFlight::leave(const std::string& question, Age age) {
  const auto flight = flights_.find(question);
  if (flight == flights_.end()) return {};
  if (flight->second.leader == age) return std::move(flights_.extract(flight).mapped().waiting);
  std::erase(flight->second.waiting, age);
  return {};
}

}  // namespace skimfs::fetch
