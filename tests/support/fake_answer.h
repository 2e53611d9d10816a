// SPDX-License-Identifier: MIT
//
// An answer that remembers what it was told, and can be taken away like an interrupted one.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include "fs/answer.h"

namespace skimfs::test {

inline std::vector<std::byte> bytes_of(const fs::ReadView& view) {
  std::vector<std::byte> out;
  std::uint64_t at = view.bytes.offset;
  for (const cache::Pin& pin : *view.pins) {
    const cache::Extent block = pin->extent();
    const auto end = std::min(block.end(), view.bytes.end());
    const auto bytes = pin->view(static_cast<std::uint32_t>(at - block.offset),
                                 static_cast<std::uint32_t>(end - at));
    out.insert(out.end(), bytes.begin(), bytes.end());
    at = end;
  }
  return out;
}

class FakeAnswer final : public fs::Answer {
 public:
  bool open() const noexcept override { return !closed_; }
  void work(std::weak_ptr<fs::Operation> behind) noexcept override { behind_ = behind; }
  void read(const fs::ReadView& view) noexcept override {
    if (close()) bytes = bytes_of(view);
  }
  void entry(const fs::Node& answer) noexcept override {
    if (close()) node = answer;
  }
  void opened(std::shared_ptr<fs::OpenFile> answer) noexcept override {
    if (close()) file = std::move(answer);
  }
  void fail(std::error_code why) noexcept override {
    if (before_failing) before_failing();
    if (close()) error = why;
  }

  // As an interrupt or a deadline does.
  void take_away() {
    if (!close()) return;
    taken_away = true;
    if (const auto operation = behind_.lock()) operation->abandon();
  }
  // As a deadline does.
  void run_out() {
    if (!close()) return;
    error = std::make_error_code(std::errc::timed_out);
    const auto operation = behind_.lock();
    if (!operation) return;
    operation->overdue();
    operation->abandon();
  }
  bool answered() const noexcept { return closed_ && !taken_away; }

  std::optional<std::vector<std::byte>> bytes;
  std::optional<fs::Node> node;
  std::shared_ptr<fs::OpenFile> file;
  std::error_code error;
  bool taken_away = false;
  std::function<void()> before_failing;

 private:
  bool close() noexcept { return !closed_.exchange(true); }

  std::atomic<bool> closed_{false};
  std::weak_ptr<fs::Operation> behind_;
};

}  // namespace skimfs::test
