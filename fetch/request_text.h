// SPDX-License-Identifier: MIT
//
// A request as it is sent.
//
// Pure.  Any thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "fetch/result.h"
#include "fetch/transport.h"

namespace skimfs::fetch {

// Whom an absolute URL names, and what there.  Views of it.
struct UrlParts {
  std::string_view origin;  // "http://host:port", the port only where it is written
  std::string_view host;    // "host:port" of it
  std::string_view target;  // path and query; may lack the path
};
UrlParts parts_of(std::string_view url) noexcept;

// The bytes of the request, up to the empty line (RFC 9112 section 3).  `to_proxy`: with the whole
// URL, for a proxy that asks in our place.  `now`: when a signature is made.  Errors: those of
// sign() (aws_signature.h).  Throws std::bad_alloc.
Result<std::string> request_text(const WireRequest& request, bool to_proxy,
                                 std::chrono::system_clock::time_point now);

}  // namespace skimfs::fetch
