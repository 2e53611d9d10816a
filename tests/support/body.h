// SPDX-License-Identifier: MIT
//
// Bytes that prove their place: a pure function of (file, version, offset).
//
// A wrong byte, a byte of another offset, file or version is seen wherever it turns up, and no test
// keeps a copy of what it serves.  Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace skimfs::test {

class Body {
 public:
  Body(std::string_view file, unsigned version) noexcept;

  // The bytes from `offset` on.
  void fill(std::uint64_t offset, std::span<char> out) const noexcept;
  std::string text(std::uint64_t offset, std::size_t length) const;

  // Is `got` the `length` bytes from `offset` on, all of them and no more?
  bool matches(std::uint64_t offset, std::size_t length, std::span<const char> got) const;

  // The offset of the first byte of `got`, found at `offset`, that is not this body's.
  std::optional<std::uint64_t> first_wrong(std::uint64_t offset, std::span<const char> got) const;

 private:
  std::uint64_t seed_;
};

}  // namespace skimfs::test
