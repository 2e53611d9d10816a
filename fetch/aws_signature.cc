// SPDX-License-Identifier: MIT
//
// See aws_signature.h.
#include "fetch/aws_signature.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <iterator>
#include <new>
#include <optional>
#include <utility>

namespace skimfs::fetch {
namespace {

using Field = std::pair<std::string, std::string>;  // name in lower case, value
using Hash = std::array<unsigned char, EVP_MAX_MD_SIZE>;

constexpr std::string_view kBlank = " \t";

// SHA-256 of nothing: the body of a GET or HEAD.
constexpr std::string_view kEmptyBody =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

// What a proxy or the server's own front may change before the signature is checked: fields of one
// connection (RFC 9110 section 7.6.1), and the two that fronts rewrite (Google's and Cloudflare's
// do with Accept-Encoding: github.com/aws/aws-sdk-go-v2 issue 1816).  Only Host and X-Amz-* must be
// signed.
constexpr auto kUnsigned = std::to_array<std::string_view>(
    {"accept-encoding", "connection", "expect", "keep-alive", "proxy-authorization",
     "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"});

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

char lower_of(char c) noexcept { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; }
char upper_of(char c) noexcept { return c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c; }

std::string changed(std::string_view text, char (*change)(char) noexcept) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), change);
  return result;
}

// Takes the part of `rest` before the next `mark` out of it, or all.
std::string_view take(std::string_view& rest, char mark) noexcept {
  const std::size_t end = std::min(rest.find(mark), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

// What libcrypto cannot do with SHA-256 it has no memory for.  The next who asks it on this thread
// what went wrong, such as TLS, must not hear of it.
[[noreturn]] void fail() {
  ERR_clear_error();
  throw std::bad_alloc();
}

std::string hmac(std::string_view key, std::string_view text) {
  Hash hash;
  unsigned size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data(),
           &size) == nullptr)
    fail();
  return {reinterpret_cast<const char*>(hash.data()), size};
}

std::string sha256(std::string_view text) {
  Hash hash;
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), hash.data(), &size, EVP_sha256(), nullptr) != 1) fail();
  return {reinterpret_cast<const char*>(hash.data()), size};
}

void append_hex(std::string& to, char c, const char* digits) {
  const auto byte = static_cast<unsigned char>(c);
  to += digits[byte >> 4];
  to += digits[byte & 15];
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) append_hex(text, c, "0123456789abcdef");
  return text;
}

std::optional<int> value_of(char digit) noexcept {
  if (is_digit(digit)) return digit - '0';
  const char c = lower_of(digit);
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return {};
}

// What a server reads: escapes, and `plus` for a "+".
std::string decoded(std::string_view text, char plus) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto high = text[i] == '%' && i + 2 < text.size() ? value_of(text[i + 1]) : std::nullopt;
    const auto low = high ? value_of(text[i + 2]) : std::nullopt;
    if (low) i += 2;
    result += low ? char(*high * 16 + *low) : text[i] == '+' ? plus : text[i];
  }
  return result;
}

// Escapes all but the unreserved characters (RFC 3986 section 2.3) and `kept`.
std::string encoded(std::string_view text, std::string_view kept) {
  std::string result;
  for (const char c : text) {
    if (is_letter(c) || is_digit(c) || std::string_view("-._~").find(c) != std::string_view::npos ||
        kept.find(c) != std::string_view::npos) {
      result += c;
    } else {
      result += '%';
      append_hex(result, c, "0123456789ABCDEF");
    }
  }
  return result;
}

// Without dot segments and doubled slashes.
std::string normalized(std::string_view path) {
  std::vector<std::string_view> segments;
  const bool slash_at_end = path.ends_with('/');
  while (!path.empty()) {
    const std::string_view segment = take(path, '/');
    if (segment == "..") {
      if (!segments.empty()) segments.pop_back();
    } else if (!segment.empty() && segment != ".") {
      segments.push_back(segment);
    }
  }
  std::string result;
  for (const std::string_view segment : segments) (result += '/') += segment;
  return slash_at_end || result.empty() ? result + '/' : result;
}

// S3 writes the key that it has read; other services escape what was sent once more.  An escaped
// slash of a key is a slash to S3.
// Amazon's storage reads a "+" in a path as a blank; others, such as MinIO, as what it is.
char plus_in_path(std::string_view host) noexcept {
  host = host.substr(0, host.find(':'));
  return host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn") ? ' ' : '+';
}

std::string canonical_path(std::string_view path, bool storage, char plus) {
  if (path.empty()) return "/";
  return encoded(storage ? decoded(path, plus) : normalized(path), "/");
}

// By name, then value, both as they are escaped.
std::string canonical_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  while (!query.empty()) {
    std::string_view value = take(query, '&');
    if (value.empty()) continue;
    std::string name = encoded(decoded(take(value, '='), ' '), "");
    parameters.emplace_back(std::move(name), encoded(decoded(value, ' '), ""));
  }
  std::ranges::sort(parameters);
  std::string result;
  for (const auto& [name, value] : parameters)
    result.append(result.empty() ? "" : "&").append(name).append("=").append(value);
  return result;
}

// Without blanks at the ends; one for each run inside.
std::string folded(std::string_view value) {
  std::string result;
  while (!value.empty()) {
    const std::size_t first = value.find_first_not_of(kBlank);
    if (first == std::string_view::npos) break;
    value.remove_prefix(first);
    const std::size_t end = std::min(value.find_first_of(kBlank), value.size());
    if (!result.empty()) result += ' ';
    result += value.substr(0, end);
    value.remove_prefix(end);
  }
  return result;
}

Field field_of(std::string_view header) {
  std::string name = changed(take(header, ':'), lower_of);
  return {std::move(name), folded(header)};
}

// In the order they are sent.
std::vector<Field> fields_of(std::string_view host, std::span<const std::string> headers) {
  std::vector<Field> fields{{"host", folded(host)}};
  std::ranges::transform(headers, std::back_inserter(fields), field_of);
  return fields;
}

// The first of that name in lower case.
const Field* find(const std::vector<Field>& fields, std::string_view name) noexcept {
  const auto found = std::ranges::find(fields, name, &Field::first);
  return found == fields.end() ? nullptr : &*found;
}

// Those that are signed, by name; values of one name joined in the order they are sent.
std::vector<Field> canonical(std::vector<Field> fields) {
  std::ranges::stable_sort(fields, {}, &Field::first);
  std::vector<Field> joined;
  for (Field& field : fields) {
    if (std::ranges::find(kUnsigned, field.first) != kUnsigned.end()) continue;
    if (!joined.empty() && joined.back().first == field.first)
      joined.back().second.append(",").append(field.second);
    else
      joined.push_back(std::move(field));
  }
  return joined;
}

// "aws:amz:eu-west-1:s3", as it is used.
struct Names {
  std::string scheme;  // "AWS4"
  std::string fields;  // "amz"
  std::string region, service;
  bool storage = false;  // S3 or a sibling, with its own rules for paths

  std::string date() const { return "x-" + fields + "-date"; }
  std::string body() const { return "x-" + fields + "-content-sha256"; }
};

bool is_word(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
  });
}

std::optional<Names> names_of(std::string_view signature, std::string_view host) {
  std::string_view labels = take(host, ':');  // without the port
  const std::string_view first = take(labels, '.'), second = take(labels, '.');
  const std::string_view provider1 = take(signature, ':'), provider2 = take(signature, ':');
  const std::string_view region = take(signature, ':');
  Names names{.scheme = changed(provider1, upper_of) + '4',
              .fields = changed(provider2.empty() ? provider1 : provider2, lower_of),
              .region = std::string(region.empty() ? second : region),
              .service = std::string(signature.empty() ? first : signature)};
  if (!is_word(provider1) || !is_word(names.fields) || !is_word(names.region) ||
      !is_word(names.service))
    return {};
  names.storage =
      names.service == "s3" || names.service == "s3express" || names.service.starts_with("s3-");
  return names;
}

// "X-Amz-Date"
std::string capitalized(std::string name) {
  for (std::size_t i = 0; i < name.size(); ++i)
    if (i == 0 || name[i - 1] == '-') name[i] = upper_of(name[i]);
  return name;
}

// "20130524T000000Z"
std::string stamp_of(std::chrono::system_clock::time_point now) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm parts{};
  std::array<char, 32> text{};
  ::gmtime_r(&seconds, &parts);
  return {text.data(), std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts)};
}

bool is_stamp(std::string_view text) noexcept {
  constexpr std::string_view kForm = "00000000T000000Z";
  return std::ranges::equal(
      text, kForm, [](char c, char form) { return form == '0' ? is_digit(c) : c == form; });
}

std::string authorization(const Credential& credential, const Names& names, std::string_view stamp,
                          std::string request, std::string_view body,
                          const std::vector<Field>& fields) {
  std::string signed_names;
  for (const auto& [name, value] : fields) {
    request.append(name).append(":").append(value).append("\n");
    signed_names.append(signed_names.empty() ? "" : ";").append(name);
  }
  request.append("\n").append(signed_names).append("\n").append(body);

  const std::string_view day = stamp.substr(0, 8);
  const std::string method = names.scheme + "-HMAC-SHA256";
  const std::string end = changed(names.scheme, lower_of) + "_request";
  std::string scope(day);
  for (const std::string* part : {&names.region, &names.service, &end}) (scope += '/') += *part;
  std::string text = method + '\n';
  text.append(stamp).append("\n").append(scope).append("\n").append(hex(sha256(request)));

  std::string key = hmac(names.scheme + credential.password, day);
  for (const std::string* part : {&names.region, &names.service, &end}) key = hmac(key, *part);
  return "Authorization: " + method + " Credential=" + credential.user + '/' + scope +
         ", SignedHeaders=" + signed_names + ", Signature=" + hex(hmac(key, text));
}

}  // namespace

Result<std::vector<std::string>> sign(const Credential& credential, std::string_view method,
                                      std::string_view host, std::string_view target,
                                      std::span<const std::string> headers,
                                      std::chrono::system_clock::time_point now) {
  const auto refused = tl::unexpected(std::make_error_code(std::errc::invalid_argument));
  std::vector<std::string> added;
  if (credential.signature.empty()) return added;
  std::vector<Field> fields = fields_of(host, headers);
  if (find(fields, "authorization") != nullptr) return added;
  const auto names = names_of(credential.signature, host);
  if (!names) return refused;

  const Field* const date = find(fields, names->date());
  const std::string stamp = date != nullptr ? date->second : stamp_of(now);
  if (!is_stamp(stamp)) return refused;
  if (date == nullptr) added.push_back(capitalized(names->date()) + ": " + stamp);
  const Field* const hash = find(fields, names->body());
  const std::string body(hash != nullptr ? std::string_view(hash->second) : kEmptyBody);
  if (hash == nullptr && names->storage) added.push_back(capitalized(names->body()) + ": " + body);
  std::ranges::transform(added, std::back_inserter(fields), field_of);

  std::string_view query = target;
  std::string request(method);
  request.append("\n").append(canonical_path(take(query, '?'), names->storage, plus_in_path(host)));
  request.append("\n").append(canonical_query(query)).append("\n");
  added.push_back(authorization(credential, *names, stamp, std::move(request), body,
                                canonical(std::move(fields))));
  return added;
}

}  // namespace skimfs::fetch
