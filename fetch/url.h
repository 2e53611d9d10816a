// SPDX-License-Identifier: MIT
//
// An absolute http or https URL, read by the same parser the transfer uses.
//
// The path and the query stay byte for byte as they were given: a signature may cover them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fetch/result.h"

namespace skimfs::fetch {

class Url {
 public:
  Url() = default;

  // Reads an absolute URL.  Scheme and host become lower case, the fragment is dropped.
  // Errors: std::errc::invalid_argument for anything libcurl's parser refuses, another scheme, user
  // information, or a missing host.
  static Result<Url> parse(std::string_view text);

  // What `reference`, a Location field, means relative to this URL (RFC 3986 section 5).
  // Errors as parse().
  Result<Url> resolve(std::string_view reference) const;

  const std::string& text() const noexcept { return text_; }
  // "host:port", the port always written: names the peer for caps and counters.
  const std::string& host_port() const noexcept { return host_port_; }
  bool secure() const noexcept { return secure_; }

  // Scheme, host and port are the same (RFC 6454 section 5).
  bool same_origin(const Url& other) const noexcept {
    return secure_ == other.secure_ && host_port_ == other.host_port_;
  }

  friend bool operator==(const Url& a, const Url& b) noexcept { return a.text_ == b.text_; }

 private:
  std::string text_;
  std::string host_port_;
  bool secure_ = false;
};

// The part of a URL that may be shown: all before the query, which may hold a secret.
std::string_view redact(std::string_view url) noexcept;

}  // namespace skimfs::fetch
