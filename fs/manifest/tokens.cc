// SPDX-License-Identifier: MIT
//
// See tokens.h.
#include "fs/manifest/tokens.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <string>

#include "fs/manifest/encoding.h"

namespace skimfs::fs::manifest {
namespace {

constexpr bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

[[noreturn]] void fail(std::size_t at, std::string message) {
  throw BadText{at, std::move(message)};
}

// What stands before `mark`, or all of it; `rest` gets what follows the mark.
std::string_view take_until(std::string_view word, char mark,
                            std::optional<std::string_view>& rest) {
  const std::size_t at = word.find(mark);
  rest.reset();
  if (at != std::string_view::npos) rest = word.substr(at + 1);
  return word.substr(0, at);
}

// Exactly `count` digits at `at`.
unsigned digits(std::string_view word, std::size_t at, std::size_t count) {
  unsigned value = 0;
  for (std::size_t end = at + count; at < end; ++at) {
    if (at >= word.size() || !is_digit(word[at])) {
      fail(at, "bad time: wanted e.g. 2024-05-01T12:00:00Z");
    }
    value = value * 10 + static_cast<unsigned>(word[at] - '0');
  }
  return value;
}

void punctuation(std::string_view word, std::size_t at, char wanted) {
  if (at >= word.size() || word[at] != wanted) {
    fail(at, "bad time: wanted e.g. 2024-05-01T12:00:00Z");
  }
}

struct Algorithm {
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array<Algorithm, 6> kAlgorithms = {
    {{"sha256", 32}, {"sha512", 64}, {"blake3", 32}, {"sha1", 20}, {"md5", 16}, {"crc32c", 4}}};

std::size_t find_algorithm(std::string_view name) {
  for (std::size_t each = 0; each < kAlgorithms.size(); ++each) {
    if (kAlgorithms[each].name == name) return each;
  }
  fail(0, "unknown digest algorithm \"" + std::string(name) +
              "\": wanted sha256, sha512, blake3, sha1, md5 or crc32c");
}

void check_hex(std::string_view hex, const Algorithm& algorithm) {
  for (std::size_t at = 0; at < hex.size(); ++at) {
    if (hex_digit(hex[at]) >> 4 != 0) fail(at, "bad digest: wanted lower-case hexadecimal digits");
  }
  if (hex.size() != algorithm.bytes * 2) {
    fail(0, "a " + std::string(algorithm.name) + " digest has " +
                std::to_string(algorithm.bytes * 2) + " digits, found " +
                std::to_string(hex.size()));
  }
}

void check_window(const Window& window, std::uint64_t length) {
  if (window.offset > kMaxNumber - length) fail(0, "offset out of range: the end is above 2^63-1");
  if (window.total && *window.total < window.offset + length) {
    fail(0, "the range ends after the object's total");
  }
}

bool is_lower(char byte) { return byte >= 'a' && byte <= 'z'; }

}  // namespace

std::uint64_t parse_number(std::string_view word, std::string_view what) {
  if (word.empty()) fail(0, "bad " + std::string(what) + ": wanted a number");
  std::uint64_t value = 0;
  for (std::size_t at = 0; at < word.size(); ++at) {
    if (!is_digit(word[at])) fail(at, "bad " + std::string(what) + ": wanted decimal digits only");
    const auto digit = static_cast<unsigned>(word[at] - '0');
    if (value > (kMaxNumber - digit) / 10) {
      fail(0, std::string(what) + " out of range: at most 9223372036854775807");
    }
    value = value * 10 + digit;
  }
  if (word.size() > 1 && word[0] == '0') fail(0, "bad " + std::string(what) + ": leading zero");
  return value;
}

Time parse_time(std::string_view word) {
  const unsigned year = digits(word, 0, 4);
  punctuation(word, 4, '-');
  const unsigned month = digits(word, 5, 2);
  punctuation(word, 7, '-');
  const unsigned day = digits(word, 8, 2);
  punctuation(word, 10, 'T');
  const unsigned hour = digits(word, 11, 2);
  punctuation(word, 13, ':');
  const unsigned minute = digits(word, 14, 2);
  punctuation(word, 16, ':');
  const unsigned second = digits(word, 17, 2);

  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(month), std::chrono::day(day));
  if (!date.ok()) fail(0, "no such day");
  const bool leap = hour == 23 && minute == 59 && second == 60;
  if (hour > 23 || minute > 59 || (second > 59 && !leap)) fail(11, "no such time of day");

  Time time;
  const std::chrono::seconds since = std::chrono::sys_days(date).time_since_epoch();
  time.seconds = since.count() + hour * 3600 + minute * 60 + second;

  std::size_t at = 19;
  if (at < word.size() && word[at] == '.') {
    std::uint32_t unit = 1'000'000'000;
    for (++at; at < word.size() && is_digit(word[at]); ++at) {
      if (unit == 1) fail(at, "bad time: at most nine digits of fraction");
      unit /= 10;
      time.nanoseconds += unit * static_cast<std::uint32_t>(word[at] - '0');
    }
    if (at == 20) fail(at, "bad time: no digits after the point");
  }
  if (at >= word.size() || word[at] != 'Z') fail(at, "bad time: wanted UTC, ending in Z");
  if (at + 1 < word.size()) fail(at + 1, "bad time: text after Z");
  return time;
}

std::uint32_t parse_mode(std::string_view word) {
  std::uint32_t mode = 0;
  for (std::size_t at = 0; at < word.size(); ++at) {
    if (word[at] < '0' || word[at] > '7') fail(at, "bad mode: wanted octal digits, e.g. 0444");
    mode = mode * 8 + static_cast<std::uint32_t>(word[at] - '0');
    if (at > 3) break;
  }
  if (word.size() < 3 || word.size() > 4) fail(0, "bad mode: wanted three or four octal digits");
  return mode;
}

void check_text(std::string_view word) {
  for (std::size_t at = 0; at < word.size(); ++at) {
    const auto byte = static_cast<unsigned char>(word[at]);
    if (byte < 0x20 || byte == 0x7f) fail(at, "control byte: write it as \\t, \\n, \\r or \\xHH");
  }
}

void check_name(std::string_view word) {
  for (std::size_t at = 0; at < word.size(); ++at) {
    const char byte = word[at];
    const bool later = at > 0 && (is_digit(byte) || byte == '-' || byte == '.');
    if (!is_lower(byte) && !later) fail(at, "bad name: wanted a-z, then a-z, 0-9, - or .");
  }
  if (word.empty()) fail(0, "name missing");
}

void check_mime_type(std::string_view word) {
  for (std::size_t at = 0; at < word.size(); ++at) {
    if (word[at] < 0x20 || word[at] == 0x7f) fail(at, "bad type: wanted printable ASCII");
  }
  const std::size_t slash = word.find('/');
  if (slash == 0 || slash >= word.size() - 1) fail(0, "bad type: wanted e.g. image/jpeg");
}

void check_validator(std::string_view word) {
  if (word != "strict" && word != "time" && word != "size") {
    fail(0, "bad validator: wanted strict, time or size");
  }
}

void check_auth(std::string_view word) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  if (word.empty() || word.size() > 64 ||
      word.find_first_not_of(kLetters) != std::string_view::npos)
    fail(0, "bad auth: wanted the name of a profile, 1 to 64 of letters, digits, ., _ and -");
}

void check_component(std::string_view name, bool raw) {
  if (name.empty()) fail(0, "empty name in the path");
  if (name == "." || name == "..") fail(0, "\"" + std::string(name) + "\" is no name");
  if (name.size() > kMaxComponent) {
    fail(0, "name of " + std::to_string(name.size()) + " bytes: at most 255");
  }
  const std::size_t refused = name.find_first_of(std::string_view("/\0", 2));
  if (refused != std::string_view::npos) fail(refused, "\"/\" or NUL inside a name");
  if (raw) return;
  const std::size_t bad = find_bad_utf8(name);
  if (bad != std::string_view::npos) fail(bad, "name is not UTF-8: names=raw admits it");
}

void check_etag(std::string_view word) {
  const std::size_t open = word.starts_with("W/") ? 2 : 0;
  const std::string_view quoted = word.substr(open);
  if (quoted.size() < 2 || quoted.front() != '"' || quoted.back() != '"') {
    fail(0, "bad etag: wanted \"...\" or W/\"...\", with the quotes");
  }
  for (std::size_t at = 1; at + 1 < quoted.size(); ++at) {
    const auto byte = static_cast<unsigned char>(quoted[at]);
    if (byte <= 0x20 || byte == '"' || byte == 0x7f) {
      fail(open + at, "bad etag: quote, blank or control byte inside");
    }
  }
}

Located parse_located(std::string_view word) {
  std::optional<std::string_view> etag;
  Located located;
  located.reference = take_until(word, ' ', etag);
  if (etag) {
    within(word, *etag, check_etag);
    located.etag = *etag;
  }
  return located;
}

Window parse_window(std::string_view word, std::uint64_t size) {
  std::optional<std::string_view> total;
  Window window;
  window.offset = parse_number(take_until(word, '/', total), "offset");
  if (total) {
    window.total = within(word, *total, [](auto text) { return parse_number(text, "total"); });
  }
  check_window(window, size);
  return window;
}

RemotePart parse_remote_part(std::string_view word) {
  std::optional<std::string_view> source, length, total;
  const std::string_view range = take_until(word, ' ', source);
  if (!source) fail(word.size(), "bad part: wanted OFF+LEN[/TOTAL] URI [etag], or base64:...");
  const std::string_view offset = take_until(range, '+', length);
  if (!length) fail(0, "bad part: wanted OFF+LEN before the URI");
  const std::string_view digits_of_length = take_until(*length, '/', total);

  RemotePart part;
  part.length =
      within(word, digits_of_length, [](auto text) { return parse_number(text, "length"); });
  if (part.length == 0) within(word, digits_of_length, [](auto) { fail(0, "a part of no bytes"); });
  part.window.offset = parse_number(offset, "offset");
  if (total) {
    part.window.total = within(word, *total, [](auto text) { return parse_number(text, "total"); });
  }
  check_window(part.window, part.length);
  part.located = within(word, *source, parse_located);
  return part;
}

std::string parse_digest(std::string_view word) {
  std::optional<std::string_view> hex;
  const std::string_view name = take_until(word, ':', hex);
  if (!hex) fail(0, "bad digest: wanted algorithm:hex or -");
  const std::size_t number = find_algorithm(name);
  within(word, *hex, [&](auto text) { check_hex(text, kAlgorithms[number]); });

  std::string packed(1 + hex->size() / 2, static_cast<char>(number));
  for (std::size_t at = 1; at < packed.size(); ++at) {
    const char* pair = hex->data() + 2 * (at - 1);
    packed[at] = static_cast<char>(hex_digit(pair[0]) * 16 + hex_digit(pair[1]));
  }
  return packed;
}

std::string format_digest(std::string_view packed) {
  constexpr char hex[] = "0123456789abcdef";
  const std::size_t number =
      packed.empty() ? kAlgorithms.size() : static_cast<unsigned char>(packed[0]);
  if (number >= kAlgorithms.size() || packed.size() != 1 + kAlgorithms[number].bytes)
    fail(0, "not a packed digest");
  std::string text(kAlgorithms[number].name);
  text += ':';
  for (char each : packed.substr(1)) {
    const auto byte = static_cast<unsigned char>(each);
    text += hex[byte >> 4];
    text += hex[byte & 15];
  }
  return text;
}

Pieces parse_pieces(std::string_view word) {
  constexpr std::uint64_t least = 64 * 1024, most = 16 * 1024 * 1024;
  std::optional<std::string_view> after_name, reference, fragment;
  const std::string_view name = take_until(word, ':', after_name);
  if (!after_name) fail(0, "bad pieces: wanted algorithm:LEN:URI");
  const Algorithm& algorithm = kAlgorithms[find_algorithm(name)];
  const std::string_view length = take_until(*after_name, ':', reference);
  if (!reference) fail(0, "bad pieces: wanted algorithm:LEN:URI");
  Pieces pieces;
  within(word, length, [&](auto text) {
    const std::uint64_t value = parse_number(text, "piece length");
    if (value < least || value > most || (value & (value - 1)) != 0) {
      fail(0, "piece length: wanted a power of two from 65536 to 16777216");
    }
    pieces.length = value;
  });
  pieces.reference = take_until(*reference, '#', fragment);
  if (fragment) {
    within(word, *fragment, [&](auto text) { check_hex(text, algorithm); });
    pieces.tail = reference->substr(pieces.reference.size());
  }
  pieces.head = word.substr(0, word.size() - reference->size());
  return pieces;
}

void check_link_target(std::string_view target, std::size_t depth, bool raw) {
  if (target.empty()) fail(0, "empty link target");
  if (target.front() == '/') fail(0, "link target must be relative");
  if (target.size() > kMaxPath) fail(0, "link target longer than 4095 bytes");
  std::size_t up = 0;
  bool leading = true;
  for (std::size_t at = 0; at < target.size();) {
    const std::size_t end = std::min(target.find('/', at), target.size());
    const std::string_view name = target.substr(at, end - at);
    if (name == "..") {
      if (!leading) fail(at, "link target: \"..\" only in front");
      if (++up > depth) fail(at, "link target leaves the mount");
    } else {
      within(target, name, [&](auto text) { check_component(text, raw); });
      leading = false;
    }
    at = end + 1;
  }
}

}  // namespace skimfs::fs::manifest
