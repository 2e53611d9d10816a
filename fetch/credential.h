// SPDX-License-Identifier: MIT
//
// What shows a server who asks, and which servers may see it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/range.h"
#include "fetch/result.h"
#include "fetch/url.h"

namespace skimfs::fetch {

// Immutable, shared by the requests that carry it.  Never shown, logged or kept anywhere else.
struct Credential {
  std::vector<std::string> headers = {};   // "Name: value"
  std::string certificate = {}, key = {};  // PEM, the key not encrypted; empty: none is shown
  // "PROVIDER1:PROVIDER2:REGION:SERVICE" of CURLOPT_AWS_SIGV4(3), signed as `user` with `password`;
  // empty: nothing is signed.
  std::string signature = {};
  std::string user = {}, password = {};
};

// A credential and the servers it is for, which may both become others at any time.  Any thread.
struct Profile {
  virtual const std::string& name() const noexcept = 0;
  virtual bool known() const = 0;  // now: else it covers nothing
  // What may be sent there; null while there is none.  Empty: the profile does not cover the URL.
  virtual std::optional<std::shared_ptr<const Credential>> credential(const Url& url) const = 0;
  virtual ~Profile() = default;
};

// Of whom an object is; empty: nobody.
inline std::string_view profile_of(const Object& object) noexcept {
  return object.profile ? std::string_view(object.profile->name()) : std::string_view();
}

// What a request to `target` carries that is made for an object at `origin`, one of its sources;
// null: nothing.  Whoever names a profile is never served as somebody who names none: errors are
// Errc::denied where the profile does not cover the origin or has no credential.  To a target that
// it does not cover, such as the far end of a redirect, nothing is carried.
Result<std::shared_ptr<const Credential>> credential_for(const Object& object, const Url& origin,
                                                         const Url& target);

// Why credential_for() refuses, for the log; asked afterwards, so of the profile as it is then.
const char* why_denied(const Profile& profile, const Url& origin);

}  // namespace skimfs::fetch
