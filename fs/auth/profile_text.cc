// SPDX-License-Identifier: MIT
//
// See profile_text.h.
#include "fs/auth/profile_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

namespace skimfs::fs::auth {
namespace {

constexpr std::size_t kMostProfiles = 256;

std::string_view trim(std::string_view text) noexcept {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

bool is_word(std::string_view text, std::string_view beside) noexcept {
  return !text.empty() && std::ranges::all_of(text, [beside](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (c >= '0' && c <= '9') || beside.find(c) != std::string_view::npos;
  });
}

bool is_text(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return c == '\t' || (c >= ' ' && c != '\x7f'); });
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  return result;
}

class Parser {
 public:
  std::vector<ProfileText> parse(std::string_view text) {
    while (!text.empty()) {
      ++line_;
      const std::size_t end = std::min(text.find('\n'), text.size());
      take(trim(text.substr(0, end)));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (!profiles_.empty()) check(profiles_.back());
    return std::move(profiles_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw ProfileError(line_, what); }

  void take(std::string_view line) {
    if (line.empty() || line.front() == '#') return;
    if (line.front() == '[') return begin(line);
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) fail("wanted [NAME] or key = value");
    if (profiles_.empty()) fail("wanted [NAME] before the first key");
    const std::string key(trim(line.substr(0, equals)));
    const std::string value(trim(line.substr(equals + 1)));
    if (value.empty()) fail(key + " wants a value");
    if (!is_text(value)) fail(key + " has a control character");
    set(profiles_.back(), key, value);
  }

  void begin(std::string_view line) {
    const std::string name(line.back() == ']' ? trim(line.substr(1, line.size() - 2)) : "");
    if (!is_profile_name(name)) fail("wanted [NAME] of letters, digits, \".\", \"_\" and \"-\"");
    if (!profiles_.empty()) check(profiles_.back());
    for (const ProfileText& other : profiles_)
      if (other.name == name)
        fail("[" + name + "] is on line " + std::to_string(other.line) + " too");
    if (profiles_.size() == kMostProfiles) fail("more than 256 profiles");
    profiles_.emplace_back();
    profiles_.back().name = name;
    profiles_.back().line = line_;
    seen_.clear();
  }

  void set(ProfileText& profile, const std::string& key, const std::string& value) {
    if (key == "match") return add_match(profile, value);
    if (key == "header") return add_header(profile, value);
    if (key == "sigv4") return set_signature(profile, value);
    std::string* const field = field_of(profile, key);
    if (field == nullptr) {
      fail("\"" + key +
           "\" is no key; there are match, header, header_file, bearer_file, user, "
           "password_file, sigv4, token_file, certificate, key");
    }
    if (!seen_.insert(key).second) fail(key + " is given twice");
    *field = value;
  }

  static std::string* field_of(ProfileText& profile, std::string_view key) noexcept {
    if (key == "header_file") return &profile.header_file;
    if (key == "bearer_file") return &profile.bearer_file;
    if (key == "user") return &profile.user;
    if (key == "password_file") return &profile.password_file;
    if (key == "token_file") return &profile.token_file;
    if (key == "certificate") return &profile.certificate;
    if (key == "key") return &profile.key;
    return nullptr;
  }

  void add_match(ProfileText& profile, const std::string& value) {
    const auto url = fetch::Url::parse(value);
    if (!url || value.find_first_of("?#") != std::string::npos)
      fail("match wants an http or https URL without query");
    if (!matches(*url, *url)) fail("match has a path with dot segments or coded separators");
    profile.matches.push_back(*url);
  }

  void add_header(ProfileText& profile, const std::string& value) {
    const std::string field = header_field(value);
    if (field.empty())
      fail("header wants \"Name: value\", and no field that a transfer sets itself");
    profile.headers.push_back(field);
  }

  // "REGION" or "REGION:SERVICE".
  void set_signature(ProfileText& profile, const std::string& value) {
    const std::size_t colon = value.find(':');
    const std::string region = value.substr(0, colon);
    const std::string service = colon == std::string::npos ? "s3" : value.substr(colon + 1);
    if (!is_word(region, "-") || !is_word(service, "-"))
      fail("sigv4 wants REGION or REGION:SERVICE");
    if (!profile.signature.empty()) fail("sigv4 is given twice");
    profile.signature = "aws:amz:" + region + ":" + service;
  }

  // What only the whole section can tell.
  static void check(const ProfileText& profile) {
    const auto refuse = [&profile](const char* what) {
      throw ProfileError(profile.line, "[" + profile.name + "] " + what);
    };
    if (profile.matches.empty()) refuse("has no match: which servers is it for?");
    if (profile.user.empty() != profile.password_file.empty())
      refuse("wants user and password_file together");
    if (profile.user.find(':') != std::string::npos) refuse("has a user with a colon");
    if (profile.certificate.empty() != profile.key.empty())
      refuse("wants certificate and key together");
    if (!profile.signature.empty() && profile.user.empty())
      refuse("has sigv4 but no user and password_file to sign with");
    if (!profile.token_file.empty() && profile.signature.empty())
      refuse("has a token_file without sigv4");
    const auto is_authorization = [](const std::string& field) {
      return lower(field).starts_with("authorization:");
    };
    const auto authorizations = std::ranges::count_if(profile.headers, is_authorization) +
                                !profile.bearer_file.empty() + !profile.user.empty();
    if (authorizations > 1) refuse("says Authorization twice: header, bearer_file, user");
    if (profile.headers.empty() && profile.header_file.empty() && profile.bearer_file.empty() &&
        profile.user.empty() && profile.certificate.empty())
      refuse("has nothing to send");
  }

  std::size_t line_ = 0;
  std::vector<ProfileText> profiles_;
  std::set<std::string> seen_;  // keys of the section
};

bool has_dot_segments(std::string_view path) {
  const std::string text = lower(path) + '/';
  const auto has = [&text](const char* part) { return text.find(part) != std::string::npos; };
  return has("/./") || has("/../") || has("%2e") || has("%2f") || has("\\") || has("%5c");
}

}  // namespace

std::vector<ProfileText> parse_profiles(std::string_view text) { return Parser().parse(text); }

bool is_profile_name(std::string_view name) noexcept {
  return name.size() <= 64 && is_word(name, "._-");
}

std::string header_field(std::string_view text) {
  static constexpr auto kOurs = std::to_array<std::string_view>(
      {"host", "range", "if-match", "if-none-match", "if-range", "if-modified-since",
       "if-unmodified-since", "accept-encoding", "connection", "content-length",
       "transfer-encoding", "te", "upgrade", "expect", "trailer"});
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {};
  const std::string_view name = trim(text.substr(0, colon));
  const std::string_view value = trim(text.substr(colon + 1));
  if (!is_word(name, "!#$%&'*+-.^_`|~") || value.empty() || !is_text(value)) return {};
  if (std::ranges::find(kOurs, lower(name)) != kOurs.end()) return {};
  return std::string(name) + ": " + std::string(value);
}

bool matches(const fetch::Url& match, const fetch::Url& url) {
  if (!match.same_origin(url)) return false;
  const std::string_view base = match.text();
  std::string_view text = fetch::redact(url.text());
  if (!text.starts_with(base)) return false;
  const std::size_t root = base.find('/', base.find("://") + 3);
  if (root + 1 == base.size()) return true;  // all of the origin
  if (has_dot_segments(text.substr(root))) return false;
  text.remove_prefix(base.size());
  return base.ends_with('/') || text.empty() || text.front() == '/';
}

}  // namespace skimfs::fs::auth
