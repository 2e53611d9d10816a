// SPDX-License-Identifier: MIT
//
// Where a redirect may lead, and where earlier ones led.
#pragma once

#include <cstddef>
#include <list>
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
// expired and is asked for again.  Bounded in number and bytes: a target may be as long as a head,
// 64 KiB.  The oldest goes first.  One thread.
class RedirectMemory {
 public:
  struct Target {
    Url url;
    bool from_public = false;  // a server of the whole Internet has led there
  };

  // `most_bytes`: of questions and targets as text.
  RedirectMemory(std::size_t most, std::size_t most_bytes) : most_(most), most_bytes_(most_bytes) {}

  const Target* find(const Question& asked) const;  // null too when it has expired
  void remember(const Question& asked, Target target);
  void expire(const Question& asked);
  bool expired(const Question& asked) const;  // and no other one has worked since
  void forget(const Question& asked);

 private:
  struct Entry {
    std::string question;
    Target target;
    bool expired = false;

    std::size_t bytes() const noexcept { return question.size() + target.url.text().size(); }
  };
  using Entries = std::list<Entry>;

  const Entry* entry(const Question& asked) const;  // null: there is none
  void drop(Entries::iterator entry) noexcept;

  const std::size_t most_, most_bytes_;
  std::size_t bytes_ = 0;
  Entries entries_;  // oldest first
  std::unordered_map<std::string_view, Entries::iterator> by_question_;
};

}  // namespace skimfs::fetch
