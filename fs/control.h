// SPDX-License-Identifier: MIT
//
// How commands reach a running mount: a Unix socket that belongs to its directory's name.
//
// Nothing here looks at the mount itself, which may be hung, or not ours to enter.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace skimfs::fs::control {

// No mount answers there, or it refused the command.  what(): one line.
struct NotServed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The mount that answers there did not do it.
struct Refused : NotServed {
  using NotServed::NotServed;
};

// A request is one line of at most this many bytes, the newline included.
inline constexpr std::size_t kLongestRequest = 256;
// A reply is "ok\n" or "error\n", then the text, then the end of the stream.
inline constexpr std::string_view kOk = "ok\n";
inline constexpr std::string_view kError = "error\n";

struct Reply {
  bool good = false;  // else `text` says why
  std::string text;
};

// "reload" begins a reload and is answered by its ticket, "reload TICKET" by what came of it, or by
// nothing while it is under way.
using Ticket = std::uint64_t;
std::optional<Ticket> ticket_of(std::string_view command);  // of "reload" 0; empty: other words

// Has the mount at `directory` read its manifest again; returns what that changed.  Throws Refused
// when it keeps the old one, else NotServed.
std::string reload(std::string_view directory);

// The absolute name of a directory as the kernel's mount table shows it: symbolic links resolved
// where that is possible without entering it, no "." or "..", no slash at the end.  What is not
// there is taken by its words.
std::string mount_name(std::string_view directory);

// Where mounts of this user listen, the preferred place first.  Root: /run/skimfs.  Others:
// $XDG_RUNTIME_DIR/skimfs (only for the own uid), /run/user/UID/skimfs, /tmp/skimfs-UID.
std::vector<std::string> socket_directories(uid_t user);

// The file name for this mount_name(): as long as a socket's path may be, and then a checksum.
std::string socket_name(std::string_view mount_name);

// Sends the command to the mount at `directory` and returns its text, control characters but line
// ends as \u00NN.  Root may ask any mount.  Asked is only a process of root's or of the mount's
// owner.  Throws Refused, or NotServed, also when the answer takes longer than `at_most`.
std::string ask(std::string_view directory, std::string_view command,
                std::chrono::milliseconds at_most = std::chrono::seconds(5));

// The process behind the mount at `directory`, as far as this user may know it.
std::optional<pid_t> serving_process(std::string_view directory);

}  // namespace skimfs::fs::control
