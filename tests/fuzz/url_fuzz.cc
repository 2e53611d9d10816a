// SPDX-License-Identifier: MIT
//
// URLs and Location fields of strangers.
//
// Input: a URL, a line end, a reference.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fetch/redirect.h"
#include "fetch/url.h"

namespace {

using namespace skimfs::fetch;

void require(bool promise) {
  if (!promise) std::abort();
}

void check(const Url& url) {
  require(url.text().starts_with(url.secure() ? "https://" : "http://"));
  require(url.text().find_first_of(std::string_view("\0\r\n #", 5)) == std::string::npos);
  require(url.host_port().rfind(':') != std::string::npos);
  const auto again = Url::parse(url.text());
  require(again && *again == url && again->same_origin(url));
  require(redact(url.text()).find('?') == std::string_view::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view first = text.substr(0, text.find('\n'));
  const std::string_view second = first.size() < size ? text.substr(first.size() + 1) : "";
  const auto url = Url::parse(first);
  if (!url) return 0;
  check(*url);
  const auto target = follow(*url, second, 0);
  if (!target) return 0;
  check(*target);
  require(target->secure() || !url->secure());
  return 0;
}
