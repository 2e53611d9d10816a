// SPDX-License-Identifier: MIT
//
// Memory that runs out when a test says so.  Its source replaces operator new in the whole process.
#pragma once

#include <atomic>
#include <utility>

namespace skimfs::test {

struct Memory {
  static inline std::atomic<bool> gone = false;  // every allocation fails

  // Else only those fail that an armed thread makes: the one after `left` others, or one in so
  // many, as chance will have it.
  static inline thread_local bool armed = false;
  static inline std::atomic<long> left = -1;       // negative: none
  static inline std::atomic<unsigned> one_in = 0;  // 0: none
  static inline std::atomic<unsigned> chance = 1;  // the seed
  static inline std::atomic<unsigned> failures = 0;

  static inline std::atomic<long> held = 0;  // bytes, by all

  static bool fails() noexcept;
};

// While it lives, the thread is armed, or is not.
class Arming {
 public:
  explicit Arming(bool armed = true) : before_(std::exchange(Memory::armed, armed)) {}
  ~Arming() { Memory::armed = before_; }
  Arming(const Arming&) = delete;
  Arming& operator=(const Arming&) = delete;

 private:
  bool before_;
};

}  // namespace skimfs::test
