// SPDX-License-Identifier: MIT
//
// The fault matrix: what can go wrong between a program and a server, and what the program sees.
//
// The numbers are for good; SEMANTICS.md's sentences and the README's figures refer to them.
// Rows that a test of its own shows better (a kill, a stop) are not in this table but beside it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/support/behaviour_text.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/hostile_origin.h"
#include "tests/support/sockets.h"

namespace skimfs::test {

// Where one file of one row is served, faulty, until it is healed.
struct Stage {
  explicit Stage(std::uint64_t size) { origin.add("/f", size); }

  HostileOrigin origin;
  std::optional<HostileOrigin> other;  // a second place: where a redirect leads
  std::optional<FaultProxy> proxy;     // in front of `origin`
  Descriptor listener;                 // of nobody who accepts
  std::vector<Descriptor> queued;      // in its queue
};

struct Row {
  std::string number, name;
  Behaviour behaviour{};
  // Puts the fault on the stage, where a behaviour of "/f" does not say it, and returns the URL.
  std::function<std::string(Stage&, const Spell&)> put{};

  // What a reader's first error may be if the fault lasts; 0: none.  With a size that the manifest
  // states, or that the server told before it went wrong.
  std::set<int> outcome;
  // The same for a file of unknown size whose first request meets the fault; empty: as `outcome`.
  std::set<int> at_probe{};
  // The log has a line of one of these events, where the reader saw an error.
  std::set<std::string> events{};
  // If only one request meets the fault no reader sees it.
  bool passes = true;
  std::uint64_t size = 150'007;  // no multiple of anything
  // Once its servers are well the file is readable.
  bool heals = true;
  // An answer that came before is what the fault contradicts.
  bool needs_pin = false;
};

// Whether a reader of a lasting fault waits for a deadline, or for several tries.
bool keeps_waiting(const Row& row);

std::vector<Row> all_rows();

}  // namespace skimfs::test
