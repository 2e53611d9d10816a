// SPDX-License-Identifier: MIT
//
// What every connection asks of libcurl, and why one could not be made.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "fetch/curl_handle.h"
#include "fetch/fetcher.h"
#include "fetch/transport.h"

namespace skimfs::fetch {

// Received at once: so many bytes may pass before readers are told of them.
constexpr std::size_t kMostAtOnce = 256 * 1024;

// Throws std::bad_alloc, or std::runtime_error with the option's name: this libcurl lacks it.
void check(CURLcode code, const char* option);

#define SKIMFS_SET(easy, option, value) \
  ::skimfs::fetch::check(curl_easy_setopt(easy, option, value), #option)

void init_libcurl_once();

// The limits and trust of every connection.
void set_common(CURL* easy, const FetchLimits& limits);

// Client certificate of the connections from now on, which the credential outlives; null: none.
// false: no memory, and some of it is set.
bool set_certificate(CURL* easy, const Credential* credential) noexcept;

// Of names and TLS sessions.  Throws std::bad_alloc.
std::shared_ptr<CURLSH> make_share();

// Why a connection could not be made.  `words`: of its CURLOPT_ERRORBUFFER.
Fault fault_of(CURL* easy, CURLcode code, std::string_view words) noexcept;

}  // namespace skimfs::fetch
