// SPDX-License-Identifier: MIT
//
// The one place that speaks while a mount runs.
//
// Any thread; a call costs a bounded queue's push and never waits for the place it is written to.
// Lines are "skimfs: ev=<event> <text>"; remote text in them has gone through escape().
// The first to_*() starts a thread: after the fork, not before.
#pragma once

#include <string>
#include <string_view>

namespace skimfs::fs::log {

enum class Level { error, warning, info, debug };

// Standard error, with "<N>" priorities when journald listens (JOURNAL_STREAM).
void to_standard_error(Level least);
// syslog(3) with this ident.
void to_syslog(const std::string& ident, Level least);
void set_level(Level least) noexcept;
Level level() noexcept;
// Writes what is queued, within a second, and what was suppressed; from then on lines are written
// to standard error at once, as before the first to_*().
void flush() noexcept;

// `event`: one word, e.g. "changed".  `about`: what the event is counted by, a host or a path, as
// it is.  A pair repeated within 10 s is counted instead; the count is told once, later, as
// "ev=<event> about=<about> suppressed=N".  `text`: "key=value key=value".
void event(Level level, std::string_view event, std::string_view about, std::string text);

// What somebody has just asked for, such as a signal does: always told, each time, whatever the
// least level.
void answer(Level level, std::string_view event, std::string text);

// Bytes outside printable ASCII, space and backslash as \xNN; at most 512 bytes of it, then "...".
std::string escape(std::string_view text);

}  // namespace skimfs::fs::log
