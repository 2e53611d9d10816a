// SPDX-License-Identifier: MIT
//
// Redirect rules and memory.
#include "fetch/redirect.h"

#include <utility>

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

const RedirectMemory::Entry* RedirectMemory::entry(const Question& asked) const {
  const auto found = by_question_.find(asked.text());
  return found == by_question_.end() ? nullptr : &*found->second;
}

const RedirectMemory::Target* RedirectMemory::find(const Question& asked) const {
  const Entry* known = entry(asked);
  return known == nullptr || known->expired ? nullptr : &known->target;
}

bool RedirectMemory::expired(const Question& asked) const {
  const Entry* known = entry(asked);
  return known != nullptr && known->expired;
}

void RedirectMemory::expire(const Question& asked) {
  const auto found = by_question_.find(asked.text());
  if (found != by_question_.end()) found->second->expired = true;
}

void RedirectMemory::remember(const Question& asked, Target target) {
  forget(asked);
  Entries added;
  added.push_back({asked.text(), std::move(target)});
  by_question_.emplace(added.front().question, added.begin());
  bytes_ += added.front().bytes();
  entries_.splice(entries_.end(), added);
  while (entries_.size() > most_ || bytes_ > most_bytes_) drop(entries_.begin());
}

void RedirectMemory::forget(const Question& asked) {
  const auto found = by_question_.find(asked.text());
  if (found != by_question_.end()) drop(found->second);
}

void RedirectMemory::drop(Entries::iterator entry) noexcept {
  bytes_ -= entry->bytes();
  by_question_.erase(entry->question);
  entries_.erase(entry);
}

}  // namespace skimfs::fetch
