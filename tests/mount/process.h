// SPDX-License-Identifier: MIT
//
// Programs as a test sees them: started, watched, and gone when the test is.
//
// One thread per object; several threads may each have their own.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace skimfs::test {

using Command = std::vector<std::string>;

// What happens at once does so within this, also on a busy machine below a sanitizer; what waits
// for a server or a deadline takes longer.
constexpr std::chrono::seconds kAtOnce{8};

// Asks every few milliseconds, for what cannot be waited for.
template <class Holds>
bool until(Holds&& holds, std::chrono::milliseconds at_most) {
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

// How a process ended: its exit code, or minus the signal that killed it.
using ExitCode = int;

// A child in the background.  Killed, with what it wrote kept in `log`, when the object goes.
class Process {
 public:
  // Standard output and error go to the file `log` (appended).  `keep_fd` >= 0: inherited as it is.
  Process(const Command& command, const std::string& log, const Command& environment = {},
          int keep_fd = -1);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  pid_t pid() const noexcept { return pid_; }
  void signal(int number) const noexcept;
  // Empty: still running after `at_most`.
  std::optional<ExitCode> wait(std::chrono::milliseconds at_most);

 private:
  pid_t pid_;
  int pidfd_;
  std::optional<ExitCode> ending_;
};

struct Outcome {
  ExitCode ending = -1;
  std::string out;  // standard output
  std::string err;  // standard error
  std::chrono::milliseconds took{0};

  bool ok() const noexcept { return ending == 0; }
  std::string all() const { return out + err + "(ended with " + std::to_string(ending) + ")"; }
};

// Runs to the end, or is killed after a minute.  `C.UTF-8`, no input.
Outcome run(const Command& command);
// The same with bash -euo pipefail.
Outcome shell(const std::string& script);

// The end of a process that is not a child of a Process, such as a daemon orphaned to us.
std::optional<ExitCode> wait_for(pid_t pid, std::chrono::milliseconds at_most);

// What a file holds; empty if it cannot be read.
std::string contents(const std::string& path);

}  // namespace skimfs::test
