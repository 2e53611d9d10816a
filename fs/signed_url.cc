// SPDX-License-Identifier: MIT
//
// See signed_url.h.  Parameters: AWS "Authenticating Requests: Using Query Parameters (AWS
// Signature Version 4)"; Google "V4 signing process with your own program"; Microsoft "Create a
// service SAS"; CloudFront "Create a signed URL using a canned policy".
#include "fs/signed_url.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace skimfs::fs {
namespace {

bool same_letters(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

bool begins(std::string_view text, std::string_view with) {
  return same_letters(text.substr(0, with.size()), with);
}

template <std::size_t N>
bool among(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::any_of(names.begin(), names.end(),
                     [name](std::string_view each) { return same_letters(name, each); });
}

constexpr std::array<std::string_view, 6> kSigned{"signature",      "expires", "awsaccesskeyid",
                                                  "googleaccessid", "policy",  "key-pair-id"};
// Words so short that they count only beside "sig" and "sv".
constexpr std::array<std::string_view, 16> kShared{"sig", "se",  "sp",    "sv",    "sr",  "st",
                                                   "spr", "sip", "skoid", "sktid", "skt", "ske",
                                                   "sks", "skv", "si",    "sdd"};

std::string_view name_of(std::string_view parameter) {
  return parameter.substr(0, parameter.find('='));
}

// Calls `each` with every parameter of a query.
template <class Each>
void split(std::string_view query, Each each) {
  for (;;) {
    const std::size_t end = query.find('&');
    each(query.substr(0, end));
    if (end == std::string_view::npos) return;
    query.remove_prefix(end + 1);
  }
}

}  // namespace

std::string without_signature(std::string_view url) {
  const std::size_t mark = url.find('?');
  if (mark == std::string_view::npos) return std::string(url);
  const std::string_view query = url.substr(mark + 1);
  bool has_sig = false, has_version = false, is_signed = false;
  split(query, [&](std::string_view each) {
    const std::string_view name = name_of(each);
    has_sig |= same_letters(name, "sig");
    has_version |= same_letters(name, "sv");
    is_signed |= same_letters(name, "signature") || same_letters(name, "x-amz-signature") ||
                 same_letters(name, "x-goog-signature");
  });
  const bool shared = has_sig && has_version;
  if (!shared && !is_signed) return std::string(url);
  std::string out(url.substr(0, mark));
  char joint = '?';
  split(query, [&](std::string_view each) {
    const std::string_view name = name_of(each);
    if (is_signed && (begins(name, "x-amz-") || begins(name, "x-goog-") || among(name, kSigned)))
      return;
    if (shared && among(name, kShared)) return;
    out.push_back(joint);
    out.append(each);
    joint = '&';
  });
  return out;
}

}  // namespace skimfs::fs
