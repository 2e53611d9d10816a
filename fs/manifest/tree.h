// SPDX-License-Identifier: MIT
//
// The names of a mount: an immutable directory tree, made once from a manifest.
//
// Rows are in manifest order; a directory that no line names stands where it is first needed.  Row
// 0 is the root.  Any thread may read; nothing here waits or allocates per file.
//
// A tree from a compiled index is checked while it is read.  What a call returned counts only if
// intact() holds afterwards; until then it is some harmless value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fs/manifest/detail.h"
#include "fs/manifest/layout.h"

namespace skimfs::fs::manifest {

struct Time {
  std::int64_t seconds = 0;  // since 1970, UTC
  std::uint32_t nanoseconds = 0;
};

// One row, as readdir and getattr need it.  Views live as long as the tree.
struct Entry {
  Row row = kRoot;
  Row parent = kRoot;
  Kind kind = Kind::directory;
  std::string_view name;
  std::optional<std::uint64_t> size;  // bytes; empty: ask the server.  Links: length of the target
  std::uint32_t children = 0;         // of a directory
  std::optional<Time> mtime;
  std::uint32_t mode = 0444;  // permission bits only, no write bits; links 0777
};

// One run of a file's bytes.
struct Part {
  std::uint64_t at = 0;                 // first byte in the file
  std::optional<std::uint64_t> length;  // bytes; empty only for a whole object of unknown size
  std::vector<std::string> urls;        // absolute, preferred first; empty: `literal` is it
  std::uint64_t offset = 0;             // first byte in the object
  std::optional<std::uint64_t> total;   // the object's length, where stated or implied
  std::string etag;                     // stated pin of the first URL, may be empty
  std::string literal;                  // inline content
  std::vector<std::string> mirror_etags = {};  // stated pins of urls[1], urls[2], ...; may be
                                               // empty, and those at the end may be left out
};

// Where a file's bytes come from: parts in order, without gaps.  Empty for an empty file.
struct Content {
  std::vector<Part> parts;
  std::vector<std::string> digests;  // "algo:hex", the digest column first
  std::string pieces;                // "algo:LEN:URI[#HEX]", URI absolute; empty: none
  std::string validator;             // "strict", "time", "size"; empty: strict
  std::string mime_type;
  std::string auth;  // name of the credential profile its requests carry; empty: none
};

// The children of one directory, ascending.
class Children {
 public:
  class Iterator {
   public:
    using iterator_category = std::random_access_iterator_tag;
    using value_type = Row;
    using difference_type = std::ptrdiff_t;
    using pointer = const Row*;
    using reference = Row;

    Iterator() = default;
    Iterator(const Children* of, difference_type at) noexcept : of_(of), at_(at) {}

    Row operator*() const noexcept { return (*of_)[static_cast<std::size_t>(at_)]; }
    Iterator& operator+=(difference_type by) noexcept { return at_ += by, *this; }
    Iterator& operator++() noexcept { return ++at_, *this; }
    Iterator& operator--() noexcept { return --at_, *this; }
    Iterator operator++(int) noexcept { return {of_, at_++}; }
    friend difference_type operator-(const Iterator& a, const Iterator& b) { return a.at_ - b.at_; }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }

   private:
    const Children* of_ = nullptr;
    difference_type at_ = 0;
  };

  std::size_t size() const noexcept { return run_.count; }
  bool empty() const noexcept { return run_.count == 0; }
  Row operator[](std::size_t at) const noexcept;  // at < size()
  Iterator begin() const noexcept { return {this, 0}; }
  Iterator end() const noexcept { return {this, static_cast<std::ptrdiff_t>(run_.count)}; }

 private:
  friend class Tree;
  Children(const Layout& layout, Row directory, Run run) noexcept
      : layout_(&layout), directory_(directory), run_(run) {}

  const Layout* layout_;
  Row directory_;
  Run run_;
};

class Tree {
 public:
  explicit Tree(Layout layout) noexcept : layout_(std::move(layout)) {}

  Row rows() const noexcept { return static_cast<Row>(layout_.records.size()); }  // with the root
  Entry entry(Row row) const noexcept;
  std::optional<Row> find(Row directory, std::string_view name) const noexcept;
  Children children(Row directory) const noexcept;
  std::string path(Row row) const;  // "/a/b"; the root is "/"
  std::string_view link_target(Row row) const noexcept;
  Content content(Row row) const;  // of a file
  const Totals& totals() const noexcept { return layout_.totals; }

  // Does what was read so far count?  Once false, it stays so.
  bool intact() const noexcept { return layout_.image == nullptr || layout_.image->intact(); }

 private:
  std::string_view name(const Record& record) const noexcept;
  std::uint64_t first_key(Run run, std::uint32_t hash) const noexcept;
  std::optional<std::string_view> detail(const Record& record) const noexcept;
  std::optional<std::string_view> string(const Strings& strings,
                                         std::uint64_t number) const noexcept;
  Content decode(Row row, const Record& record) const;
  std::string reference(std::string_view packed) const;
  std::vector<std::string> urls(const Scope& scope, std::string_view reference) const;
  std::vector<std::string> path_urls(const Scope& scope, Row row) const;
  Part remote_part(const Scope& scope, std::string_view text) const;
  void fail() const noexcept;

  Layout layout_;
};

}  // namespace skimfs::fs::manifest
