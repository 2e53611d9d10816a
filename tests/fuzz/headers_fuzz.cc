// SPDX-License-Identifier: MIT
//
// Response heads of strangers: every value parser, and what acceptance promises of its result.
//
// Input: the status as two bytes, then "Name: value" lines.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "fetch/accept.h"
#include "fetch/header_parse.h"

namespace {

using namespace skimfs::fetch;

constexpr ByteRange kAsked{1000, 1999};
constexpr std::uint64_t kTotal = 5000;

void require(bool promise) {
  if (!promise) std::abort();
}

void values(std::string_view value) {
  if (const auto length = parse_length(value)) require(*length <= INT64_MAX);
  if (const auto date = parse_http_date(value)) {
    require(*date >= 0);
    require(parse_http_date(format_http_date(*date)) == date);
  }
  if (const auto wait = parse_retry_after(value, 784111777))
    require(wait->count() >= 0 && wait->count() <= 86400);
  if (is_etag(value)) require(same_weak_etag(value, value));
  require(same_strong_etag(value, value) == is_strong_etag(value));
  if (const auto range = parse_content_range(value)) {
    require(range->range || range->total);
    if (range->range) require(range->range->first <= range->range->last);
    if (range->range && range->total) require(range->range->last < *range->total);
  }
}

void slices(const ResponseHead& head, const Version& expect, bool whole) {
  const ByteRange asked = whole ? ByteRange{0, kTotal - 1} : kAsked;
  const auto slice = accept(head, asked, expect, whole);
  if (!slice) return require(slice.error().what != nullptr);
  require(head.status == 206 || (whole && head.status == 200));
  require(slice->length >= 1 && slice->length <= asked.length());
  require(slice->skip + slice->length <= slice->body);
  require(head.status == 200 || slice->skip <= kMostSkipped);
  require(slice->counted || slice->length == asked.length());
  require(is_version(expect, slice->seen));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  // Mostly the statuses that carry bytes.
  constexpr int kStatuses[] = {206, 206, 206, 200, 416, 412, 404, 503};
  const int status = data[0] < 128 ? kStatuses[data[0] % 8] : data[0] * 256 + data[1];
  std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);

  std::vector<HeaderField> fields;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos) continue;
    fields.push_back({line.substr(0, colon), line.substr(colon + 2)});
    values(fields.back().value);
  }
  const ResponseHead head{status, fields};
  for (const Version& expect :
       {Version{}, Version{kTotal, "\"v1\"", {}}, Version{kTotal, "W/\"v1\"", 784111777},
        Version{kTotal, "", 784111777}}) {
    slices(head, expect, false);
    slices(head, expect, true);
  }
  if (const auto seen = accept_probe(head)) require(seen->total && *seen->total <= INT64_MAX);
  return 0;
}
