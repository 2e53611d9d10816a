// SPDX-License-Identifier: MIT
//
// URLs that carry their own permission, and what is left of them without it.  Pure.
#pragma once

#include <string>
#include <string_view>

namespace skimfs::fs {

// The URL without the parameters of a signature, so that the same object signed again is seen to be
// the same: AWS (X-Amz-*, and AWSAccessKeyId, Signature, Expires of the older scheme), Google
// (X-Goog-*, GoogleAccessId), Azure (shared access signatures, where "sig" and "sv" stand) and CloudFront
// (Policy, Key-Pair-Id).  A parameter that selects bytes, such as a version, stays.
std::string without_signature(std::string_view url);

}  // namespace skimfs::fs
