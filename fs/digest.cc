// SPDX-License-Identifier: MIT
//
// libcrypto's EVP (EVP_DigestInit(3)) and, by hand, CRC-32C (RFC 3720 appendix B.4).
#include "fs/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

namespace skimfs::fs {
namespace {

struct Known {
  std::string_view name;
  const char* evp;  // libcrypto's name; null: computed here
  std::size_t size;
};

constexpr Known kKnown[] = {{"crc32c", nullptr, 4},
                            {"md5", "MD5", 16},
                            {"sha1", "SHA1", 20},
                            {"sha256", "SHA256", 32},
                            {"sha512", "SHA512", 64}};

const Known& known(Algorithm algorithm) noexcept {
  return kKnown[static_cast<std::size_t>(algorithm)];
}

// Fetched once: each fetch searches libcrypto's providers.  Null where none has the algorithm, as
// md5 under a FIPS policy.
const EVP_MD* method(Algorithm algorithm) noexcept {
  static const auto methods = [] {
    std::array<const EVP_MD*, std::size(kKnown)> found{};
    for (std::size_t i = 0; i < found.size(); ++i)
      if (kKnown[i].evp != nullptr) found[i] = EVP_MD_fetch(nullptr, kKnown[i].evp, nullptr);
    return found;
  }();
  return methods[static_cast<std::size_t>(algorithm)];
}

constexpr std::size_t kSlices = 8;  // bytes for which one step looks up a table each

constexpr auto kCrcTables = [] {
  constexpr std::uint32_t kPolynomial = 0x82f63b78;  // Castagnoli's, bits reversed
  std::array<std::array<std::uint32_t, 256>, kSlices> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (std::size_t slice = 1; slice < kSlices; ++slice)
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[slice - 1][byte];
      tables[slice][byte] = (before >> 8) ^ tables[0][before & 255];
    }
  return tables;
}();

std::uint32_t add_to_crc(std::uint32_t crc, std::span<const std::byte> bytes) noexcept {
  static_assert(std::endian::native == std::endian::little);
  const auto& table = kCrcTables;
  while (bytes.size() >= kSlices) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), kSlices);
    word ^= crc;
    crc = 0;
    for (std::size_t at = 0; at < kSlices; ++at)
      crc ^= table[kSlices - 1 - at][word >> 8 * at & 255];
    bytes = bytes.subspan(kSlices);
  }
  for (const std::byte each : bytes)
    crc = (crc >> 8) ^ table[0][(crc ^ std::to_integer<std::uint32_t>(each)) & 255];
  return crc;
}

}  // namespace

std::optional<Algorithm> find_algorithm(std::string_view name) noexcept {
  for (std::size_t i = 0; i < std::size(kKnown); ++i) {
    const auto algorithm = static_cast<Algorithm>(i);
    if (kKnown[i].name != name) continue;
    if (kKnown[i].evp != nullptr && method(algorithm) == nullptr) return std::nullopt;
    return algorithm;
  }
  return std::nullopt;
}

std::string_view algorithm_name(Algorithm algorithm) noexcept { return known(algorithm).name; }

std::size_t digest_size(Algorithm algorithm) noexcept { return known(algorithm).size; }

std::optional<Digest> parse_digest(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const std::size_t colon = text.find(':');
  const auto algorithm = find_algorithm(text.substr(0, colon));
  if (!algorithm || colon == std::string_view::npos) return std::nullopt;
  const std::string_view hex = text.substr(colon + 1);
  if (hex.size() != 2 * digest_size(*algorithm)) return std::nullopt;
  Digest digest{*algorithm, {}};
  digest.value.reserve(hex.size() / 2);
  for (std::size_t at = 0; at < hex.size(); at += 2) {
    const std::size_t high = kDigits.find(hex[at]), low = kDigits.find(hex[at + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    digest.value.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return digest;
}

std::string to_hex(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::byte each : bytes) {
    text += kDigits[std::to_integer<unsigned>(each) >> 4];
    text += kDigits[std::to_integer<unsigned>(each) & 15];
  }
  return text;
}

// What one Hasher adds to.
class Hasher::Sum {
 public:
  explicit Sum(Algorithm algorithm) : algorithm_(algorithm), method_(method(algorithm)) {
    if (algorithm != Algorithm::crc32c) context_.reset(EVP_MD_CTX_new());
    if (algorithm != Algorithm::crc32c && !context_) throw std::bad_alloc();
    restart();
  }

  void restart() noexcept {
    crc_ = ~std::uint32_t{0};
    good_ = !context_ || EVP_DigestInit_ex2(context_.get(), method_, nullptr) == 1;
  }

  void add(std::span<const std::byte> bytes) noexcept {
    if (!context_) {
      crc_ = add_to_crc(crc_, bytes);
    } else {
      good_ = good_ && EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1;
    }
  }

  // The number of bytes in `value`.
  std::size_t finish(std::array<std::byte, 64>& value) noexcept {
    if (context_) {
      auto* const out = reinterpret_cast<unsigned char*>(value.data());
      if (!good_ || EVP_DigestFinal_ex(context_.get(), out, nullptr) != 1) return 0;
    } else {
      // In the order in which a manifest writes the number's digits.
      for (unsigned at = 0; at < 4; ++at)
        value[at] = static_cast<std::byte>(~crc_ >> (24 - 8 * at));
    }
    return digest_size(algorithm_);
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };

  const Algorithm algorithm_;
  const EVP_MD* const method_;
  std::unique_ptr<EVP_MD_CTX, Free> context_;  // null for crc32c
  std::uint32_t crc_ = 0;
  bool good_ = true;
};

Hasher::Hasher(Algorithm algorithm) : sum_(std::make_unique<Sum>(algorithm)) {}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::add(std::span<const std::byte> bytes) noexcept { sum_->add(bytes); }

void Hasher::restart() noexcept { sum_->restart(); }

std::span<const std::byte> Hasher::finish() noexcept {
  const std::size_t size = sum_->finish(value_);
  sum_->restart();
  return {value_.data(), size};
}

}  // namespace skimfs::fs
