// SPDX-License-Identifier: MIT
//
// See name_index.h.
#include "fs/manifest/name_index.h"

#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace skimfs::fs::manifest {
namespace {

// Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012: one round a word, three to end.
struct Sip {
  std::uint64_t a, b, c, d;

  Sip(std::uint64_t key0, std::uint64_t key1)
      : a(key0 ^ 0x736f6d6570736575u),
        b(key1 ^ 0x646f72616e646f6du),
        c(key0 ^ 0x6c7967656e657261u),
        d(key1 ^ 0x7465646279746573u) {}

  void round() {
    a += b, b = std::rotl(b, 13) ^ a, a = std::rotl(a, 32);
    c += d, d = std::rotl(d, 16) ^ c;
    a += d, d = std::rotl(d, 21) ^ a;
    c += b, b = std::rotl(b, 17) ^ c, c = std::rotl(c, 32);
  }
  void word(std::uint64_t value) {
    d ^= value;
    round();
    a ^= value;
  }
  std::uint64_t end() {
    c ^= 0xff;
    round(), round(), round();
    return a ^ b ^ c ^ d;
  }
};

}  // namespace

HashKey random_hash_key() {
  HashKey key{};
  if (::getentropy(key.data(), sizeof key) != 0) {
    throw std::system_error(errno, std::generic_category(), "getentropy");
  }
  return key;
}

std::uint32_t hash_name(const HashKey& key, std::uint32_t directory,
                        std::string_view name) noexcept {
  Sip sip(key[0], key[1]);
  sip.word((std::uint64_t{directory} << 32) | name.size());
  std::uint64_t word = 0;
  for (; name.size() >= sizeof word; name.remove_prefix(sizeof word)) {
    std::memcpy(&word, name.data(), sizeof word);
    sip.word(word);
  }
  word = 0;
  std::memcpy(&word, name.data(), name.size());
  sip.word(word);
  return static_cast<std::uint32_t>(sip.end());
}

void NameIndex::insert(std::uint32_t row, std::uint32_t hash) {
  if ((used_ + 1) * 4 > slots_.size() * 3) grow();
  place({row, hash});
  ++used_;
}

void NameIndex::grow() {
  const Column<Slot> old = std::move(slots_);
  slots_.assign_zero(old.size() == 0 ? 16 : old.size() * 2);
  for (std::size_t at = 0; at < old.size(); ++at) {
    if (old[at].row != 0) place(old[at]);
  }
}

void NameIndex::place(Slot slot) noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = slot.hash & mask;
  while (slots_[at].row != 0) at = (at + 1) & mask;
  slots_[at] = slot;
}

}  // namespace skimfs::fs::manifest
