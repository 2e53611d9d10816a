// SPDX-License-Identifier: MIT
//
// A process in the background whose start is known to have worked, or why it has not.
//
// libfuse's own daemonising cannot say that the first request failed, so the fork comes first and a
// pipe carries the verdict.  Call before any thread exists.
#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace skimfs::fs::shell {

struct Outcome {
  int code = 0;      // exit code of mount(8)
  std::string text;  // the line to print, with the name of the program; may be empty
};

// Runs `body` in a background process.  Returns, in the caller only, once `body` has called ready()
// (code 0), or has returned before that (its Outcome), or its process has died (32, by SIGTERM 8),
// or `start_timeout` has passed (32; the process is ended), or SIGINT, SIGTERM, SIGHUP or SIGQUIT
// has come (8; the process is ended).  A process is ended by SIGTERM, and if it is still there
// three seconds later by SIGKILL.
//
// ready() moves that process to a session of its own and to "/", and its standard streams to
// /dev/null.  Before it, messages still reach the caller's terminal, and the process is of the
// caller's group, the only one that autofs lets look at a directory that is to be mounted; of the
// signals to that group it heeds SIGTERM alone.  Where the caller is gone, so that nobody will ever
// know of the process, ready() leaves it where it is and sends it SIGTERM.  `body` must not throw.
Outcome run_in_background(std::chrono::seconds start_timeout,
                          const std::function<Outcome(const std::function<void()>& ready)>& body);

}  // namespace skimfs::fs::shell
