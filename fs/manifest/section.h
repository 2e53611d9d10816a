// SPDX-License-Identifier: MIT
//
// Read access to one array of a tree, in memory or in a compiled index.
//
// A null pointer means that the bytes are not there or not as they were written, which only an
// index can be; the image has been told then.  Any thread.
#pragma once

#include <cassert>
#include <cstdint>
#include <string_view>

#include "fs/manifest/image.h"

namespace skimfs::fs::manifest {

template <class T>
class Section {
 public:
  Section() = default;
  // `image`: null for our own memory.
  Section(const T* data, std::uint64_t size, const Image* image = nullptr) noexcept
      : data_(data), size_(size), image_(image) {}

  const T* data() const noexcept { return data_; }
  std::uint64_t size() const noexcept { return size_; }
  std::uint64_t bytes() const noexcept { return size_ * sizeof(T); }

  // `count` values from `at` on.
  const T* get(std::uint64_t at, std::uint64_t count = 1) const noexcept {
    if (image_ == nullptr) {
      assert(at <= size_ && count <= size_ - at);
      return data_ + at;
    }
    if (at > size_ || count > size_ - at) {
      image_->fail();
      return nullptr;
    }
    return image_->holds(data_ + at, count * sizeof(T)) ? data_ + at : nullptr;
  }

 private:
  const T* data_ = nullptr;
  std::uint64_t size_ = 0;
  const Image* image_ = nullptr;
};

}  // namespace skimfs::fs::manifest
