// SPDX-License-Identifier: MIT
//
// The last step of a failure: which errno a program sees.  SEMANTICS.md owns the table.
#pragma once

#include <system_error>

namespace skimfs::fs {

enum class Asked { lookup, open, read, other };

// `why`: a fetch::Errc, a std::errc or a system code; never empty.  Result: a positive errno value,
// EIO for what has no better one.  Pure; any thread.
int errno_for(std::error_code why, Asked what) noexcept;

}  // namespace skimfs::fs
