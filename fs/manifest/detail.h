// SPDX-License-Identifier: MIT
//
// What only some entries have, as packed bytes: their number, a scope number, then tagged fields.
//
// The entry parser writes fields, the tree reads them; nothing else knows the bytes.  What is read
// may come from an index, so every length is held against what is there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skimfs::fs::manifest {

// What the directives above an entry say of it.  Equal scopes are stored once.
struct Scope {
  std::string base;                  // absolute, or empty
  std::vector<std::string> mirrors;  // absolute bases
  std::uint32_t prefix_depth = 0;    // names of @prefix, which "=" leaves out
  std::string mime_type;
  std::string validator;
  std::string auth;  // name of a credential profile

  friend bool operator==(const Scope&, const Scope&) = default;
};

enum class Tag : std::uint8_t {
  reference,  // where: number of its interned beginning, then the rest
  same_path,  // where is "="
  digest,     // as packed by parse_digest
  etag,
  mirror,  // "URI [etag]"
  type,
  validator,
  pieces,
  window,   // "N[/TOTAL]"
  part,     // "OFF+LEN[/TOTAL] URI [etag]"
  literal,  // decoded bytes
  link,     // target
  auth
};

inline void put_number(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

inline constexpr std::size_t kLongestNumber = 10;  // bytes of a packed number

// Takes a number off the beginning; empty where there is none.
inline std::optional<std::uint64_t> take_number(std::string_view& packed) noexcept {
  std::uint64_t value = 0;
  for (std::size_t at = 0; at < packed.size() && at < kLongestNumber; ++at) {
    const auto byte = static_cast<unsigned char>(packed[at]);
    value |= std::uint64_t{byte & 0x7fu} << (7 * at);
    if (byte < 0x80) {
      packed.remove_prefix(at + 1);
      return value;
    }
  }
  return std::nullopt;
}

inline void put_field(std::string& out, Tag tag, std::string_view value) {
  out += static_cast<char>(tag);
  put_number(out, value.size());
  out += value;
}

// Walks tagged fields.
class FieldReader {
 public:
  explicit FieldReader(std::string_view fields) noexcept : rest_(fields) {}

  Tag tag() const noexcept { return tag_; }
  std::string_view value() const noexcept { return value_; }
  bool bad() const noexcept { return bad_; }  // it ended where no field ends

  bool next() noexcept {
    if (rest_.empty()) return false;
    tag_ = static_cast<Tag>(rest_.front());
    rest_.remove_prefix(1);
    const auto length = take_number(rest_);
    bad_ = !length || *length > rest_.size();
    if (bad_) return false;
    value_ = rest_.substr(0, *length);
    rest_.remove_prefix(*length);
    return true;
  }

 private:
  std::string_view rest_;
  std::string_view value_;
  Tag tag_{};
  bool bad_ = false;
};

// A scope as packed fields, and back; empty where they are none.
std::string pack_scope(const Scope& scope);
std::optional<Scope> unpack_scope(std::string_view packed);

}  // namespace skimfs::fs::manifest
