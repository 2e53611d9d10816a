// SPDX-License-Identifier: MIT
//
// Again, and when?  Pure.
#pragma once

#include <chrono>
#include <optional>

#include "fetch/clock.h"
#include "fetch/error.h"
#include "fetch/transport.h"

namespace skimfs::fetch {

// One attempt that did not do.
struct Trouble {
  std::error_code error;  // what the order ends with if nothing helps
  const char* what = "";  // one word for the log
  enum class Kind {
    lasting,    // the same answer would come again
    violation,  // the response broke the rules: once more, on a fresh connection
    transient   // may pass
  } kind = Kind::lasting;
  bool connection_lost = false;  // the connection is to blame, not the server's answer
  bool reused = false;           // the connection had carried others before
  std::optional<std::chrono::seconds> retry_after = {};
  bool silent = false;  // the host gave no sign of life: the breaker's business
};

// What one order has spent.
struct Tries {
  unsigned counted = 0;     // attempts that count against kMostAttempts
  unsigned violations = 0;  // of the rules of HTTP or of a digest
};

constexpr unsigned kMostAttempts = 5;
constexpr std::chrono::milliseconds kFirstBackoff{250};
constexpr std::chrono::milliseconds kLongestBackoff{8000};
constexpr std::chrono::seconds kLongestRetryAfter{30};

struct Retry {
  bool again = false;
  Duration wait{};
};

Trouble trouble_of(Fault fault) noexcept;
Trouble trouble_of(int status, Errc code, const char* what) noexcept;
Trouble silence() noexcept;  // no sign of life in time

// A connection that had idled was closed under us.
bool nobodys_fault(const Trouble& trouble) noexcept;

// Decides after `trouble`, and counts it in `tries`.  `jitter`: uniform in [0, 1).
// The first failure of a reused connection is nobody's fault and repeated at once, uncounted. Other
// waits are "full jitter": uniform between zero and a bound that grows fourfold from 0.25 s to 8 s;
// a Retry-After up to 30 s is obeyed.
Retry decide(const Trouble& trouble, Tries& tries, double jitter) noexcept;

}  // namespace skimfs::fetch
