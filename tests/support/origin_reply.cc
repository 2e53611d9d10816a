// SPDX-License-Identifier: MIT
//
// First which bytes answer (RFC 9110 sections 13, 14), then how the head tells it, right or wrong.
#include "tests/support/origin_reply.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <optional>

#include "tests/support/body.h"

namespace skimfs::test {
namespace {

struct Span {
  std::uint64_t first = 0, last = 0;  // inclusive
  std::uint64_t length() const noexcept { return last - first + 1; }
};

constexpr std::string_view kBoundary = "THIS_IS_A_BOUNDARY";

std::string http_date(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[40];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

std::optional<std::int64_t> parse_http_date(std::string_view text) {
  std::tm parts{};
  const char* end = strptime(std::string(text).c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr) return {};
  return timegm(&parts);
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

enum class Asked { nothing, range, beyond };

// One range; several, or anything malformed, count as none (RFC 9110 section 14.2 allows that).
Asked parse_range(std::string_view value, std::uint64_t size, Span& span) {
  if (!value.starts_with("bytes=")) return Asked::nothing;
  value.remove_prefix(6);
  const auto dash = value.find('-');
  if (dash == value.npos) return Asked::nothing;
  const auto first = number(value.substr(0, dash)), last = number(value.substr(dash + 1));
  if (dash == 0) {
    if (!last) return Asked::nothing;
    if (*last == 0 || size == 0) return Asked::beyond;
    span = {size - std::min(*last, size), size - 1};
    return Asked::range;
  }
  if (!first || (!last && dash + 1 != value.size())) return Asked::nothing;
  if (last && *last < *first) return Asked::nothing;
  if (*first >= size) return Asked::beyond;
  span = {*first, std::min(last.value_or(size - 1), size - 1)};
  return Asked::range;
}

std::string shown_etag(const OriginFile& file, const Behaviour& behaviour, unsigned turn) {
  const std::string strong = etag_of(file);
  switch (behaviour.validators) {
    case Validators::both:
    case Validators::etag_only:
      return strong;
    case Validators::weak:
      return "W/" + strong;
    case Validators::flipping:
      return fmt::format("{}-{}\"", strong.substr(0, strong.size() - 1), turn % 2);
    case Validators::date_only:
    case Validators::none:
      return {};
  }
  return {};
}

bool shows_date(const Behaviour& behaviour) {
  return behaviour.validators != Validators::etag_only && behaviour.validators != Validators::none;
}

bool precondition_fails(const OriginRequest& request, const OriginFile& file,
                        const Behaviour& behaviour, unsigned turn) {
  if (!behaviour.heed_conditions) return false;
  const auto match = request.header("if-match");
  if (!match.empty()) return match != "*" && match != shown_etag(file, behaviour, turn);
  const auto since = parse_http_date(request.header("if-unmodified-since"));
  return since && shows_date(behaviour) && last_modified_of(file) > *since;
}

class HeadWriter {
 public:
  explicit HeadWriter(int status)
      : text_(fmt::format("HTTP/1.1 {} {}\r\n", status, reason(status))) {}

  void line(std::string_view text) { text_.append(text).append("\r\n"); }
  void field(std::string_view name, std::string_view value) {
    text_.append(name).append(": ").append(value).append("\r\n");
  }
  std::string finish() {
    text_ += "\r\n";
    return std::move(text_);
  }

 private:
  static std::string_view reason(int status) {
    switch (status) {
      case 200:
        return "OK";
      case 206:
        return "Partial Content";
      case 404:
        return "Not Found";
      default:
        return "Whatever";
    }
  }
  std::string text_;
};

void write_length(HeadWriter& head, Length how, std::uint64_t length, OriginReply& reply) {
  const auto tell = [&](const auto& value) {
    head.field("Content-Length", fmt::format("{}", value));
  };
  switch (how) {
    case Length::exact:
      return tell(length);
    case Length::one_less:
      return tell(length - 1);
    case Length::one_more:
      return tell(length + 1);
    case Length::huge:
      return tell(std::uint64_t{1} << 63);
    case Length::negative:
      return tell(-1);
    case Length::with_sign:
      return tell(fmt::format("+{}", length));
    case Length::hexadecimal:
      return tell(fmt::format("{:#x}", length));
    case Length::twice:
      tell(length);
      return tell(length + 1);
    case Length::absent:
      reply.length_known = false;
      return;
    case Length::chunked:
      reply.chunked = true;
      return head.field("Transfer-Encoding", "chunked");
  }
}

// `span` empty: of an unsatisfied range.
void write_content_range(HeadWriter& head, ContentRange how, std::string_view span,
                         std::uint64_t size) {
  const auto tell = [&](const auto& total) {
    head.field("Content-Range", fmt::format("bytes {}/{}", span.empty() ? "*" : span, total));
  };
  switch (how) {
    case ContentRange::exact:
      return tell(size);
    case ContentRange::missing:
      return;
    case ContentRange::malformed:
      return head.field("Content-Range", fmt::format("bytes={}", span));
    case ContentRange::twice:
      tell(size);
      return tell(size);
    case ContentRange::unknown_total:
      return tell("*");
    case ContentRange::other_total:
      return tell(size + 1);
    case ContentRange::huge_total:
      return tell(std::uint64_t{1} << 63);
    case ContentRange::negative_total:
      return tell(-1);
    case ContentRange::signed_total:
      return tell(fmt::format("+{}", size));
    case ContentRange::hexadecimal_total:
      return tell(fmt::format("{:#x}", size));
  }
}

void write_common(HeadWriter& head, const OriginFile& file, const Behaviour& behaviour,
                  unsigned turn) {
  if (const auto etag = shown_etag(file, behaviour, turn); !etag.empty()) head.field("ETag", etag);
  if (shows_date(behaviour)) head.field("Last-Modified", http_date(last_modified_of(file)));
  if (!behaviour.encoding.empty()) head.field("Content-Encoding", behaviour.encoding);
}

void write_last(HeadWriter& head, const Behaviour& behaviour) {
  head.field("Date", http_date(std::time(nullptr)));
  if (behaviour.ending == Ending::close) head.field("Connection", "close");
  for (std::size_t left = behaviour.header_padding; left > 0;) {
    const std::size_t length = std::min<std::size_t>(left, 4000);
    head.field("X-Padding", std::string(length, 'x'));
    left -= length;
  }
  for (const auto& line : behaviour.headers) head.line(line);
}

std::uint64_t length_of(const std::vector<OriginPiece>& body) {
  std::uint64_t sum = 0;
  for (const auto& piece : body) sum += piece.text.empty() ? piece.length : piece.text.size();
  return sum;
}

void finish(OriginReply& reply, HeadWriter& head, const Behaviour& behaviour, bool body_wanted) {
  write_length(head, behaviour.length, length_of(reply.body), reply);
  write_last(head, behaviour);
  reply.head = head.finish();
  if (!body_wanted) {
    reply.body.clear();
    reply.chunked = false;
    reply.length_known = true;
  } else if (behaviour.extra_bytes > 0 || !behaviour.extra_text.empty()) {
    reply.body.push_back({std::string(behaviour.extra_bytes, '+') + behaviour.extra_text});
  }
}

OriginReply text_reply(int status, const OriginFile& file, const Behaviour& behaviour,
                       bool body_wanted) {
  OriginReply reply;
  reply.status = status;
  reply.body = {{fmt::format("<html><h1>{}</h1>this text is no file's content</html>\n", status)}};
  HeadWriter head(status);
  head.field("Content-Type", "text/html");
  if (!behaviour.location.empty()) head.field("Location", behaviour.location);
  if (behaviour.retry_after) head.field("Retry-After", std::to_string(*behaviour.retry_after));
  if (status == 416) write_content_range(head, behaviour.content_range, {}, file.size);
  finish(reply, head, behaviour, body_wanted);
  return reply;
}

OriginReply whole_reply(const OriginFile& file, const Behaviour& behaviour, unsigned turn,
                        bool body_wanted) {
  const int status = behaviour.status != 0 ? behaviour.status : 200;
  OriginReply reply;
  reply.status = status;
  if (file.size > 0) reply.body = {{{}, 0, file.size}};
  HeadWriter head(status);
  head.field("Content-Type", "application/octet-stream");
  write_common(head, file, behaviour, turn);
  finish(reply, head, behaviour, body_wanted);
  return reply;
}

// The range that is served, and the one the head claims.
struct Served {
  Span claimed;
  std::uint64_t from = 0;  // first byte really sent
};

Served served(Ranges how, Span asked, std::uint64_t size) {
  switch (how) {
    case Ranges::shifted: {
      Span span = asked;
      if (span.last + 1 < size) {
        ++span.first, ++span.last;
      } else if (span.first > 0) {
        --span.first, --span.last;
      } else {
        span.first = std::min(span.first + 1, span.last);
      }
      return {span, span.first};
    }
    case Ranges::lying:
      return {asked, asked.first + 1};
    case Ranges::wider: {
      const Span span{asked.first - std::min<std::uint64_t>(asked.first, 512),
                      std::min(asked.last + 512, size - 1)};
      return {span, span.first};
    }
    case Ranges::shorter:
      return {{asked.first, asked.first + (asked.length() - 1) / 2}, asked.first};
    case Ranges::whole:
      return {{0, size - 1}, 0};
    default:
      return {asked, asked.first};
  }
}

OriginReply range_reply(const OriginFile& file, const Behaviour& behaviour, unsigned turn,
                        Span asked, bool body_wanted) {
  const Served part = served(behaviour.ranges, asked, file.size);
  const std::string span = fmt::format("{}-{}", part.claimed.first, part.claimed.last);
  const int status = behaviour.status != 0 ? behaviour.status : 206;
  OriginReply reply;
  reply.status = status;
  HeadWriter head(status);
  write_common(head, file, behaviour, turn);
  if (behaviour.ranges == Ranges::multipart) {
    head.field("Content-Type", fmt::format("multipart/byteranges; boundary={}", kBoundary));
    reply.body = {
        {fmt::format("\r\n--{}\r\nContent-Range: bytes {}/{}\r\n\r\n", kBoundary, span, file.size)},
        {{}, part.from, part.claimed.length()},
        {fmt::format("\r\n--{}--\r\n", kBoundary)}};
  } else {
    head.field("Content-Type", "application/octet-stream");
    write_content_range(head, behaviour.content_range, span, file.size);
    reply.body = {{{}, part.from, part.claimed.length()}};
  }
  finish(reply, head, behaviour, body_wanted);
  return reply;
}

OriginReply empty_reply(const OriginFile& file, const Behaviour& behaviour, unsigned turn,
                        bool body_wanted) {
  switch (behaviour.empty) {
    case Empty::ok:
      return whole_reply(file, behaviour, turn, body_wanted);
    case Empty::unsatisfiable:
      return text_reply(416, file, behaviour, body_wanted);
    case Empty::bad_request:
      return text_reply(400, file, behaviour, body_wanted);
    case Empty::backward_range:
      break;
  }
  OriginReply reply;
  reply.status = 206;
  HeadWriter head(206);
  write_common(head, file, behaviour, turn);
  head.field("Content-Range", "bytes 0--1/0");
  finish(reply, head, behaviour, body_wanted);
  return reply;
}

}  // namespace

std::string_view OriginRequest::header(std::string_view name) const noexcept {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

std::string OriginRequest::path() const { return target.substr(0, target.find('?')); }

bool parse_request(std::string_view head, OriginRequest& request) {
  const auto line_of = [&head] {
    const auto end = head.find("\r\n");
    const auto line = head.substr(0, end);
    head.remove_prefix(end == head.npos ? head.size() : end + 2);
    return line;
  };
  const auto first = line_of();
  const auto one = first.find(' '), two = first.rfind(' ');
  if (one == first.npos || two <= one || !first.substr(two + 1).starts_with("HTTP/1."))
    return false;
  request.method = first.substr(0, one);
  request.target = first.substr(one + 1, two - one - 1);
  while (!head.empty()) {
    const auto line = line_of();
    const auto colon = line.find(':');
    if (colon == line.npos) return false;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto value = line.find_first_not_of(" \t", colon + 1);
    request.headers.emplace_back(std::move(name),
                                 value == line.npos ? std::string_view{} : line.substr(value));
  }
  return true;
}

std::string etag_of(const OriginFile& file) {
  std::string tag = "\"";
  for (const char c : Body(file.path, file.validator).text(0, 6)) {
    tag += fmt::format("{:02x}", static_cast<unsigned char>(c));
  }
  return tag + '"';
}

std::int64_t last_modified_of(const OriginFile& file) noexcept {
  return 1700000000 + 1000 * std::int64_t{file.validator};
}

OriginReply make_reply(const OriginRequest& request, const OriginFile& file,
                       const Behaviour& behaviour, unsigned turn) {
  const bool body_wanted = request.method != "HEAD";
  if (!body_wanted && behaviour.refuse_head) return text_reply(405, file, behaviour, false);
  if (behaviour.portal) return text_reply(200, file, behaviour, body_wanted);
  if (!behaviour.location.empty()) {
    return text_reply(behaviour.status != 0 ? behaviour.status : 302, file, behaviour, body_wanted);
  }
  if (behaviour.status != 0 && behaviour.status / 100 != 2) {
    return text_reply(behaviour.status, file, behaviour, body_wanted);
  }
  if (precondition_fails(request, file, behaviour, turn)) {
    return text_reply(412, file, behaviour, body_wanted);
  }
  Span span;
  switch (parse_range(request.header("range"), file.size, span)) {
    case Asked::nothing:
      return whole_reply(file, behaviour, turn, body_wanted);
    case Asked::beyond:
      if (file.size == 0) return empty_reply(file, behaviour, turn, body_wanted);
      if (behaviour.ranges == Ranges::ignored) break;
      return text_reply(416, file, behaviour, body_wanted);
    case Asked::range:
      if (behaviour.ranges == Ranges::ignored) break;
      if (behaviour.ranges == Ranges::refused) return text_reply(416, file, behaviour, body_wanted);
      return range_reply(file, behaviour, turn, span, body_wanted);
  }
  return whole_reply(file, behaviour, turn, body_wanted);
}

OriginReply make_not_found() { return text_reply(404, {}, {}, true); }

}  // namespace skimfs::test
