// SPDX-License-Identifier: MIT
//
// Faults as words of a command line: "ranges=ignored,stop_after=5000,ending=reset,times=3".
//
// Names and values are those of behaviour.h and fault_proxy.h.  Pure.
#pragma once

#include <string>
#include <string_view>

#include "tests/support/behaviour.h"
#include "tests/support/fault_proxy.h"

namespace skimfs::test {

// For how many requests or exchanges, and after how many good ones.
struct Spell {
  unsigned times = ~0u;
  unsigned after = 0;
};

struct SpelledBehaviour {
  Behaviour behaviour;
  Spell spell;
};

struct SpelledFault {
  ProxyFault fault;
  Spell spell;
};

// Both throw std::invalid_argument with one line: what is wrong, what there is.
SpelledBehaviour parse_behaviour(std::string_view text);
SpelledFault parse_fault(std::string_view text);

// "name=a|b|c" for each switch, one a line.
std::string behaviour_switches();
std::string fault_switches();

}  // namespace skimfs::test
