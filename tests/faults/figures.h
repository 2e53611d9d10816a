// SPDX-License-Identifier: MIT
//
// What a run of these tests measured, as the table of the README.  Any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace skimfs::test {

class Longest {
 public:
  void raise(std::chrono::milliseconds time) noexcept {
    auto before = most_.load();
    while (time.count() > before && !most_.compare_exchange_weak(before, time.count())) {
    }
  }
  std::chrono::milliseconds most() const noexcept {
    return std::chrono::milliseconds(most_.load());
  }

 private:
  std::atomic<std::chrono::milliseconds::rep> most_{0};
};

struct Figures {
  std::atomic<std::uint64_t> rows{0}, variants{0}, cases{0};
  std::atomic<std::uint64_t> reads{0}, wrong{0}, brief{0};
  std::atomic<std::uint64_t> deaths{0}, unkillable{0};
  std::atomic<std::uint64_t> swaps{0}, swaps_read{0}, mixes{0};
  Longest killed;  // from SIGKILL until the reader was gone
  Longest stop;    // from SIGTERM, with every server silent and readers blocked
  Longest oldest;  // the longest that a request waited, as the mounts' own gauge has it
  Longest beside;  // a read of a file of a good server, meanwhile

  void add_read(std::uint64_t n, std::uint64_t wrong_ones, std::uint64_t brief_ones) noexcept {
    reads += n, wrong += wrong_ones, brief += brief_ones;
  }
  // Markdown, two columns.
  std::string table() const;
};

Figures& figures() noexcept;

}  // namespace skimfs::test
