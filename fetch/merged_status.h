// SPDX-License-Identifier: MIT
//
// What several lanes say of themselves, as if they were one.  Pure.
#pragma once

#include <vector>

#include "fetch/fetcher.h"

namespace skimfs::fetch {

// At least one.  What is counted is added up, so the peak may be more than there ever was at one
// time; of breakers and pauses the worst counts, of network changes those that one lane saw.
FetchStatus merged(std::vector<FetchStatus> lanes);

}  // namespace skimfs::fetch
