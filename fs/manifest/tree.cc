// SPDX-License-Identifier: MIT
//
// Rows to entries and contents; the packed fields are turned back into text here.
#include "fs/manifest/tree.h"

#include <algorithm>

#include "fs/manifest/name_index.h"
#include "fs/manifest/reference.h"
#include "fs/manifest/tokens.h"
#include "fs/manifest/tree_check.h"

namespace skimfs::fs::manifest {
namespace {

// The hash has 32 bits, so among 2^32 names no more than this share one.  A hostile index may say
// otherwise, and gets no time for it.
constexpr std::uint64_t kMostEqual = 64;

// Only a compiled index can come to this: its writer checked what it wrote.
[[noreturn]] void lost() { throw BadText{0, "the index contradicts itself"}; }

}  // namespace

Row Children::operator[](std::size_t at) const noexcept {
  const Row* const row = layout_->children.get(std::uint64_t{run_.first} + at);
  if (row == nullptr) return kRoot;
  if (layout_->image == nullptr) return *row;
  // A row in two lists, or above itself, would make the tree endless.
  const Record* const record = layout_->records.get(*row);
  if (record != nullptr && *row > directory_ && record->parent == directory_) return *row;
  layout_->image->fail();
  return kRoot;
}

void Tree::fail() const noexcept {
  if (layout_.image != nullptr) layout_.image->fail();
}

std::string_view Tree::name(const Record& record) const noexcept {
  const char* const begin = layout_.names.get(record.name, record.name_length);
  return begin == nullptr ? std::string_view() : std::string_view(begin, record.name_length);
}

Entry Tree::entry(Row row) const noexcept {
  Entry entry;
  entry.row = row;
  entry.kind = Kind::file;
  entry.mode = 0;
  const Record* const record = layout_.records.get(row);
  if (record == nullptr) return entry;
  const std::string_view text = name(*record);
  if (layout_.image != nullptr && !is_sane(*record, row, text)) {
    fail();
    return entry;
  }
  entry.parent = record->parent;
  entry.kind = record->kind;
  entry.name = text;
  if (record->kind == Kind::directory)
    entry.children = record->children.count;
  else if (record->size != kUnknownSize)
    entry.size = record->size;
  if (record->seconds != kNoTime) entry.mtime = Time{record->seconds, record->nanoseconds};
  entry.mode = record->mode & 0777u;
  return entry;
}

// The first of the directory's keys that is not below `hash`.  Hashes are spread evenly, so the
// place can be guessed: a binary search of the whole would touch a page for every step.
std::uint64_t Tree::first_key(Run run, std::uint32_t hash) const noexcept {
  const auto below = [&](std::uint64_t at) {
    const Key* const key = layout_.keys.get(std::uint64_t{run.first} + at);
    return key != nullptr && key->hash < hash;
  };
  const std::uint64_t guess = (std::uint64_t{hash} * run.count) >> 32;
  std::uint64_t first = 0, last = run.count;
  for (std::uint64_t reach = 16; reach < run.count; reach *= 8) {
    const std::uint64_t low = guess - std::min(guess, reach);
    const std::uint64_t high = std::min<std::uint64_t>(guess + reach, run.count);
    if ((low > 0 && !below(low - 1)) || (high < run.count && below(high))) continue;
    first = low;
    last = high;
    break;
  }
  while (first < last) {
    const std::uint64_t middle = first + (last - first) / 2;
    if (below(middle)) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  return first;
}

std::optional<Row> Tree::find(Row directory, std::string_view wanted) const noexcept {
  if (wanted.empty() || wanted.size() > kMaxComponent) return std::nullopt;
  const Record* const record = layout_.records.get(directory);
  if (record == nullptr || record->kind != Kind::directory) return std::nullopt;
  const Run run = record->children;
  const std::uint32_t hash = hash_name(layout_.hash_key, directory, wanted);
  const std::uint64_t first = first_key(run, hash);
  for (std::uint64_t at = first; at < run.count; ++at) {
    const Key* const key = layout_.keys.get(std::uint64_t{run.first} + at);
    if (key == nullptr || key->hash != hash) break;
    const Record* const child = layout_.records.get(key->row);
    if (child == nullptr) break;
    if (child->parent == directory && name(*child) == wanted) return key->row;
    if (at - first == kMostEqual) fail();
    if (at - first >= kMostEqual) break;
  }
  return std::nullopt;
}

Children Tree::children(Row directory) const noexcept {
  const Record* const record = layout_.records.get(directory);
  const bool is_directory = record != nullptr && record->kind == Kind::directory;
  Run run = is_directory ? record->children : Run{0, 0};
  if (std::uint64_t{run.first} + run.count > layout_.children.size()) {
    fail();
    run = {0, 0};
  }
  return {layout_, directory, run};
}

std::string Tree::path(Row row) const {
  if (row == kRoot) return "/";
  std::vector<std::string_view> names;  // the last one first
  std::size_t length = 0;
  for (Row each = row; each != kRoot && names.size() <= kMaxDepth;) {
    const Entry at = entry(each);
    names.push_back(at.name);
    length += 1 + at.name.size();
    each = at.parent;
  }
  if (names.size() > kMaxDepth || length > kMaxPath) {
    fail();
    return "/";
  }
  std::string path;
  path.reserve(length);
  for (auto name = names.rbegin(); name != names.rend(); ++name) path.append("/").append(*name);
  return path;
}

// The packed fields of a file or link, with their scope in front.
std::optional<std::string_view> Tree::detail(const Record& record) const noexcept {
  const Section<char>& details = layout_.details;
  if (record.detail < details.size()) {
    const std::uint64_t reach =
        std::min<std::uint64_t>(details.size() - record.detail, kLongestNumber);
    if (const char* const head = details.get(record.detail, reach)) {
      std::string_view packed(head, reach);
      const auto length = take_number(packed);
      const std::uint64_t at = record.detail + (reach - packed.size());
      if (length)
        if (const char* const body = details.get(at, *length))
          return std::string_view(body, *length);
    }
  }
  fail();
  return std::nullopt;
}

std::optional<std::string_view> Tree::string(const Strings& strings,
                                             std::uint64_t number) const noexcept {
  if (number >= strings.ends.size()) return std::nullopt;
  const std::uint32_t* const begin = number == 0 ? nullptr : strings.ends.get(number - 1);
  const std::uint32_t* const end = strings.ends.get(number);
  if (end == nullptr || (number != 0 && begin == nullptr)) return std::nullopt;
  const std::uint32_t from = begin == nullptr ? 0 : *begin;
  if (from > *end) return std::nullopt;
  if (from == *end) return std::string_view();
  const char* const text = strings.text.get(from, *end - from);
  if (text == nullptr) return std::nullopt;
  return std::string_view(text, *end - from);
}

std::string_view Tree::link_target(Row row) const noexcept {
  const Record* const record = layout_.records.get(row);
  if (record == nullptr || record->kind != Kind::link) return {};
  std::string_view fields = detail(*record).value_or("");
  take_number(fields);  // the scope
  for (FieldReader field(fields); field.next();) {
    if (field.tag() != Tag::link) continue;
    if (layout_.image == nullptr || is_sane_link(*this, entry(row), field.value()))
      return field.value();
  }
  fail();
  return {};
}

std::string Tree::reference(std::string_view packed) const {
  const auto number = take_number(packed);
  const auto beginning = number ? string(layout_.prefixes, *number) : std::nullopt;
  if (!beginning) lost();
  return std::string(*beginning).append(packed);
}

std::vector<std::string> Tree::urls(const Scope& scope, std::string_view reference) const {
  std::vector<std::string> urls{resolve(scope.base, reference)};
  if (!is_relative(reference)) return urls;
  for (const std::string& base : scope.mirrors) {
    std::string url = resolve(base, reference);
    // "//host/x" is relative and yet the same everywhere.
    if (std::find(urls.begin(), urls.end(), url) == urls.end()) urls.push_back(std::move(url));
  }
  return urls;
}

std::vector<std::string> Tree::path_urls(const Scope& scope, Row row) const {
  const std::string whole = path(row);
  std::string_view rest = whole;
  for (std::uint32_t skipped = 0; skipped < scope.prefix_depth; ++skipped) {
    const std::size_t next = rest.find('/', 1);
    if (next == std::string_view::npos) lost();
    rest.remove_prefix(next);
  }
  std::vector<std::string> urls{append_path(scope.base, rest)};
  for (const std::string& base : scope.mirrors) urls.push_back(append_path(base, rest));
  return urls;
}

Part Tree::remote_part(const Scope& scope, std::string_view text) const {
  const RemotePart from = parse_remote_part(text);
  Part part;
  part.length = from.length;
  part.urls = urls(scope, from.located.reference);
  part.offset = from.window.offset;
  part.total = from.window.total;
  part.etag = from.located.etag;
  return part;
}

Content Tree::content(Row row) const {
  const Record* const record = layout_.records.get(row);
  if (record == nullptr || record->kind != Kind::file) return {};
  if (layout_.image == nullptr) return decode(row, *record);
  try {
    Content content = decode(row, *record);
    check_content(content, entry(row).size, layout_.totals.largest_piece);
    return content;
  } catch (const BadText&) {
    fail();
    return {};
  }
}

Content Tree::decode(Row row, const Record& record) const {
  std::string_view fields = detail(record).value_or("");
  const auto number = take_number(fields);
  const auto packed = number ? string(layout_.scopes, *number) : std::nullopt;
  const auto unpacked = packed ? unpack_scope(*packed) : std::nullopt;
  if (!unpacked) lost();
  const Scope& scope = *unpacked;
  FieldReader field(fields);
  Content content;
  content.mime_type = scope.mime_type;
  content.validator = scope.validator;
  content.auth = scope.auth;
  Part whole;  // of an entry without parts of its own
  if (record.size != kUnknownSize) whole.length = whole.total = record.size;
  std::vector<std::string> mirrors;
  while (field.next()) {
    const std::string_view value = field.value();
    switch (field.tag()) {
      case Tag::reference:
        whole.urls = urls(scope, reference(value));
        break;
      case Tag::same_path:
        whole.urls = path_urls(scope, row);
        break;
      case Tag::digest:
        content.digests.push_back(format_digest(value));
        break;
      case Tag::etag:
        whole.etag = value;
        break;
      case Tag::mirror: {
        const Located mirror = parse_located(value);
        mirrors.push_back(resolve(scope.base, mirror.reference));
        whole.mirror_etags.emplace_back(mirror.etag);
        break;
      }
      case Tag::type:
        content.mime_type = value;
        break;
      case Tag::validator:
        content.validator = value;
        break;
      case Tag::auth:
        content.auth = value;
        break;
      case Tag::pieces: {
        const Pieces pieces = parse_pieces(value);
        content.pieces = pieces.head;
        content.pieces += resolve(scope.base, pieces.reference);
        content.pieces += pieces.tail;
        break;
      }
      case Tag::window: {
        const Window window = parse_window(value, record.size);
        whole.offset = window.offset;
        whole.total = window.total;
        break;
      }
      case Tag::part:
        content.parts.push_back(remote_part(scope, value));
        break;
      case Tag::literal:
        content.parts.emplace_back();
        content.parts.back().length = value.size();
        content.parts.back().literal = value;
        break;
      case Tag::link:
      default:
        lost();
    }
  }
  if (field.bad()) lost();
  if (!whole.urls.empty()) {
    whole.urls.insert(whole.urls.begin() + 1, mirrors.begin(), mirrors.end());
    content.parts.push_back(std::move(whole));
  }
  if (record.size == 0) content.parts.clear();
  std::uint64_t at = 0;
  for (Part& part : content.parts) {
    part.at = at;
    at += part.length.value_or(0);
  }
  return content;
}

}  // namespace skimfs::fs::manifest
