// SPDX-License-Identifier: MIT
//
// What every exchange asks of libcurl, and what its results mean.  Only curl_transport.cc includes
// this.
#pragma once

#include <memory>
#include <string_view>

#include "fetch/credential.h"
#include "fetch/curl_handle.h"
#include "fetch/fetcher.h"
#include "fetch/transport.h"

namespace skimfs::fetch {

// Throws std::runtime_error with the option's name: this libcurl lacks it.
void check(CURLcode code, const char* option);

#define SKIMFS_SET(easy, option, value) \
  ::skimfs::fetch::check(curl_easy_setopt(easy, option, value), #option)

void init_libcurl_once();

// The protocols, limits and trust of every exchange.
void set_common(CURL* easy, const FetchLimits& limits);

// Signature and client certificate of this and the following exchanges, which the credential
// outlives; null: none.  Its headers are the caller's.  false: no memory, and some of it is set.
bool set_credential(CURL* easy, const Credential* credential) noexcept;

// Of names and TLS sessions.  Throws std::bad_alloc.
std::shared_ptr<CURLSH> make_share();

// How a transfer of `easy` ended.  `words`: of its CURLOPT_ERRORBUFFER.
Fault fault_of(CURL* easy, CURLcode code, std::string_view words) noexcept;

}  // namespace skimfs::fetch
