// SPDX-License-Identifier: MIT
//
// How the value of one option is read.
#include "fs/option_values.h"

#include <grp.h>
#include <pwd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <limits>
#include <vector>

#include "fetch/url.h"

namespace skimfs::fs {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<Unit, 4> kSizes{
    {{"T", 1ull << 40}, {"G", 1ull << 30}, {"M", 1ull << 20}, {"K", 1ull << 10}}};
constexpr std::array<Unit, 4> kTimes{{{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}}};

// Seconds that every clock and every libcurl or libfuse call can still express: a hundred years.
constexpr std::uint64_t kLongest = 100ull * 365 * 86400;

struct Quantity {
  std::uint64_t number;
  std::string_view unit;
};

// Plain digits and what follows them; no sign, no space, no fraction.
Quantity split_quantity(const OptionText& text, std::string_view wanted) {
  Quantity quantity{};
  const char* end = text.value.data() + text.value.size();
  const auto [rest, error] = std::from_chars(text.value.data(), end, quantity.number);
  if (error == std::errc::result_out_of_range) text.reject("is too large");
  if (error != std::errc()) text.reject("is not " + std::string(wanted));
  quantity.unit = {rest, static_cast<std::size_t>(end - rest)};
  return quantity;
}

std::uint64_t scaled(const OptionText& text, std::span<const Unit> units, std::string_view wanted,
                     std::uint64_t most) {
  const Quantity quantity = split_quantity(text, wanted);
  std::uint64_t factor = quantity.unit.empty() ? 1 : 0;
  for (const Unit& unit : units) {
    if (unit.name == quantity.unit) factor = unit.factor;
  }
  if (factor == 0) text.reject("is not " + std::string(wanted));
  if (quantity.number > most / factor) text.reject("is too large");
  return quantity.number * factor;
}

std::string in_largest_unit(std::uint64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) {
      return std::to_string(value / unit.factor) + std::string(unit.name);
    }
  }
  return std::to_string(value);
}

// A uid_t or gid_t; -1 means "no change" to the kernel and is nobody's number.
std::optional<std::uint32_t> as_id(std::string_view text) {
  std::uint32_t id = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, id);
  if (error != std::errc() || rest != end || id == std::numeric_limits<std::uint32_t>::max()) {
    return {};
  }
  return id;
}

// `find`: getpwnam_r or getgrnam_r.  Grows the buffer as their man pages ask for.
template <class Record, class Find>
std::optional<Record> look_up(std::string_view name, std::vector<char>& buffer, Find find) {
  const std::string terminated(name);
  buffer.resize(1024);
  for (;;) {
    Record record{};
    Record* found = nullptr;
    const int error = find(terminated.c_str(), &record, buffer.data(), buffer.size(), &found);
    if (error == ERANGE) {
      buffer.resize(buffer.size() * 2);
    } else {
      return found != nullptr ? std::optional<Record>(record) : std::nullopt;
    }
  }
}

}  // namespace

std::string size_text(std::uint64_t bytes) { return in_largest_unit(bytes, kSizes); }

std::string duration_text(std::chrono::seconds time) {
  return in_largest_unit(static_cast<std::uint64_t>(time.count()), kTimes);
}

std::uint64_t parse_size(const OptionText& text, std::uint64_t least) {
  const std::uint64_t bytes =
      scaled(text, kSizes, "a size such as 64M (K, M, G, T: powers of 1024)",
             static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
  if (bytes < least) text.reject("is below the minimum of " + size_text(least));
  return bytes;
}

std::chrono::seconds parse_duration(const OptionText& text, std::chrono::seconds least) {
  const std::chrono::seconds time(
      scaled(text, kTimes, "a time such as 30s, 5min, 1h or 2d", kLongest));
  if (time < least) text.reject("is below the minimum of " + duration_text(least));
  return time;
}

unsigned parse_number(const OptionText& text, unsigned least, unsigned most) {
  const std::string range =
      "a number from " + std::to_string(least) + " to " + std::to_string(most);
  const std::uint64_t number = scaled(text, {}, range, std::numeric_limits<std::uint64_t>::max());
  if (number < least || number > most) text.reject("is not " + range);
  return static_cast<unsigned>(number);
}

bool parse_switch(const OptionText& text) {
  if (text.value.empty()) return true;
  return parse_choice<bool>(text, {{"on", true},
                                   {"off", false},
                                   {"yes", true},
                                   {"no", false},
                                   {"true", true},
                                   {"false", false},
                                   {"1", true},
                                   {"0", false}});
}

std::uint32_t parse_mask(const OptionText& text) {
  std::uint32_t mask = 0;
  const char* end = text.value.data() + text.value.size();
  const auto [rest, error] = std::from_chars(text.value.data(), end, mask, 8);
  if (error != std::errc() || rest != end || mask > 0777) {
    text.reject("is not an octal mask such as 0222 (at most 0777)");
  }
  return mask;
}

std::string parse_proxy(const OptionText& text) {
  // Not repeated: it is in the value.
  if (text.value.find('@') != std::string_view::npos)
    throw OptionError("proxy= with a user or password in it is refused: none is sent");
  const auto url = fetch::Url::parse(text.value);
  if (!url) text.reject("is no http or https URL");
  const std::string_view authority = text.value.substr(text.value.find("://") + 3);
  const std::size_t colon = authority.rfind(':');
  const bool port = colon != std::string_view::npos && authority.find(']', colon) == authority.npos;
  if (!port || authority.find_first_of("/?#") != std::string_view::npos)
    text.reject("wants the form http://HOST:PORT");
  return (url->secure() ? "https://" : "http://") + std::string(authority);
}

std::uint32_t parse_user(const OptionText& text) {
  if (const auto id = as_id(text.value)) return *id;
  std::vector<char> buffer;
  const auto user = look_up<passwd>(text.value, buffer, getpwnam_r);
  if (!user) text.reject("is neither a number nor a user of this machine");
  return user->pw_uid;
}

std::uint32_t parse_group(const OptionText& text) {
  if (const auto id = as_id(text.value)) return *id;
  std::vector<char> buffer;
  const auto found = look_up<group>(text.value, buffer, getgrnam_r);
  if (!found) text.reject("is neither a number nor a group of this machine");
  return found->gr_gid;
}

Account parse_account(const OptionText& text) {
  const std::size_t colon = text.value.find(':');
  const std::string_view name = text.value.substr(0, colon);
  Account account{.user = parse_user({text.name, name})};
  if (account.user == 0) text.reject("is root, who serves where setuid is not given");
  if (colon != std::string_view::npos) {
    account.group = parse_group({text.name, text.value.substr(colon + 1)});
    return account;
  }
  std::vector<char> buffer;
  const auto found = look_up<passwd>("", buffer, [&account](const char*, auto... rest) {
    return getpwuid_r(account.user, rest...);
  });
  if (!found) text.reject("has no group of its own; add one, USER:GROUP");
  account.group = found->pw_gid;
  return account;
}

}  // namespace skimfs::fs
