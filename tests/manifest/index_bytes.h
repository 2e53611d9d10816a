// SPDX-License-Identifier: MIT
//
// A compiled manifest as bytes: made from a text, opened, and sealed again after they were changed.
#pragma once

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "fs/manifest/checksum.h"
#include "fs/manifest/index_file.h"
#include "fs/manifest/index_format.h"
#include "fs/manifest/read_text.h"
#include "fs/manifest/tree.h"

namespace skimfs::fs::manifest {

// A file without a name, that looks as if nobody had written to it for years: so a later write
// shows in its times whatever the clock's ticks.
class Memory {
 public:
  explicit Memory(std::string_view bytes = {}) : fd_(memfd_create("index", MFD_CLOEXEC)) {
    write(0, bytes);
    const timespec long_ago[2] = {{1000, 0}, {1000, 0}};
    if (futimens(fd_, long_ago) != 0) std::abort();
  }
  ~Memory() { close(fd_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  int descriptor() const { return fd_; }
  void write(std::size_t at, std::string_view bytes) const {
    if (pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at)) !=
        static_cast<ssize_t>(bytes.size()))
      std::abort();
  }
  void cut(std::size_t size) const {
    if (ftruncate(fd_, static_cast<off_t>(size)) != 0) std::abort();
  }
  std::string bytes() const {
    std::string all(static_cast<std::size_t>(lseek(fd_, 0, SEEK_END)), '\0');
    if (pread(fd_, all.data(), all.size(), 0) != static_cast<ssize_t>(all.size())) std::abort();
    return all;
  }

 private:
  const int fd_;
};

// `entries`: the lines below the magic line.  `spool`: as read_text.
inline std::string index_of(std::string_view entries, const ReadOptions& options = {},
                            const std::string& spool = {}) {
  std::string text = "#skimfs 1\n" + std::string(entries);
  std::string_view rest = text;
  const auto source = [&](std::span<char> into) {
    const std::size_t count = rest.copy(into.data(), into.size());
    rest.remove_prefix(count);
    return count;
  };
  const ReadText read = read_text(source, "m", options, spool);
  const Memory file;
  write_index(file.descriptor(), read.tree,
              {digest_of(text),
               {},
               read.loaded.format,
               read.loaded.errors,
               read.loaded.examples,
               read.loaded.warnings});
  return file.bytes();
}

inline Tree tree_of_index(const Memory& file) { return Tree(open_index(file.descriptor()).tree); }

// Makes all checks fit again, so that what was changed looks written.  Nothing for what has no room
// for a header.
inline void seal(std::string& index) {
  IndexHeader header{};
  if (index.size() < sizeof header) return;
  std::memcpy(&header, index.data(), sizeof header);
  header.magic = kIndexMagic;
  header.version = kIndexVersion;
  header.byte_order = kByteOrder;
  const auto bytes = [&](std::size_t at, std::size_t size) {
    return std::as_bytes(std::span(index.data() + at, size));
  };
  const std::uint64_t end = std::clamp<std::uint64_t>(header.checks.at / kAlignment * kAlignment,
                                                      sizeof header, index.size());
  std::string checks;
  for (std::uint64_t at = sizeof header; at < end;) {
    const std::uint64_t next = std::min((at / kPiece + 1) * kPiece, end);
    const std::uint32_t check = crc32c(bytes(at, next - at));
    checks.append(reinterpret_cast<const char*>(&check), sizeof check);
    at = next;
  }
  index.resize(end);
  index += checks;
  header.file_bytes = index.size();
  header.checks = {end, checks.size()};
  header.checks_check = crc32c(bytes(end, checks.size()));
  header.header_check =
      crc32c(std::as_bytes(std::span(&header, 1)).first(offsetof(IndexHeader, header_check)));
  std::memcpy(index.data(), &header, sizeof header);
}

// Asks a tree everything there is to ask.
inline void ask_all(const Tree& tree) {
  for (Row row = 0; row < tree.rows(); ++row) {
    const Entry entry = tree.entry(row);
    tree.path(row);
    tree.link_target(row);
    tree.content(row);
    tree.find(entry.parent, entry.name);
    for (const Row child : tree.children(row)) tree.entry(child);
  }
}

}  // namespace skimfs::fs::manifest
