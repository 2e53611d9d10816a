// SPDX-License-Identifier: MIT
//
// See failing_memory.h.
#include "tests/fetch/failing_memory.h"

#include <malloc.h>

#include <cstdlib>
#include <new>

namespace skimfs::test {

bool Memory::fails() noexcept {
  if (gone) return true;
  if (!armed) return false;
  chance = chance * 1664525 + 1013904223;  // Numerical Recipes
  const bool by_chance = one_in != 0 && (chance >> 8) % one_in == 0;
  const bool by_number = left >= 0 && left-- == 0;
  if (by_chance || by_number) ++failures;
  return by_chance || by_number;
}

}  // namespace skimfs::test

// Not inlined, or GCC takes the one's free() for a mistake about the other.
[[gnu::noinline]] void* operator new(std::size_t size) {
  void* const memory = skimfs::test::Memory::fails() ? nullptr : std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  skimfs::test::Memory::held += static_cast<long>(::malloc_usable_size(memory));
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  skimfs::test::Memory::held -= static_cast<long>(::malloc_usable_size(memory));
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  operator delete(memory);
}
