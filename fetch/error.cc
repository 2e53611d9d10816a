// SPDX-License-Identifier: MIT
//
// Words and conditions for fetch::Errc.
#include "fetch/error.h"

#include <cerrno>
#include <string>

namespace skimfs::fetch {
namespace {

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "skimfs.fetch"; }

  std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::unreachable:
        return "server not reachable";
      case Errc::server_failed:
        return "server failed";
      case Errc::timed_out:
        return "server did not answer in time";
      case Errc::too_busy:
        return "server is too busy";
      case Errc::denied:
        return "server denied access";
      case Errc::bad_certificate:
        return "server's certificate refused";
      case Errc::not_tls:
        return "server does not speak TLS";
      case Errc::missing:
        return "no such object on the server";
      case Errc::changed:
        return "object changed on the server";
      case Errc::bad_response:
        return "response does not answer the request";
      case Errc::ranges_ignored:
        return "server ignores ranges";
      case Errc::range_refused:
        return "server refused a range inside the object";
      case Errc::redirect_refused:
        return "redirect refused";
      case Errc::digest_mismatch:
        return "bytes do not match their digest";
      case Errc::unverifiable:
        return "bytes cannot be verified";
      case Errc::bad_length:
        return "impossible length";
      case Errc::no_length:
        return "server tells no length";
    }
    return "unknown fetch error";
  }

  std::error_condition default_error_condition(int value) const noexcept override {
    switch (static_cast<Errc>(value)) {
      case Errc::timed_out:
      case Errc::too_busy:
        return std::errc::timed_out;
      case Errc::denied:
      case Errc::bad_certificate:
      case Errc::not_tls:
        return std::errc::permission_denied;
      case Errc::missing:
        return std::errc::no_such_file_or_directory;
      case Errc::changed:
        return {ESTALE, std::generic_category()};
      case Errc::bad_length:
        return std::errc::value_too_large;
      case Errc::no_length:
        return std::errc::file_too_large;
      default:
        return std::errc::io_error;
    }
  }
};

}  // namespace

const std::error_category& fetch_category() noexcept {
  static const Category category;
  return category;
}

std::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), fetch_category()};
}

}  // namespace skimfs::fetch
