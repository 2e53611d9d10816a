// SPDX-License-Identifier: MIT
//
// The names in a directory, as many as one answer takes.
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "fs/shell/fuse.h"
#include "fs/shell/fuse_ops.h"

namespace skimfs::fs::shell {

// Answers readdir, or readdirplus.  `room`: bytes; `from`: 0 or an offset that a listing gave, of
// this directory, maybe before a reload.  Throws std::bad_alloc, and has not answered then.
void reply_listing(fuse_req_t request, Served& to, fuse_ino_t directory, std::size_t room,
                   off_t from, bool plus);

}  // namespace skimfs::fs::shell
