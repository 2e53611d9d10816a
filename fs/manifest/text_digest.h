// SPDX-License-Identifier: MIT
//
// SHA-256 of a manifest's text.
//
// The one place here that knows OpenSSL.  One thread.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>

namespace skimfs::fs::manifest {

using Digest = std::array<unsigned char, 32>;

class TextDigest {
 public:
  TextDigest();  // throws std::bad_alloc
  ~TextDigest();
  TextDigest(const TextDigest&) = delete;
  TextDigest& operator=(const TextDigest&) = delete;

  void add(std::span<const char> text);
  Digest finish();  // once

 private:
  struct Context;
  const std::unique_ptr<Context> context_;
};

Digest digest_of(std::span<const char> text);

// Lower case hexadecimal.
std::string hex(const Digest& digest);

}  // namespace skimfs::fs::manifest
