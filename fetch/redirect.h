// SPDX-License-Identifier: MIT
//
// Where a redirect may lead, and where earlier ones led.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "fetch/result.h"
#include "fetch/url.h"

namespace skimfs::fetch {

constexpr unsigned kMostRedirects = 5;

constexpr bool is_redirect(int status) noexcept {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// The target of one redirect (RFC 9110 section 15.4).  `hops`: redirects followed before this one.
// Errors: Errc::redirect_refused for one too many, a Location that is none, a scheme other than
// http and https, and https to http.  Pure.
Result<Url> follow(const Url& from, std::string_view location, unsigned hops);

// Who asks for what.  A server leads each where that one may go: a signed link is nobody else's.
struct Question {
  const Url& url;
  std::string_view profile;  // its name; empty: nobody

  std::string text() const;  // one for each
};

// The last known target of what was asked.  Always temporary: a target that stops to work has
// expired and is asked for again.  Bounded; the oldest goes first.  One thread.
class RedirectMemory {
 public:
  struct Target {
    Url url;
    bool from_public = false;  // a server of the whole Internet has led there
  };

  explicit RedirectMemory(std::size_t most) : most_(most) {}

  const Target* find(const Question& asked) const;  // null too when it has expired
  void remember(const Question& asked, Target target);
  void expire(const Question& asked);
  bool expired(const Question& asked) const;  // and no other one has worked since
  void forget(const Question& asked);

 private:
  std::size_t most_;
  struct Entry {
    Target target;
    bool expired = false;
  };
  std::unordered_map<std::string, Entry> targets_;
  std::deque<std::string> order_;  // oldest first
};

}  // namespace skimfs::fetch
