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

const Url* RedirectMemory::find(const Url& from) const {
  const auto found = targets_.find(from.text());
  return found == targets_.end() || found->second.expired ? nullptr : &found->second.url;
}

void RedirectMemory::expire(const Url& from) {
  const auto found = targets_.find(from.text());
  if (found != targets_.end()) found->second.expired = true;
}

bool RedirectMemory::expired(const Url& from) const {
  const auto found = targets_.find(from.text());
  return found != targets_.end() && found->second.expired;
}

void RedirectMemory::remember(const Url& from, Url target) {
  const auto [entry, added] = targets_.insert_or_assign(from.text(), Target{std::move(target)});
  if (!added) return;
  order_.push_back(entry->first);
  while (order_.size() > most_) {
    targets_.erase(order_.front());
    order_.pop_front();
  }
}

void RedirectMemory::forget(const Url& from) {
  if (targets_.erase(from.text()) != 0) std::erase(order_, from.text());
}

}  // namespace skimfs::fetch
