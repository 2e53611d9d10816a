// SPDX-License-Identifier: MIT
//
// Writing an index, see index_file.h.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <string_view>
#include <system_error>

#include "fs/manifest/checksum.h"
#include "fs/manifest/detail.h"
#include "fs/manifest/index_file.h"
#include "fs/manifest/index_format.h"
#include "fs/manifest/spool.h"

namespace skimfs::fs::manifest {
namespace {

constexpr std::size_t kBuffer = 256 * 1024;  // bytes of one write(2)

// Appends, and makes the check of each piece as it goes.
class Writer {
 public:
  // `spooled`: of the tree.
  Writer(int fd, bool spooled) : fd_(fd), spooled_(spooled) { buffer_.reserve(kBuffer); }

  // Room for the header, which is not under the checks of the pieces.
  void skip(std::uint64_t bytes) {
    buffer_.insert(buffer_.end(), bytes, std::byte{});
    at_ += bytes;
  }

  template <class T>
  Extent section(const Section<T>& from) {
    const auto bytes = std::as_bytes(std::span(from.data(), from.size()));
    const Extent extent = begin_section(bytes.size());
    for (std::size_t at = 0; at < bytes.size(); at += kBuffer) {
      const auto step = bytes.subspan(at, std::min(kBuffer, bytes.size() - at));
      checked(step);
      if (spooled_) give_back(step.data(), step.size());
    }
    return extent;
  }
  Extent section(std::string_view text) {
    const Extent extent = begin_section(text.size());
    checked(std::as_bytes(std::span(text)));
    return extent;
  }

  void align() {
    constexpr std::array<std::byte, kAlignment> zeros{};
    checked(std::span(zeros).first((kAlignment - at_ % kAlignment) % kAlignment));
  }

  // Ends the last piece.
  std::span<const std::uint32_t> checks() {
    if (at_ % kPiece != 0) end_piece();
    return checks_;
  }

  void unchecked(std::span<const std::byte> bytes) {
    put(bytes);
    at_ += bytes.size();
  }
  std::uint64_t at() const noexcept { return at_; }

  void flush() {
    for (std::span<const std::byte> rest = buffer_; !rest.empty();) {
      const ssize_t wrote = ::write(fd_, rest.data(), rest.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) throw std::system_error(errno, std::generic_category(), "write");
      rest = rest.subspan(static_cast<std::size_t>(wrote));
    }
    buffer_.clear();
  }

 private:
  Extent begin_section(std::uint64_t bytes) {
    align();
    return {at_, bytes};
  }

  void checked(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto step = std::min<std::uint64_t>(bytes.size(), kPiece - at_ % kPiece);
      const auto now = bytes.first(step);
      check_ = crc32c(now, check_);
      put(now);
      at_ += step;
      if (at_ % kPiece == 0) end_piece();
      bytes = bytes.subspan(step);
    }
  }

  void end_piece() {
    checks_.push_back(check_);
    check_ = 0;
  }

  void put(std::span<const std::byte> bytes) {
    if (buffer_.size() + bytes.size() > kBuffer) flush();
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }

  const int fd_;
  const bool spooled_;
  std::vector<std::byte> buffer_;
  std::vector<std::uint32_t> checks_;
  std::uint64_t at_ = 0;
  std::uint32_t check_ = 0;
};

void put_strings(std::string& packed, const std::vector<std::string>& strings) {
  put_number(packed, strings.size());
  for (const std::string& each : strings) {
    put_number(packed, each.size());
    packed += each;
  }
}

void write_at_front(int fd, std::span<const std::byte> bytes) {
  const ssize_t wrote = ::pwrite(fd, bytes.data(), bytes.size(), 0);
  if (wrote != static_cast<ssize_t>(bytes.size()))
    throw std::system_error(wrote < 0 ? errno : ENOSPC, std::generic_category(), "write");
}

IndexHeader header_for(const Layout& tree, const Provenance& provenance) {
  IndexHeader header{};
  header.magic = kIndexMagic;
  header.version = kIndexVersion;
  header.byte_order = kByteOrder;
  header.text = provenance.text;
  header.reading = provenance.reading;
  header.hash_key = tree.hash_key;
  header.files = tree.totals.files;
  header.directories = tree.totals.directories;
  header.links = tree.totals.links;
  header.bytes = tree.totals.bytes;
  header.unknown_sizes = tree.totals.unknown_sizes;
  header.largest_piece = tree.totals.largest_piece;
  header.errors = provenance.errors;
  header.ascending = tree.ascending ? 1 : 0;
  provenance.format.copy(header.format.data(), header.format.size() - 1);
  return header;
}

}  // namespace

void write_index(int fd, const Layout& tree, const Provenance& provenance) {
  if (tree.image != nullptr) check_whole(tree);
  std::string notes;
  put_strings(notes, provenance.examples);
  put_strings(notes, provenance.warnings);

  IndexHeader header = header_for(tree, provenance);
  Writer writer(fd, tree.spooled);
  writer.skip(sizeof header);
  header.records = writer.section(tree.records);
  header.names = writer.section(tree.names);
  header.details = writer.section(tree.details);
  header.children = writer.section(tree.children);
  header.keys = writer.section(tree.keys);
  header.prefixes = writer.section(tree.prefixes.text);
  header.prefix_ends = writer.section(tree.prefixes.ends);
  header.scopes = writer.section(tree.scopes.text);
  header.scope_ends = writer.section(tree.scopes.ends);
  header.notes = writer.section(notes);
  writer.align();

  const std::span<const std::byte> checks = std::as_bytes(writer.checks());
  header.checks = {writer.at(), checks.size()};
  header.checks_check = crc32c(checks);
  writer.unchecked(checks);
  writer.flush();
  header.file_bytes = writer.at();
  const std::span<const std::byte> bytes = std::as_bytes(std::span(&header, 1));
  header.header_check = crc32c(bytes.first(offsetof(IndexHeader, header_check)));
  write_at_front(fd, bytes);
}

}  // namespace skimfs::fs::manifest
