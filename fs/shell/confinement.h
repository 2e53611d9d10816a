// SPDX-License-Identifier: MIT
//
// What the process gives up for good, once it is mounted and before it talks to anybody.
//
// This thread's, and so of every thread that it starts from then on.
#pragma once

#include <string>

#include "fs/options.h"

namespace skimfs::fs::shell {

// No core file, no look into memory for others than root.  A process under a sanitizer stays
// readable: its leak checker traces it.
void hide_memory() noexcept;

// Root becomes this user, in this group alone, and has no way back.  Throws std::system_error, also
// where any right is left afterwards.
void become(const Account& account);

// All capabilities go, no program can give new ones, and system calls that start programs or
// processes, trace, mount, change namespaces, load modules or touch keys fail with EPERM.
// Result: what the system did not let us give up, one line; else empty.
std::string confine();

}  // namespace skimfs::fs::shell
