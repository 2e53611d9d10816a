// SPDX-License-Identifier: MIT
//
// A growing array of plain values for millions of rows, in memory or in a file without a name.
//
// Memory grows by realloc(3), which moves large blocks by remapping their pages: neither growth nor
// the spare capacity costs resident memory.  A file's space is reserved before it is mapped, so a
// full disk is an exception and not a SIGBUS.  One thread writes; const access is for any.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include "fs/manifest/spool.h"

namespace skimfs::fs::manifest {

template <class T>
class Column {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Column() = default;
  // `spool`: lives longer; null for memory.
  explicit Column(const Spool* spool) noexcept : spool_(spool) {}
  Column(Column&& other) noexcept { swap(other); }
  Column& operator=(Column&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Column() { free_block(); }

  std::size_t size() const noexcept { return size_; }
  std::size_t bytes() const noexcept { return size_ * sizeof(T); }
  const T* data() const noexcept { return data_; }
  T* data() noexcept { return data_; }
  T& operator[](std::size_t at) noexcept { return data_[at]; }
  const T& operator[](std::size_t at) const noexcept { return data_[at]; }

  void push_back(const T& value) {
    reserve(size_ + 1);
    data_[size_++] = value;
  }
  void append(const T* values, std::size_t count) {
    if (count == 0) return;
    reserve(size_ + count);
    std::memcpy(data_ + size_, values, count * sizeof(T));
    size_ += count;
  }
  // Exactly `count` values, all zero bytes; what was there is gone.
  void assign_zero(std::size_t count) {
    free_block();
    if (count == 0) return;
    if (spool_ != nullptr) {
      resize_block(count);  // a new file is all zeros
    } else {
      data_ = static_cast<T*>(std::calloc(count, sizeof(T)));
      if (data_ == nullptr) throw std::bad_alloc();
      capacity_ = count;
    }
    size_ = count;
  }
  // Gives the spare capacity back.
  void shrink() {
    if (spool_ == nullptr && size_ > 0 && size_ < capacity_) resize_block(size_);
  }
  // Takes a file's pages out of resident memory; they return when touched.
  void give_back() const noexcept { file_.give_back(); }

 private:
  void swap(Column& other) noexcept {
    std::swap(spool_, other.spool_);
    std::swap(file_, other.file_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }
  void free_block() noexcept {
    if (spool_ == nullptr) std::free(data_);
    file_ = SpoolFile();
    data_ = nullptr;
    size_ = capacity_ = 0;
  }
  void reserve(std::size_t count) {
    const std::size_t least = spool_ != nullptr ? kLeastFile / sizeof(T) : 64;
    if (count > capacity_) resize_block(std::max({count, capacity_ + capacity_ / 2, least}));
  }
  void resize_block(std::size_t capacity) {
    void* block = nullptr;
    if (spool_ != nullptr) {
      block = file_.resize(*spool_, capacity * sizeof(T));
    } else {
      block = std::realloc(static_cast<void*>(data_), capacity * sizeof(T));
      if (block == nullptr) throw std::bad_alloc();
    }
    data_ = static_cast<T*>(block);
    capacity_ = capacity;
  }

  static constexpr std::size_t kLeastFile = 1024 * 1024;  // bytes: spares calls while it is small

  const Spool* spool_ = nullptr;
  SpoolFile file_;
  T* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace skimfs::fs::manifest
