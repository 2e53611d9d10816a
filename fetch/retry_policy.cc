// SPDX-License-Identifier: MIT
//
// The retry rules.
#include "fetch/retry_policy.h"

#include <algorithm>

namespace skimfs::fetch {
namespace {

using Kind = Trouble::Kind;

Trouble lost(Errc code, const char* what) noexcept {
  return {.error = code, .what = what, .kind = Kind::transient, .connection_lost = true};
}

// Nothing came from the host before the connection was lost, unless a response had begun.
Trouble unheard(Errc code, const char* what) noexcept {
  Trouble trouble = lost(code, what);
  trouble.silent = true;
  return trouble;
}

Trouble violation(Errc code, const char* what) noexcept {
  return {.error = code, .what = what, .kind = Kind::violation, .connection_lost = true};
}

Duration backoff(unsigned failures, double jitter) noexcept {
  auto bound = kFirstBackoff;
  for (unsigned i = 1; i < failures && bound < kLongestBackoff; ++i) bound *= 4;
  bound = std::min(bound, kLongestBackoff);
  return std::chrono::duration_cast<Duration>(bound * jitter);
}

}  // namespace

Trouble trouble_of(Fault fault) noexcept {
  switch (fault) {
    case Fault::dns:
      return unheard(Errc::unreachable, "dns");
    case Fault::connect:
      return unheard(Errc::unreachable, "connect_fail");
    case Fault::connect_timeout:
      return unheard(Errc::timed_out, "connect_timeout");
    case Fault::tls:
      return unheard(Errc::unreachable, "tls_fail");
    case Fault::certificate:
      return {.error = Errc::bad_certificate, .what = "tls_verify"};
    case Fault::not_tls:
      return {.error = Errc::not_tls, .what = "not_tls"};
    case Fault::proxy_denied:
      return {.error = Errc::denied, .what = "proxy_denied"};
    case Fault::address:
      return {.error = Errc::redirect_refused, .what = "redirect_denied"};
    case Fault::reset:
      return unheard(Errc::unreachable, "reset");
    case Fault::short_body:
      return lost(Errc::unreachable, "short_body");
    case Fault::protocol:
      return violation(Errc::bad_response, "proto");
    case Fault::bad_length:
      return {.error = Errc::bad_length, .what = "bad_length"};
    case Fault::header_limit:
      return {.error = Errc::bad_response, .what = "header_limit"};
    case Fault::none:
    case Fault::stopped:
      return violation(Errc::bad_response, "proto");
    case Fault::local:
      break;
  }
  return {.error = std::make_error_code(std::errc::io_error),
          .what = "resource",
          .kind = Kind::transient};
}

Trouble trouble_of(int status, Errc code, const char* what) noexcept {
  Trouble trouble{.error = code, .what = what};
  switch (status) {
    case 408:
    case 425:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
      trouble.kind = Kind::transient;
      break;
    case 200:
    case 206:
      if (code == Errc::bad_response) return violation(code, what);
      break;
    default:
      break;
  }
  return trouble;
}

Trouble silence() noexcept {
  return {.error = Errc::timed_out,
          .what = "silence",
          .kind = Trouble::Kind::transient,
          .silent = true};
}

bool nobodys_fault(const Trouble& trouble) noexcept {
  return trouble.connection_lost && trouble.reused && trouble.error != Errc::timed_out;
}

Retry decide(const Trouble& trouble, Tries& tries, double jitter) noexcept {
  switch (trouble.kind) {
    case Kind::lasting:
      return {};
    case Kind::violation:
      return {.again = ++tries.violations <= 1};
    case Kind::transient:
      break;
  }
  if (trouble.connection_lost && trouble.reused) return {.again = true};
  if (++tries.counted >= kMostAttempts) return {};
  if (trouble.retry_after)
    return {.again = true, .wait = std::min(*trouble.retry_after, kLongestRetryAfter)};
  return {.again = true, .wait = backoff(tries.counted, jitter)};
}

}  // namespace skimfs::fetch
