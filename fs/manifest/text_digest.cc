// SPDX-License-Identifier: MIT
//
// See text_digest.h.
#include "fs/manifest/text_digest.h"

#include <openssl/evp.h>

#include <new>

namespace skimfs::fs::manifest {

struct TextDigest::Context {
  EVP_MD_CTX* handle = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(handle); }

  // The calls fail only for want of memory.
  void check(int result) const {
    if (result != 1) throw std::bad_alloc();
  }
};

TextDigest::TextDigest() : context_(std::make_unique<Context>()) {
  context_->check(context_->handle != nullptr ? 1 : 0);
  context_->check(EVP_DigestInit_ex(context_->handle, EVP_sha256(), nullptr));
}

TextDigest::~TextDigest() = default;

void TextDigest::add(std::span<const char> text) {
  context_->check(EVP_DigestUpdate(context_->handle, text.data(), text.size()));
}

Digest TextDigest::finish() {
  Digest digest{};
  context_->check(EVP_DigestFinal_ex(context_->handle, digest.data(), nullptr));
  return digest;
}

Digest digest_of(std::span<const char> text) {
  TextDigest digest;
  digest.add(text);
  return digest.finish();
}

std::string hex(const Digest& digest) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : digest) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

}  // namespace skimfs::fs::manifest
