// SPDX-License-Identifier: MIT
//
// A mount from its start to its end.
#pragma once

#include <functional>
#include <string>

#include "fs/options.h"
#include "fs/shell/mount_error.h"

namespace skimfs::fs::shell {

// Mounts and serves until SIGTERM or SIGINT comes or the directory is unmounted.  The calling
// thread must be the process's only one but for the log's, and waits for signals: SIGUSR1 logs the
// status.
//
// `ready` is called once the mount answers.  Before that every failure throws and leaves nothing
// mounted: manifest::ManifestError, MountError, std::system_error.  After it the log speaks.
void serve(const Options& options, const std::function<void()>& ready);

// Of the libfuse that is linked, "3.14.0".
std::string fuse_version();

}  // namespace skimfs::fs::shell
