// SPDX-License-Identifier: MIT
//
// Opening an index, see index_file.h.
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "fs/manifest/checksum.h"
#include "fs/manifest/detail.h"
#include "fs/manifest/index_file.h"
#include "fs/manifest/index_format.h"

namespace skimfs::fs::manifest {
namespace {

constexpr std::uint64_t kMostNotes = 1024 * 1024;  // bytes

// Bytes that may be resident.  Where paths ascend, programs that walk the tree walk the file: some
// directories are enough.  Else each entry may be anywhere, and fetching the page for each costs
// more than an answer: a million entries are kept.
constexpr std::uint64_t kWindow = 16 * 1024 * 1024;
constexpr std::uint64_t kWideWindow = 128 * 1024 * 1024;

[[noreturn]] void damaged() { throw IndexError("damaged"); }

IndexHeader header_of(std::span<const std::byte> file) {
  IndexHeader header{};
  if (file.size() < sizeof header) damaged();
  std::memcpy(&header, file.data(), sizeof header);
  if (header.magic != kIndexMagic) throw IndexError("no compiled manifest");
  if (header.version != kIndexVersion || header.byte_order != kByteOrder)
    throw IndexError("compiled by another version of skimfs or for another machine");
  if (header.header_check != crc32c(file.first(offsetof(IndexHeader, header_check)))) damaged();
  if (header.file_bytes != file.size()) throw IndexError("cut short");
  return header;
}

class Opening {
 public:
  Opening(std::shared_ptr<Image> image, const IndexHeader& header)
      : image_(std::move(image)), header_(header) {}

  Layout layout() {
    const std::uint64_t window = header_.ascending != 0 ? kWindow : kWideWindow;
    check_against_its_checks(window);
    Layout tree;
    tree.records = section<Record>(header_.records);
    tree.names = section<char>(header_.names);
    tree.details = section<char>(header_.details);
    tree.children = section<Row>(header_.children);
    tree.keys = section<Key>(header_.keys);
    tree.prefixes = {section<char>(header_.prefixes), section<std::uint32_t>(header_.prefix_ends)};
    tree.scopes = {section<char>(header_.scopes), section<std::uint32_t>(header_.scope_ends)};
    tree.hash_key = header_.hash_key;
    tree.totals = {header_.files,
                   header_.directories,
                   header_.links,
                   header_.bytes,
                   header_.unknown_sizes,
                   header_.largest_piece,
                   std::min(window, header_.file_bytes)};
    tree.ascending = header_.ascending != 0;
    if (tree.records.size() == 0 || tree.records.size() > kMostRows) damaged();
    tree.image = image_.get();
    tree.owner = image_;
    return tree;
  }

  Provenance provenance() {
    Provenance from;
    from.text = header_.text;
    from.reading = header_.reading;
    from.errors = header_.errors;
    from.format.assign(header_.format.data(),
                       strnlen(header_.format.data(), header_.format.size()));
    if (header_.notes.bytes > kMostNotes) damaged();
    const Section<char> notes = section<char>(header_.notes);
    const char* const text = notes.get(0, notes.size());
    if (text == nullptr) damaged();
    std::string_view packed(text, notes.size());
    from.examples = strings(packed);
    from.warnings = strings(packed);
    return from;
  }

 private:
  void check_against_its_checks(std::uint64_t window) {
    const Extent at = header_.checks;
    const std::uint64_t pieces = at.at / kPiece + (at.at % kPiece != 0);
    const std::span<const std::byte> file = image_->bytes();
    if (at.at < sizeof header_ || at.at % kAlignment != 0 || at.at > file.size()) damaged();
    if (at.bytes != file.size() - at.at || at.bytes != pieces * sizeof(std::uint32_t)) damaged();
    const std::span<const std::byte> bytes = file.subspan(at.at);
    if (crc32c(bytes) != header_.checks_check) damaged();
    image_->check_against({reinterpret_cast<const std::uint32_t*>(bytes.data()), pieces},
                          sizeof header_, at.at, window);
  }

  template <class T>
  Section<T> section(Extent at) const {
    const bool inside = at.at >= sizeof header_ && at.at <= header_.checks.at &&
                        at.bytes <= header_.checks.at - at.at;
    if (!inside || at.at % kAlignment != 0 || at.bytes % sizeof(T) != 0) damaged();
    return {reinterpret_cast<const T*>(image_->bytes().data() + at.at), at.bytes / sizeof(T),
            image_.get()};
  }

  static std::vector<std::string> strings(std::string_view& packed) {
    const auto count = take_number(packed);
    if (!count) damaged();
    std::vector<std::string> all;
    for (std::uint64_t each = 0; each < *count; ++each) {
      const auto length = take_number(packed);
      if (!length || *length > packed.size()) damaged();
      all.emplace_back(packed.substr(0, *length));
      packed.remove_prefix(*length);
    }
    return all;
  }

  const std::shared_ptr<Image> image_;
  const IndexHeader& header_;
};

}  // namespace

Index open_index(int fd) {
  auto image = std::make_shared<Image>(fd);
  const IndexHeader header = header_of(image->bytes());
  Opening opening(std::move(image), header);
  Index index;
  index.tree = opening.layout();
  index.provenance = opening.provenance();
  if (!index.tree.image->intact()) damaged();
  return index;
}

bool is_index(int fd) noexcept {
  std::array<char, kIndexMagic.size()> beginning{};
  return ::pread(fd, beginning.data(), beginning.size(), 0) ==
             static_cast<ssize_t>(beginning.size()) &&
         beginning == kIndexMagic;
}

void check_whole(const Layout& tree) {
  if (tree.image != nullptr && !tree.image->whole()) damaged();
}

}  // namespace skimfs::fs::manifest
