// SPDX-License-Identifier: MIT
//
// Strict readers for the few header values that decide about bytes.
#include "fetch/header_parse.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "fetch/error.h"

namespace skimfs::fetch {
namespace {

constexpr std::size_t kLongestEtag = 512;
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool all_digits(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, is_digit);
}

// Takes fixed pieces off the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : rest_(text) {}

  bool literal(std::string_view expected) noexcept {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }

  // Exactly `digits` digits.
  bool number(std::size_t digits, int& value) noexcept {
    if (rest_.size() < digits || !all_digits(rest_.substr(0, digits))) return false;
    std::from_chars(rest_.data(), rest_.data() + digits, value);
    rest_.remove_prefix(digits);
    return true;
  }

  bool month(int& value) noexcept {
    const auto found = std::ranges::find(kMonths, rest_.substr(0, 3));
    if (found == kMonths.end()) return false;
    value = static_cast<int>(found - kMonths.begin()) + 1;
    rest_.remove_prefix(3);
    return true;
  }

  // A day's name: its first three letters, then any other letters.  The day itself is redundant.
  bool day_name() noexcept {
    if (std::ranges::find(kDays, rest_.substr(0, 3)) == kDays.end()) return false;
    while (!rest_.empty() && ((rest_[0] | 0x20) >= 'a' && (rest_[0] | 0x20) <= 'z'))
      rest_.remove_prefix(1);
    return true;
  }

  bool done() const noexcept { return rest_.empty(); }

 private:
  std::string_view rest_;
};

struct Calendar {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;

  std::optional<std::int64_t> seconds() const noexcept {
    using namespace std::chrono;
    const year_month_day date{std::chrono::year(year), std::chrono::month(unsigned(month)),
                              std::chrono::day(unsigned(day))};
    if (!date.ok() || year < 1970 || hour > 23 || minute > 59 || second > 60) return {};
    const std::int64_t days = sys_days(date).time_since_epoch().count();
    return days * 86400 + hour * 3600 + minute * 60 + second;
  }
};

bool clock_time(Scanner& scan, Calendar& date) noexcept {
  return scan.number(2, date.hour) && scan.literal(":") && scan.number(2, date.minute) &&
         scan.literal(":") && scan.number(2, date.second);
}

// "Sun, 06 Nov 1994 08:49:37 GMT"
bool imf_fixdate(Scanner scan, Calendar& date) noexcept {
  return scan.day_name() && scan.literal(", ") && scan.number(2, date.day) && scan.literal(" ") &&
         scan.month(date.month) && scan.literal(" ") && scan.number(4, date.year) &&
         scan.literal(" ") && clock_time(scan, date) && scan.literal(" GMT") && scan.done();
}

// "Sunday, 06-Nov-94 08:49:37 GMT"
bool rfc850(Scanner scan, Calendar& date) noexcept {
  if (!(scan.day_name() && scan.literal(", ") && scan.number(2, date.day) && scan.literal("-") &&
        scan.month(date.month) && scan.literal("-") && scan.number(2, date.year) &&
        scan.literal(" ") && clock_time(scan, date) && scan.literal(" GMT") && scan.done()))
    return false;
  date.year += date.year < 70 ? 2000 : 1900;
  return true;
}

// "Sun Nov  6 08:49:37 1994"
bool asctime(Scanner scan, Calendar& date) noexcept {
  if (!(scan.day_name() && scan.literal(" ") && scan.month(date.month) && scan.literal(" ")))
    return false;
  if (!(scan.literal(" ") ? scan.number(1, date.day) : scan.number(2, date.day))) return false;
  return scan.literal(" ") && clock_time(scan, date) && scan.literal(" ") &&
         scan.number(4, date.year) && scan.done();
}

std::string_view opaque_part(std::string_view etag) noexcept {
  return etag.starts_with("W/") ? etag.substr(2) : etag;
}

}  // namespace

std::string_view field_name(std::string_view line) noexcept {
  using namespace std::string_view_literals;
  // A line that begins with a blank continues the one before (RFC 9112 section 5.2): obsolete, and
  // a way to hide a field.
  const auto odd = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; };
  const std::size_t colon = line.find(':');
  if (colon == line.npos || line.starts_with("HTTP/") ||
      line.find_first_of("\0\r\n"sv) != line.npos)
    return {};
  const std::string_view name = line.substr(0, colon);
  return std::ranges::any_of(name, odd) ? std::string_view() : name;
}

std::string_view without_blanks(std::string_view text) noexcept {
  constexpr std::string_view kBlanks = " \t";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::optional<std::uint64_t> parse_length(std::string_view value) noexcept {
  if (!all_digits(value)) return {};
  std::int64_t length = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
  if (error != std::errc() || end != value.data() + value.size()) return {};
  return static_cast<std::uint64_t>(length);
}

Result<ContentRange> parse_content_range(std::string_view value) noexcept {
  const auto bad = [](Errc code) { return tl::unexpected(make_error_code(code)); };
  constexpr std::string_view kUnit = "bytes ";
  const auto same = [](char a, char b) { return (a | 0x20) == (b | 0x20); };
  if (!std::ranges::equal(value.substr(0, kUnit.size()), kUnit, same))
    return bad(Errc::bad_response);
  value.remove_prefix(kUnit.size());

  const std::size_t slash = value.find('/');
  if (slash == std::string_view::npos) return bad(Errc::bad_response);
  const std::string_view range = value.substr(0, slash);
  const std::string_view total = value.substr(slash + 1);

  ContentRange result;
  if (total != "*") {
    result.total = parse_length(total);
    if (!result.total) return bad(Errc::bad_length);
  }
  if (range == "*") {
    if (!result.total) return bad(Errc::bad_response);
    return result;
  }

  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return bad(Errc::bad_response);
  const auto first = parse_length(range.substr(0, dash));
  const auto last = parse_length(range.substr(dash + 1));
  if (!first || !last || *last < *first) return bad(Errc::bad_length);
  if (result.total && *last >= *result.total) return bad(Errc::bad_length);
  result.range = ByteRange{*first, *last};
  return result;
}

std::optional<std::int64_t> parse_http_date(std::string_view value) noexcept {
  Calendar date;
  for (const auto form : {imf_fixdate, rfc850, asctime})
    if (form(Scanner(value), date)) return date.seconds();
  return {};
}

std::string format_http_date(std::int64_t seconds) {
  using namespace std::chrono;
  const sys_seconds time{std::chrono::seconds(seconds)};
  const sys_days day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02u %s %04d %02d:%02d:%02d GMT",
                kDays[weekday(day).c_encoding()].data(), unsigned(date.day()),
                kMonths[unsigned(date.month()) - 1].data(), int(date.year()),
                int(clock.hours().count()), int(clock.minutes().count()),
                int(clock.seconds().count()));
  return text;
}

std::optional<std::chrono::seconds> parse_retry_after(std::string_view value,
                                                      std::int64_t now) noexcept {
  if (const auto seconds = parse_length(value)) {
    // More than a day is "not today"; the sum with a time point must not overflow.
    return std::chrono::seconds(std::min<std::uint64_t>(*seconds, 86400));
  }
  const auto date = parse_http_date(value);
  if (!date) return {};
  return std::chrono::seconds(std::clamp<std::int64_t>(*date - now, 0, 86400));
}

bool is_etag(std::string_view value) noexcept {
  const std::string_view tag = opaque_part(value);
  if (value.size() > kLongestEtag || tag.size() < 2 || tag.front() != '"' || tag.back() != '"')
    return false;
  const std::string_view inside = tag.substr(1, tag.size() - 2);
  return std::ranges::all_of(inside, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f && byte != '"';
  });
}

bool is_strong_etag(std::string_view value) noexcept {
  return is_etag(value) && value.front() == '"';
}

bool same_strong_etag(std::string_view a, std::string_view b) noexcept {
  return is_strong_etag(a) && a == b;
}

bool same_weak_etag(std::string_view a, std::string_view b) noexcept {
  return is_etag(a) && is_etag(b) && opaque_part(a) == opaque_part(b);
}

}  // namespace skimfs::fetch
