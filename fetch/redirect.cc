// SPDX-License-Identifier: MIT
//
// Redirect rules and memory.
#include "fetch/redirect.h"

#include "fetch/error.h"

namespace skimfs::fetch {

Result<Url> follow(const Url& from, std::string_view location, unsigned hops) {
  const auto refused = tl::unexpected(make_error_code(Errc::redirect_refused));
  if (hops >= kMostRedirects || location.empty()) return refused;
  auto target = from.resolve(location);
  if (!target) return refused;
  if (from.secure() && !target->secure()) return refused;
  return target;
}

std::string Question::text() const {
  // No URL has a space in it.
  return profile.empty() ? url.text() : url.text() + ' ' + std::string(profile);
}

const RedirectMemory::Target* RedirectMemory::find(const Question& asked) const {
  const auto found = targets_.find(asked.text());
  return found == targets_.end() || found->second.expired ? nullptr : &found->second.target;
}

void RedirectMemory::expire(const Question& asked) {
  const auto found = targets_.find(asked.text());
  if (found != targets_.end()) found->second.expired = true;
}

bool RedirectMemory::expired(const Question& asked) const {
  const auto found = targets_.find(asked.text());
  return found != targets_.end() && found->second.expired;
}

void RedirectMemory::remember(const Question& asked, Target target) {
  const auto [entry, added] = targets_.insert_or_assign(asked.text(), Entry{std::move(target)});
  if (!added) return;
  order_.push_back(entry->first);
  while (order_.size() > most_) {
    targets_.erase(order_.front());
    order_.pop_front();
  }
}

void RedirectMemory::forget(const Question& asked) {
  const std::string key = asked.text();
  if (targets_.erase(key) != 0) std::erase(order_, key);
}

}  // namespace skimfs::fetch
