// SPDX-License-Identifier: MIT
//
// URLs over curl_url(3).
#include "fetch/url.h"

#include <algorithm>
#include <new>

#include "fetch/curl_handle.h"

namespace skimfs::fetch {
namespace {

constexpr unsigned kParseFlags = CURLU_PATH_AS_IS | CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME;

CurlUrl new_handle() {
  CurlUrl handle(curl_url());
  if (!handle) throw std::bad_alloc();
  return handle;
}

std::string part_of(CURLU* handle, CURLUPart part, unsigned flags = 0) {
  char* raw = nullptr;
  const CURLUcode code = curl_url_get(handle, part, &raw, flags);
  if (code == CURLUE_OUT_OF_MEMORY) throw std::bad_alloc();
  if (code != CURLUE_OK) return {};
  const CurlText text(raw);
  return text.get();
}

// The scheme, host and port parts never hold characters beyond ASCII that have a case.
std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  return text;
}

// What a host may consist of: a name, perhaps beyond ASCII, or an address.  libcurl decodes escapes
// in it, so that anything may be left.
bool is_host(std::string_view host) noexcept {
  if (host.starts_with('[')) return true;  // checked by the parser
  return !host.empty() && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
  });
}

bool set(CURLU* handle, CURLUPart part, std::string_view text, unsigned flags) {
  if (text.find('\0') != std::string_view::npos) return false;
  const CURLUcode code = curl_url_set(handle, part, std::string(text).c_str(), flags);
  if (code == CURLUE_OUT_OF_MEMORY) throw std::bad_alloc();
  return code == CURLUE_OK;
}

}  // namespace

Result<Url> Url::parse(std::string_view text) {
  const auto refused = tl::unexpected(std::make_error_code(std::errc::invalid_argument));
  // libcurl forgives one slash too few or too many; what such a URL means is a guess.
  const std::size_t authority = text.find("://");
  if (authority == std::string_view::npos || text.substr(authority + 3).starts_with('/'))
    return refused;
  const CurlUrl handle = new_handle();
  if (!set(handle.get(), CURLUPART_URL, text, kParseFlags)) return refused;

  const std::string scheme = lower(part_of(handle.get(), CURLUPART_SCHEME));
  if (scheme != "http" && scheme != "https") return refused;
  const std::string host = lower(part_of(handle.get(), CURLUPART_HOST));
  if (!is_host(host)) return refused;
  if (!set(handle.get(), CURLUPART_SCHEME, scheme, 0)) return refused;
  if (!set(handle.get(), CURLUPART_HOST, host, 0)) return refused;
  curl_url_set(handle.get(), CURLUPART_FRAGMENT, nullptr, 0);

  Url url;
  url.text_ = part_of(handle.get(), CURLUPART_URL, CURLU_NO_DEFAULT_PORT);
  url.host_port_ = host + ':' + part_of(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  url.secure_ = scheme == "https";
  if (url.text_.empty()) return refused;
  return url;
}

Result<Url> Url::resolve(std::string_view reference) const {
  const auto refused = tl::unexpected(std::make_error_code(std::errc::invalid_argument));
  const CurlUrl handle = new_handle();
  if (!set(handle.get(), CURLUPART_URL, text_, kParseFlags)) return refused;
  // Servers do send spaces in Location; browsers encode them, and nothing else.
  if (!set(handle.get(), CURLUPART_URL, reference, kParseFlags | CURLU_URLENCODE)) return refused;
  return parse(part_of(handle.get(), CURLUPART_URL));
}

std::string_view redact(std::string_view url) noexcept { return url.substr(0, url.find('?')); }

}  // namespace skimfs::fetch
