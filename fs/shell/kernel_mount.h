// SPDX-License-Identifier: MIT
//
// One mounted directory: /dev/fuse on our side, a file system on everybody else's.
//
// mount(2) where we may, fusermount3 where we may not.  Done here and not by libfuse, so that a
// refusal can be told in one line of ours.  One thread at a time.
#pragma once

#include <optional>
#include <string>

#include "fs/mount_table.h"
#include "fs/shell/mount_error.h"
#include "fs/shell/steward.h"

namespace skimfs::fs::shell {

class KernelMount {
 public:
  struct Wanted {
    std::string directory;       // absolute, without symbolic links
    std::string source;          // what mount(8) and df show
    std::string kernel_options;  // exec, noexec, context=...; in the grammar of -o
    bool allow_other = false;
    bool replace_stale = true;  // a dead mount of ours at `directory` makes room
  };

  // Mounted when it returns, though nothing is answered yet.  `steward`: unmounts; of the same
  // directory, and lives longer.  Throws MountError.
  KernelMount(const Wanted& wanted, Steward& steward);
  // As unmount().
  ~KernelMount();
  KernelMount(const KernelMount&) = delete;
  KernelMount& operator=(const KernelMount&) = delete;

  // A descriptor of /dev/fuse for the caller to close: while one is open the kernel waits for
  // answers.  Throws std::system_error.
  int duplicate_device() const;
  // "major:minor", as the mount table and /sys/class/bdi name it; empty where they do not show it.
  std::string number() const { return row_ ? row_->device : ""; }
  // Is it, as far as the mount table shows, still what its directory leads to?  Any thread.  Throws
  // std::system_error.
  bool may_be_there() const;
  // Lazily where it is busy; not, when somebody else has done so already.  Closes its descriptor of
  // /dev/fuse: once the duplicates are closed, too, nobody waits for answers.  Idempotent.
  void unmount() noexcept;

 private:
  // Nothing is mounted yet, but what is from here on is taken down again whatever happens.
  KernelMount(const std::string& directory, Steward& steward);
  const std::string directory_;
  Steward& steward_;
  std::optional<MountRow> row_;  // empty: the table did not show it
  int device_ = -1;              // -1 once unmount() was called
  bool by_helper_ = false;       // mounted by fusermount3, which must unmount it too
};

}  // namespace skimfs::fs::shell
