// SPDX-License-Identifier: MIT
//
// See request_text.h.
#include "fetch/request_text.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "fetch/aws_signature.h"
#include "fetch/credential.h"
#include "fetch/response_head.h"

namespace skimfs::fetch {
namespace {

// A credential may bring its own.
bool is_accept(std::string_view header) noexcept {
  return same_word(header.substr(0, header.find(':')), "Accept");
}

void append(std::string& text, std::string_view header) { text.append(header).append("\r\n"); }

}  // namespace

UrlParts parts_of(std::string_view url) noexcept {
  const std::size_t host = url.find("://") + 3;
  const std::size_t end = std::min(url.find_first_of("/?", host), url.size());
  return {url.substr(0, end), url.substr(host, end - host), url.substr(end)};
}

Result<std::string> request_text(const WireRequest& request, bool to_proxy,
                                 std::chrono::system_clock::time_point now) {
  const UrlParts url = parts_of(request.url);
  const std::string_view method = request.head_only ? "HEAD" : "GET";
  std::string target(url.target);
  if (!target.starts_with('/')) target.insert(0, 1, '/');
  std::vector<std::string> headers = request.headers;
  if (const Credential* credential = request.credential.get()) {
    headers.insert(headers.end(), credential->headers.begin(), credential->headers.end());
    auto more = sign(*credential, method, url.host, target, headers, now);
    if (!more) return tl::unexpected(more.error());
    std::ranges::move(*more, std::back_inserter(headers));
  }
  std::string text(method);
  text.append(" ");
  if (to_proxy) text.append(url.origin);
  append(text.append(target), " HTTP/1.1");
  append(text.append("Host: "), url.host);
  if (std::ranges::none_of(headers, is_accept)) append(text, "Accept: */*");
  for (const std::string& header : headers) append(text, header);
  return text.append("\r\n");
}

}  // namespace skimfs::fetch
