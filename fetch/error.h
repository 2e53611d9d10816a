// SPDX-License-Identifier: MIT
//
// Why a transfer failed, in the words of this project.
//
// libcurl's codes and HTTP's statuses end here; fs/errno_map.h turns these into errno values.
#pragma once

#include <system_error>

namespace skimfs::fetch {

enum class Errc {
  unreachable = 1,   // refused, reset, DNS; after retries
  server_failed,     // 5xx after retries
  timed_out,         // connect, first byte or stall, after retries
  too_busy,          // 429 or 503 up to the deadline
  denied,            // 401, 403, 407 of a proxy
  bad_certificate,   // TLS refused the peer
  not_tls,           // https was asked of who speaks something else
  missing,           // 404, 410
  changed,           // the object is no longer the pinned version, confirmed
  bad_response,      // a response that does not answer the request; never one byte of it is used
  ranges_ignored,    // 200 to a ranged request: ask for the whole object, or give up
  range_refused,     // 416 or 400 to a range inside the object
  redirect_refused,  // too many, or to a place it must not go
  digest_mismatch,   // bytes differ from the manifest's digest
  unverifiable,      // the bytes cannot be compared with the digest the manifest states
  bad_length,        // impossible or contradictory lengths
  no_length,         // the server tells no size
};

const std::error_category& fetch_category() noexcept;
std::error_code make_error_code(Errc code) noexcept;

}  // namespace skimfs::fetch

template <>
struct std::is_error_code_enum<skimfs::fetch::Errc> : std::true_type {};
