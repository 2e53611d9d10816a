// SPDX-License-Identifier: MIT
//
// The acceptance rules.
#include "fetch/accept.h"

#include <algorithm>

#include "fetch/header_parse.h"

namespace skimfs::fetch {
namespace {

tl::unexpected<Refusal> refuse(Errc code, const char* what) {
  return tl::unexpected(Refusal{code, what});
}

bool coded(const ResponseHead& head) noexcept {
  return std::ranges::any_of(head.fields, [](const HeaderField& field) {
    return same_word(field.name, "Content-Encoding") && !field.value.empty() &&
           !same_word(field.value, "identity");
  });
}

bool multipart(const ResponseHead& head) noexcept {
  constexpr std::string_view kPrefix = "multipart/";
  return same_word(head.value("Content-Type").substr(0, kPrefix.size()), kPrefix);
}

// What the head declares of the body's length; empty: chunked, or until the connection closes.
Verdict<std::optional<std::uint64_t>> declared_length(const ResponseHead& head) noexcept {
  const unsigned lengths = head.count("Content-Length");
  const unsigned codings = head.count("Transfer-Encoding");
  if (codings > 0) {
    // Both at once is how responses are smuggled (RFC 9112 section 6.3).
    if (codings > 1 || lengths > 0 || !same_word(head.value("Transfer-Encoding"), "chunked"))
      return refuse(Errc::bad_response, "transfer_encoding");
    return std::nullopt;
  }
  if (lengths == 0) return std::nullopt;
  const auto length = parse_length(head.value("Content-Length"));
  if (lengths > 1 || !length) return refuse(Errc::bad_length, "bad_length");
  return length;
}

// The only range of a 206.
Verdict<ContentRange> only_range(const ResponseHead& head) {
  if (multipart(head)) return refuse(Errc::bad_response, "multipart");
  if (coded(head)) return refuse(Errc::bad_response, "content_encoding");
  if (head.count("Content-Range") != 1) return refuse(Errc::bad_response, "bad_content_range");
  const auto range = parse_content_range(head.value("Content-Range"));
  if (!range) {
    const bool length = range.error() == make_error_code(Errc::bad_length);
    return refuse(length ? Errc::bad_length : Errc::bad_response, "bad_content_range");
  }
  if (!range->range) return refuse(Errc::bad_response, "bad_content_range");
  return *range;
}

Verdict<Slice> accept_part(const ResponseHead& head, ByteRange asked, const Version& expect) {
  const auto part = only_range(head);
  if (!part) return refuse(Errc::bad_response, part.error().what);
  const ByteRange got = *part->range;

  Version seen = version_of(head);
  if (!is_version(expect, seen)) return refuse(Errc::changed, "changed");
  if (expect.total && got.last >= *expect.total) return refuse(Errc::changed, "changed");

  if (got.first > asked.first || got.last < asked.first || asked.first - got.first > kMostSkipped)
    return refuse(Errc::bad_response, "bad_content_range");
  const auto declared = declared_length(head);
  if (!declared) return refuse(Errc::bad_response, declared.error().what);
  if (*declared && **declared != got.length()) return refuse(Errc::bad_response, "bad_length");
  // Bytes of a body without a declared length are held back to its end, so a cut range would have
  // to be fetched again for ever.
  if (!*declared && got.last < asked.last) return refuse(Errc::bad_response, "bad_content_range");

  return Slice{.skip = asked.first - got.first,
               .length = std::min(asked.last, got.last) - asked.first + 1,
               .body = got.length(),
               .counted = declared->has_value(),
               .seen = std::move(seen)};
}

// A 200 holds the whole representation from its first byte.
Verdict<Slice> accept_whole(const ResponseHead& head, ByteRange asked, const Version& expect) {
  if (coded(head)) return refuse(Errc::bad_response, "content_encoding");
  const auto declared = declared_length(head);
  if (!declared) return refuse(Errc::bad_response, declared.error().what);
  if (!*declared || **declared != asked.last + 1)
    return refuse(Errc::ranges_ignored, "unexpected_200");

  Version seen = version_of(head);
  if (!is_version(expect, seen)) return refuse(Errc::changed, "changed");
  return Slice{.skip = asked.first,
               .length = asked.length(),
               .body = **declared,
               .counted = true,
               .seen = std::move(seen)};
}

Refusal refusal_for_status(int status) noexcept {
  switch (status) {
    case 400:
      return {Errc::range_refused, "range_refused"};
    case 401:
    case 403:
      return {Errc::denied, "auth"};
    case 407:
      return {Errc::denied, "proxy_denied"};
    case 404:
    case 410:
      return {Errc::missing, "gone"};
    case 412:
      return {Errc::changed, "changed"};
    case 429:
    case 503:
      return {Errc::too_busy, "throttled"};
    case 408:
    case 425:
      return {Errc::server_failed, "server_error"};
    default:
      if (status >= 500) return {Errc::server_failed, "server_error"};
      return {Errc::bad_response, "unexpected_status"};
  }
}

}  // namespace

std::optional<std::uint64_t> body_length(const ResponseHead& head) noexcept {
  return declared_length(head).value_or(std::nullopt);
}

Version version_of(const ResponseHead& head) {
  Version seen;
  if (head.status == 200) {
    if (!coded(head)) seen.total = body_length(head);
  } else if (head.count("Content-Range") == 1) {
    if (const auto range = parse_content_range(head.value("Content-Range")))
      seen.total = range->total;
  }
  if (head.status != 200 && head.status != 206) return seen;  // other fields describe an error page
  if (head.count("ETag") == 1 && is_etag(head.value("ETag"))) seen.etag = head.value("ETag");
  if (head.count("Last-Modified") == 1)
    seen.last_modified = parse_http_date(head.value("Last-Modified"));
  return seen;
}

bool is_version(const Version& expect, const Version& seen) noexcept {
  if (expect.total && seen.total && *expect.total != *seen.total) return false;
  if (is_strong_etag(expect.etag)) return same_strong_etag(expect.etag, seen.etag);
  if (!expect.etag.empty() && !same_weak_etag(expect.etag, seen.etag)) return false;
  return !expect.last_modified || expect.last_modified == seen.last_modified;
}

Verdict<Slice> accept(const ResponseHead& head, ByteRange asked, const Version& expect,
                      bool whole) {
  switch (head.status) {
    case 206:
      return accept_part(head, asked, expect);
    case 200:
      if (!whole) return refuse(Errc::ranges_ignored, "range_ignored");
      return accept_whole(head, asked, expect);
    case 416: {
      const Version seen = version_of(head);
      const bool other = seen.total && expect.total && *seen.total != *expect.total;
      return other ? refuse(Errc::changed, "changed")
                   : refuse(Errc::range_refused, "range_refused");
    }
    default:
      return tl::unexpected(refusal_for_status(head.status));
  }
}

Verdict<Version> accept_probe(const ResponseHead& head) {
  Version seen = version_of(head);
  switch (head.status) {
    case 206: {
      // How webfs says "empty", against RFC 9110.
      if (head.value("Content-Range") == "bytes 0--1/0") {
        seen.total = 0;
        break;
      }
      const auto part = only_range(head);
      if (!part) return tl::unexpected(part.error());
      if (part->range->first != 0) return refuse(Errc::bad_response, "bad_content_range");
      break;
    }
    case 200: {
      if (coded(head)) return refuse(Errc::no_length, "content_encoding");
      const auto declared = declared_length(head);
      if (!declared) return tl::unexpected(declared.error());
      // Some servers send the range that was asked for, and call it 200.
      if (head.count("Content-Range") > 0) return refuse(Errc::range_refused, "bad_content_range");
      break;
    }
    case 416:  // how some servers answer for an empty file
      if (seen.total != 0u) return refuse(Errc::range_refused, "range_refused");
      break;
    case 412:  // to a request without conditions
      return refuse(Errc::bad_response, "unexpected_status");
    default:
      return tl::unexpected(refusal_for_status(head.status));
  }
  if (!seen.total) return refuse(Errc::no_length, "unknown_size");
  return seen;
}

}  // namespace skimfs::fetch
