// SPDX-License-Identifier: MIT
//
// What the options of a mount come to for each of its parts, and for its process.
//
// The main thread, before any other.
#pragma once

#include <memory>

#include "fetch/fetcher.h"
#include "fs/auth/profiles.h"
#include "fs/filesystem.h"
#include "fs/memory_plan.h"
#include "fs/options.h"

namespace skimfs::fs::shell {

// Limits of the process: allocator, stacks, descriptors.
void prepare_process();

unsigned worker_count();

// At most as many as descriptors allow.
unsigned connections_for(const Options& options);

// Throws OptionError where not every lane could have a socket to every server.
void check_lanes(const Options& options);

// Throws OptionError for a cacert= that cannot be read.
fetch::Trust find_trust(const Options& options);

// Of auth_file=, or of the first default place that has one.  Throws OptionError where a file that
// was named cannot be had, or has no profile auth=.
std::shared_ptr<auth::Profiles> load_profiles(const Options& options);

fetch::FetchLimits fetch_limits(const Options& options, const MemoryPlan& plan, fetch::Trust trust);
// `written`: the time of files for which nobody tells one.
FileSystemLimits file_limits(const Options& options, const MemoryPlan& plan,
                             std::shared_ptr<const auth::Profiles> profiles,
                             manifest::Time written);

// When the manifest was written: the same at every mount of it, so that copies need no second look.
manifest::Time manifest_time(const std::string& source);

// Throws MountError where setuid= is given and this process is not root.
void check_setuid(const Options& options);
// Throws OptionError where open=skip is given with options that it does not go with.
void check_open(const Options& options);
// With the rights that are left: can what is read again later be read then?  Throws OptionError for
// a cacert= that cannot, and for an auth_file= that root without capabilities cannot; the log warns
// of a manifest that cannot, and of secrets that the user of setuid= cannot.
void check_readable_later(const Options& options, auth::Profiles& profiles);

}  // namespace skimfs::fs::shell
