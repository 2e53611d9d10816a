// SPDX-License-Identifier: MIT
//
// What the kernel asks, put to the file system.
//
// No decisions here: each callback asks for an answer from memory, and parks the request where
// there is none.  libfuse's worker threads call; nothing here waits.
#pragma once

#include <functional>

#include "fs/filesystem.h"
#include "fs/options.h"
#include "fs/shell/fuse.h"
#include "fs/shell/handles.h"
#include "fs/shell/keeper.h"
#include "fs/shell/kept_lists.h"
#include "fs/shell/look.h"
#include "fs/shell/recent_files.h"
#include "fs/shell/replies.h"

namespace skimfs::fs::shell {

// What the callbacks need: the session's user data.  All references outlive the session.
struct Served {
  FileSystem& files;
  Keeper& keeper;
  Replies& replies;
  Handles& handles;
  RecentFiles& recent;
  const Look look;
  const XattrMode xattr;
  bool skip_open;  // constant once FUSE_INIT is answered: false where the kernel cannot
  KeptLists lists;
  const std::function<void()> forget_lists;  // soon: see KeptLists::looked_up()
  // From the callback of FUSE_INIT to its answer, see session.cc; the first thread's alone.
  bool add_parallel_lookups = false;
};

// The callbacks; the session's user data must be a Served.
const fuse_lowlevel_ops& fuse_ops() noexcept;

}  // namespace skimfs::fs::shell
