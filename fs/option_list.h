// SPDX-License-Identifier: MIT
//
// The grammar of -o: "memory=64M,ro,base=http://h/a\,b/,_netdev".
//
// mount(8), systemd and fstab put words into the list that are not for the file system; which are
// dropped, forced or passed to the kernel is decided here and nowhere else.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fs/options.h"

namespace skimfs::fs {

// A mount cannot be changed in place: mount(8) wants exit code 32 for it, not 1.
struct RemountError : OptionError {
  using OptionError::OptionError;
};

// Items between commas.  `\,` is a comma and `\\` a backslash inside an item; another backslash
// stands for itself.  A value in double quotes is kept as it is, commas and quotes included, as
// mount(8) writes SELinux contexts.  Empty items are left out.
// Throws OptionError for a quote that does not end.
std::vector<std::string> split_option_list(std::string_view list);

// Takes over every item of the list.  Returns warnings, one line each: unknown options, which are
// warnings only if options.sloppy.  Throws OptionError, RemountError.
std::vector<std::string> apply_option_list(std::string_view list, Options& options);

}  // namespace skimfs::fs
