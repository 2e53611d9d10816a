// SPDX-License-Identifier: MIT
//
// What is mounted where, as the kernel lists it.
//
// The table is the only thing asked about a mountpoint: looking at the directory itself could
// trigger the automount that is waiting for us.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skimfs::fs {

struct MountRow {
  std::string id;             // its own as long as it is mounted
  std::string device;         // "major:minor"
  std::string directory;      // unescaped
  std::string type;           // "fuse.skimfs"
  std::string source;         // unescaped
  std::optional<uid_t> user;  // FUSE: whose daemon it is
};

inline constexpr std::string_view kMountType = "fuse.skimfs";

// The text of /proc/self/mountinfo, proc(5).  Lines of another shape are skipped.
std::vector<MountRow> parse_mount_table(std::string_view text);

// The mount that a path walk ends in: the last of those at exactly this directory.  autofs rows do
// not count, they only wait for a mount.
std::optional<MountRow> topmost_at(const std::vector<MountRow>& table, std::string_view directory);

// That mount as it is now: directories above it may have been renamed.  Empty: it is gone.
std::optional<MountRow> same_mount(const MountRow& mount, const std::vector<MountRow>& table);

// The table now.  Throws std::system_error.
std::vector<MountRow> read_mount_table();

}  // namespace skimfs::fs
