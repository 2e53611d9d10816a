// SPDX-License-Identifier: MIT
//
// See credential.h.
#include "fetch/credential.h"

#include "fetch/error.h"

namespace skimfs::fetch {

Result<std::shared_ptr<const Credential>> credential_for(const Object& object, const Url& origin,
                                                         const Url& target) {
  using Carried = std::shared_ptr<const Credential>;
  if (!object.profile) return Carried();
  auto carried = object.profile->credential(origin);
  if (!carried) return tl::unexpected(make_error_code(Errc::denied));
  // Asked once for one URL: the profile may become another at any time.
  if (!(target == origin)) carried = object.profile->credential(target);
  if (!carried) return Carried();
  if (!*carried) return tl::unexpected(make_error_code(Errc::denied));
  return *std::move(carried);
}

const char* why_denied(const Profile& profile, const Url& origin) {
  if (!profile.known()) return "unknown profile";
  return profile.credential(origin) ? "the profile has nothing to send" : "URL outside its list";
}

}  // namespace skimfs::fetch
