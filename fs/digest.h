// SPDX-License-Identifier: MIT
//
// Digests of bytes, under the names that manifests use.
//
// blake3 is no algorithm here: manifests may carry it, and it counts as unverified.  sha1, md5 and
// crc32c find accidents, not attackers.  A Hasher belongs to one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skimfs::fs {

enum class Algorithm : std::uint8_t { crc32c, md5, sha1, sha256, sha512 };  // weakest first

// Empty for a name that is unknown, or that libcrypto refuses on this machine.
std::optional<Algorithm> find_algorithm(std::string_view name) noexcept;
std::string_view algorithm_name(Algorithm algorithm) noexcept;
std::size_t digest_size(Algorithm algorithm) noexcept;  // bytes

// A digest and how it is made.
struct Digest {
  Algorithm algorithm = Algorithm::sha256;
  std::vector<std::byte> value;  // raw bytes, as many as digest_size()

  friend bool operator==(const Digest&, const Digest&) = default;
};

// "sha256:00ff...", lower-case hexadecimal as in a manifest.  Empty: not computable here, or not
// the digits such a digest has.
std::optional<Digest> parse_digest(std::string_view text);

std::string to_hex(std::span<const std::byte> bytes);

// Computes digests of one algorithm, one after the other.
class Hasher {
 public:
  // `algorithm`: of find_algorithm().  Throws std::bad_alloc.
  explicit Hasher(Algorithm algorithm);
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();

  void add(std::span<const std::byte> bytes) noexcept;
  void restart() noexcept;  // as if nothing had been added

  // Of all that was added; then starts afresh.  Valid until the next call.  Empty, and so equal to
  // no digest, when libcrypto fails.
  std::span<const std::byte> finish() noexcept;

 private:
  class Sum;
  std::unique_ptr<Sum> sum_;
  std::array<std::byte, 64> value_;
};

}  // namespace skimfs::fs
