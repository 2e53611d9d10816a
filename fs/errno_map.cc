// SPDX-License-Identifier: MIT
//
// See errno_map.h.  Trouble on the way is never ENOENT: only a server that says so is.
#include "fs/errno_map.h"

#include <cerrno>

#include "fetch/error.h"

namespace skimfs::fs {

int errno_for(std::error_code why, Asked what) noexcept {
  if (why == std::make_error_code(std::errc::operation_canceled)) return EINTR;
  if (why.category() == std::generic_category() || why.category() == std::system_category())
    return why.value() > 0 ? why.value() : EIO;
  if (why.category() != fetch::fetch_category()) return EIO;
  const bool names = what == Asked::lookup || what == Asked::open;
  switch (static_cast<fetch::Errc>(why.value())) {
    case fetch::Errc::timed_out:
    case fetch::Errc::too_busy:
      return ETIMEDOUT;
    case fetch::Errc::denied:
      return EACCES;
    case fetch::Errc::bad_certificate:
    case fetch::Errc::not_tls:
      return names ? EACCES : EIO;
    case fetch::Errc::missing:
      return names ? ENOENT : ESTALE;
    case fetch::Errc::changed:
      return ESTALE;
    case fetch::Errc::bad_length:
      return EOVERFLOW;
    case fetch::Errc::no_length:
      return EFBIG;
    case fetch::Errc::unreachable:
    case fetch::Errc::server_failed:
    case fetch::Errc::bad_response:
    case fetch::Errc::ranges_ignored:
    case fetch::Errc::range_refused:
    case fetch::Errc::redirect_refused:
    case fetch::Errc::digest_mismatch:
    case fetch::Errc::unverifiable:
      return EIO;
  }
  return EIO;
}

}  // namespace skimfs::fs
