// SPDX-License-Identifier: MIT
//
// AWS Signature Version 4 of requests without a body.
//
// Pure: the time comes in.  Which host, target and fields are signed must be what is sent, so this
// is asked last, and anew for each attempt: servers refuse a signature some minutes after its time.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/credential.h"
#include "fetch/result.h"

namespace skimfs::fetch {

// The further fields ("Name: value") of a request that `credential` signs: X-<Provider2>-Date,
// Authorization and, for S3, X-<Provider2>-Content-Sha256.  What `headers` bring of these is used
// as it is; where that is Authorization, or nothing is to be signed, there are none.
//
// `host`: as in the Host field.  `target`: path and query as they are sent.  `headers`: the other
// fields that are sent, a session token among them; signed too, except for those that proxies
// change.  A region or service that the signature text leaves empty is the host's second or first
// label (CURLOPT_AWS_SIGV4(3)).
//
// Errors: std::errc::invalid_argument for a signature text of another shape or with other than
// letters, digits, "-", "." and "_", a host without those labels, and a date of another form than
// 20130524T000000Z in `headers`.  Throws std::bad_alloc.
//
// AWS "Create a signed AWS API request"; Amazon S3 "Authenticating Requests: Using the
// Authorization Header (AWS Signature Version 4)".
Result<std::vector<std::string>> sign(const Credential& credential, std::string_view method,
                                      std::string_view host, std::string_view target,
                                      std::span<const std::string> headers,
                                      std::chrono::system_clock::time_point now);

}  // namespace skimfs::fetch
