// SPDX-License-Identifier: MIT
//
// The built program, mounting a manifest for one test.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tests/mount/process.h"
#include "tests/mount/sandbox.h"

namespace skimfs::test {

// The program under test.
const std::string& skimfs();

// A manifest in the making.
class Manifest {
 public:
  // `base`: what "=" stands for, without the final slash.
  explicit Manifest(const std::string& base);

  // An entry as it is.
  Manifest& line(const std::string& text);
  // `path` from `base`; `size` empty: the server knows.  `tail`: attributes, each after a tab.
  Manifest& file(const std::string& path, std::optional<std::uint64_t> size,
                 const std::string& tail = {});
  // Every file below `folder`, with size and time.  `mode_of_programs`: for executable ones.
  Manifest& tree(const std::string& folder);
  // With its last line.
  std::string text() const { return text_ + "@end " + std::to_string(entries_) + "\n"; }

 private:
  std::string text_;
  unsigned entries_ = 0;
};

// A mount in the foreground.  Ends with SIGTERM, and the test fails unless the daemon then ends by
// itself, with exit code 0 and in time: leaks and races that sanitizers saw count.
class Mount {
 public:
  // Returns when the mount answers.  Throws when it does not, with what the daemon said.
  // `under`: words before the program, of one that becomes it, such as prlimit(1).
  explicit Mount(const Manifest& manifest, const std::string& options = {},
                 const Command& under = {});
  ~Mount();

  // Puts another manifest in the place of the one that is mounted.
  void rewrite(const std::string& text) const;
  // The same, and `skimfs reload`.
  Outcome reload(const Manifest& manifest) const;

  const std::string& dir() const noexcept { return dir_; }
  std::string operator/(const std::string& name) const { return dir_ + "/" + name; }
  std::string text(const std::string& name) const { return contents(*this / name); }

  Process& daemon() noexcept { return *daemon_; }
  std::string log() const { return contents(log_path_); }
  bool await_log(std::string_view part, std::chrono::milliseconds at_most) const;
  bool await_log_lines(std::string_view part, unsigned n, std::chrono::milliseconds at_most) const;
  std::string status() const;  // as JSON
  // Requests the kernel waits for; awaits that they are at least `n`.
  unsigned waiting() const;
  bool await_waiting(unsigned n, std::chrono::milliseconds at_most) const;
  // A field of /proc/PID/status in bytes: "VmHWM", "VmRSS".
  std::uint64_t memory(std::string_view field) const;
  // Ends it now; how long that took.  The destructor then has nothing to do.  The test fails if any
  // request ever waited longer than its deadline and a second.
  std::chrono::milliseconds stop();

 private:
  void check_deadlines() const;

  Scratch scratch_;
  std::string dir_, log_path_;
  std::chrono::seconds timeout_;
  std::unique_ptr<Process> daemon_;
  unsigned connection_ = 0;  // minor device number: the folder in /sys/fs/fuse/connections
};

// `skimfs status` of a mount that serves; again while it is refused, since a mount waits a second
// for a command, and a pause may be longer.
Outcome status_of(const std::string& dir, const Command& more = {"--json"});

// The line of /proc/self/mountinfo for `dir`; empty: nothing is mounted there.  Does not touch it.
std::string mount_row(const std::string& dir);
bool await_mounted(const std::string& dir, bool mounted, std::chrono::milliseconds at_most);

// One read(2) of a fresh descriptor.
struct ReadResult {
  int error = 0;  // errno; 0: it went well
  std::string bytes;
};
ReadResult read_at(const std::string& path, std::uint64_t offset, std::size_t length,
                   int flags = 0);
ReadResult read_at(int fd, std::uint64_t offset, std::size_t length);

}  // namespace skimfs::test
