// SPDX-License-Identifier: MIT
//
// What the manifest tests share: reading from memory, and a file that goes away.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fs/manifest/load.h"

namespace skimfs::fs::manifest {

// `entries`: the lines below the magic line.
inline Loaded read(std::string_view entries, const ReadOptions& options = {}) {
  return load_text("#skimfs 1\n" + std::string(entries), "m", options);
}

inline Row find_path(const Tree& tree, std::string_view path) {
  Row row = kRoot;
  while (path.size() > 1) {
    path.remove_prefix(1);
    const std::string_view name = path.substr(0, path.find('/'));
    const auto next = tree.find(row, name);
    if (!next) {
      ADD_FAILURE() << "no \"" << name << "\" below " << tree.path(row);
      return kRoot;
    }
    row = *next;
    path.remove_prefix(name.size());
  }
  return row;
}

// Of the file on a single entry line.
inline Content content_of(std::string_view entries) {
  const Loaded loaded = read(entries);
  return loaded.tree->content(loaded.tree->rows() - 1);
}

inline std::string error_of(std::string_view whole, const ReadOptions& options = {}) {
  try {
    load_text(whole, "m", options);
  } catch (const ManifestError& error) {
    return error.what();
  }
  return "no error";
}

// Are these two the same to whoever mounts them?
inline void expect_same(const Tree& one, const Tree& other) {
  ASSERT_EQ(one.rows(), other.rows());
  for (Row row = 0; row < one.rows(); ++row) {
    const Entry a = one.entry(row), b = other.entry(row);
    const std::string path = one.path(row);
    EXPECT_EQ(path, other.path(row));
    EXPECT_EQ(a.parent, b.parent) << path;
    EXPECT_EQ(a.kind, b.kind) << path;
    EXPECT_EQ(a.name, b.name) << path;
    EXPECT_EQ(a.size, b.size) << path;
    EXPECT_EQ(a.mode, b.mode) << path;
    ASSERT_EQ(a.mtime.has_value(), b.mtime.has_value()) << path;
    if (a.mtime) {
      EXPECT_EQ(a.mtime->seconds, b.mtime->seconds) << path;
      EXPECT_EQ(a.mtime->nanoseconds, b.mtime->nanoseconds) << path;
    }
    if (row != kRoot) {
      EXPECT_EQ(other.find(a.parent, a.name), row) << path;
    }
    EXPECT_EQ(one.link_target(row), other.link_target(row)) << path;
    const Children left = one.children(row), right = other.children(row);
    EXPECT_EQ(std::vector<Row>(left.begin(), left.end()),
              std::vector<Row>(right.begin(), right.end()))
        << path;
    const Content from = one.content(row), to = other.content(row);
    EXPECT_EQ(from.digests, to.digests) << path;
    EXPECT_EQ(from.pieces, to.pieces) << path;
    EXPECT_EQ(from.validator, to.validator) << path;
    EXPECT_EQ(from.mime_type, to.mime_type) << path;
    ASSERT_EQ(from.parts.size(), to.parts.size()) << path;
    for (std::size_t part = 0; part < from.parts.size(); ++part) {
      const Part &x = from.parts[part], &y = to.parts[part];
      EXPECT_EQ(x.at, y.at) << path;
      EXPECT_EQ(x.length, y.length) << path;
      EXPECT_EQ(x.urls, y.urls) << path;
      EXPECT_EQ(x.offset, y.offset) << path;
      EXPECT_EQ(x.total, y.total) << path;
      EXPECT_EQ(x.etag, y.etag) << path;
      EXPECT_EQ(x.mirror_etags, y.mirror_etags) << path;
      EXPECT_EQ(x.literal, y.literal) << path;
    }
  }
  EXPECT_EQ(one.totals().files, other.totals().files);
  EXPECT_EQ(one.totals().directories, other.totals().directories);
  EXPECT_EQ(one.totals().links, other.totals().links);
  EXPECT_EQ(one.totals().bytes, other.totals().bytes);
  EXPECT_EQ(one.totals().unknown_sizes, other.totals().unknown_sizes);
  EXPECT_EQ(one.totals().largest_piece, other.totals().largest_piece);
  EXPECT_TRUE(one.intact());
  EXPECT_TRUE(other.intact());
}

// A file or FIFO in a folder of its own, gone at the end.
class Scratch {
 public:
  Scratch() {
    char pattern[] = "/tmp/skimfs-manifest.XXXXXX";
    folder_ = mkdtemp(pattern);
  }
  ~Scratch() { std::filesystem::remove_all(folder_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& folder() const { return folder_; }
  std::string path() const { return folder_ + "/m"; }
  void write(std::string_view text) const { std::ofstream(path(), std::ios::binary) << text; }

 private:
  std::string folder_;
};

}  // namespace skimfs::fs::manifest
