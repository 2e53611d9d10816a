// SPDX-License-Identifier: MIT
//
// A value or the reason why there is none.
#pragma once

#include <system_error>
#include <tl/expected.hpp>

namespace skimfs::fetch {

template <class T>
using Result = tl::expected<T, std::error_code>;

}  // namespace skimfs::fetch
