// SPDX-License-Identifier: MIT
//
// Rows are appended as they come; lists of children are made once, at the end.
#include "fs/manifest/tree_builder.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "fs/manifest/detail.h"
#include "fs/manifest/tokens.h"

namespace skimfs::fs::manifest {
namespace {

constexpr std::uint64_t kMaxHeap = std::numeric_limits<std::uint32_t>::max();
// Sorted lists repeat the beginnings of URLs at once or soon; more would not find more.
constexpr std::size_t kRecentPrefixes = 4096;

[[noreturn]] void clash(std::string message, std::uint32_t line) {
  throw BadText{0, std::move(message) + " line " + std::to_string(line)};
}

// Rows between two times that a spool's pages are given back: a few MiB.
constexpr Row kGiveBack = 16 * 1024;
// A row farther off than this lies on pages of its own, which weigh as much as so many rows.
constexpr Row kNear = 256, kFar = 512;

}  // namespace

struct TreeBuilder::Columns {
  explicit Columns(const std::string& directory) {
    if (directory.empty()) return;
    spool.emplace(directory);
    records = Column<Record>(&*spool);
    names = Column<char>(&*spool);
    details = Column<char>(&*spool);
    children = Column<Row>(&*spool);
    keys = Column<Key>(&*spool);
    prefixes = Column<char>(&*spool);
    prefix_ends = Column<std::uint32_t>(&*spool);
    scopes = Column<char>(&*spool);
    scope_ends = Column<std::uint32_t>(&*spool);
  }

  std::optional<Spool> spool;
  Column<Record> records;
  Column<char> names;
  Column<char> details;
  Column<Row> children;
  Column<Key> keys;
  Column<char> prefixes;
  Column<std::uint32_t> prefix_ends;
  Column<char> scopes;
  Column<std::uint32_t> scope_ends;
};

TreeBuilder::TreeBuilder(const std::string& spool)
    : columns_(std::make_shared<Columns>(spool)),
      hash_key_(random_hash_key()),
      open_path_("/"),
      open_{{1, kRoot}},
      recent_prefixes_(kRecentPrefixes) {
  if (columns_->spool) lines_ = Column<std::uint32_t>(&*columns_->spool);
  append(kRoot, "", 0, Kind::directory, 0);
}

TreeBuilder::~TreeBuilder() = default;

// As often as rows are gone through in order.
void TreeBuilder::passed(Row row) const noexcept {
  if (row % kGiveBack == 0) give_back();
}

void TreeBuilder::give_back() const noexcept {
  if (!columns_->spool) return;
  columns_->records.give_back();
  columns_->names.give_back();
  columns_->details.give_back();
  columns_->children.give_back();
  columns_->keys.give_back();
  columns_->prefixes.give_back();
  columns_->prefix_ends.give_back();
  lines_.give_back();
}

std::uint32_t TreeBuilder::intern(const Scope& scope) {
  Columns& to = *columns_;
  const auto number = static_cast<std::uint32_t>(to.scope_ends.size());
  const auto [known, added] = scopes_.emplace(pack_scope(scope), number);
  if (added) {
    const std::string& packed = known->first;
    if (to.scopes.size() + packed.size() > kMaxHeap) {
      throw BadText{0, "more bases than a mount can hold", Reach::rest};
    }
    to.scopes.append(packed.data(), packed.size());
    to.scope_ends.push_back(static_cast<std::uint32_t>(to.scopes.size()));
  }
  return known->second;
}

std::string_view TreeBuilder::name(Row row) const noexcept {
  const Record& record = columns_->records[row];
  return {columns_->names.data() + record.name, record.name_length};
}

Row TreeBuilder::find(Row directory, std::string_view wanted, std::uint32_t hash) const noexcept {
  if (ordered_) return kRoot;
  return index_.find(hash, [&](Row row) {
    return columns_->records[row].parent == directory && name(row) == wanted;
  });
}

Row TreeBuilder::append(Row parent, std::string_view name, std::uint32_t hash, Kind kind,
                        std::uint64_t line) {
  Columns& to = *columns_;
  if (to.records.size() >= kMostRows || to.names.size() + name.size() > kMaxHeap) {
    throw BadText{0, "more names than a mount can hold", Reach::rest};
  }
  const auto row = static_cast<Row>(to.records.size());
  passed(row);
  Record record{};
  if (kind == Kind::directory) {
    record.children = {0, 0};
  } else {
    record.size = 0;
  }
  record.seconds = kNoTime;
  record.detail = kNoDetail;
  record.parent = parent;
  record.name = static_cast<std::uint32_t>(to.names.size());
  record.name_length = static_cast<std::uint8_t>(name.size());
  record.mode = 0555;
  record.kind = kind;
  to.names.append(name.data(), name.size());
  to.records.push_back(record);
  lines_.push_back(static_cast<std::uint32_t>(std::min(line, kMaxHeap)));
  if (row == kRoot) return row;
  ++to.records[parent].children.count;
  if (!ordered_) index_.insert(row, hash);
  return row;
}

// Does this entry come after all others, and clash with none?
//
// Then no directory of its path is there but those of the entry before; and a file that stands
// where one of them should be is one whose path begins the path before.
bool TreeBuilder::ascends(const Draft& draft) {
  scratch_.assign(draft.path);
  if (draft.kind == Kind::directory) scratch_ += '/';
  if (scratch_ <= last_path_) return false;
  const auto common = static_cast<std::size_t>(
      std::mismatch(scratch_.begin(), scratch_.end(), last_path_.begin(), last_path_.end()).first -
      scratch_.begin());
  while (!inside_last_.empty() && inside_last_.back().end > common) inside_last_.pop_back();
  return std::none_of(inside_last_.begin(), inside_last_.end(), [&](const Place& file) {
    return file.end < scratch_.size() && scratch_[file.end] == '/';
  });
}

void TreeBuilder::leave_order() {
  ordered_ = false;
  last_path_ = {};
  inside_last_ = {};
  const auto rows = static_cast<Row>(columns_->records.size());
  for (Row row = 1; row < rows; ++row) {
    passed(row);
    index_.insert(row, hash_name(hash_key_, columns_->records[row].parent, name(row)));
  }
}

// `path`: of the directory, "/" at both ends.
Row TreeBuilder::directory_for(std::string_view path, std::uint64_t line) {
  const auto [left, right] =
      std::mismatch(path.begin(), path.end(), open_path_.begin(), open_path_.end());
  const auto common = static_cast<std::size_t>(left - path.begin());
  while (open_.back().end > common) open_.pop_back();
  open_path_.resize(open_.back().end);

  while (open_.back().end < path.size()) {
    const std::size_t begin = open_.back().end;
    const std::size_t end = path.find('/', begin);
    const std::string_view name = path.substr(begin, end - begin);
    const Row parent = open_.back().row;
    const std::uint32_t hash = ordered_ ? 0 : hash_name(hash_key_, parent, name);
    Row row = find(parent, name, hash);
    if (row == kRoot) {
      row = append(parent, name, hash, Kind::directory, line);
    } else if (columns_->records[row].kind != Kind::directory) {
      clash("\"" + std::string(path.substr(0, end)) + "\" is no directory: see", lines_[row]);
    }
    open_path_.append(path.substr(begin, end + 1 - begin));
    open_.push_back({end + 1, row});
  }
  return open_.back().row;
}

void TreeBuilder::name_directory(Row row, const Draft& draft, std::uint64_t line) {
  Record& record = columns_->records[row];
  record.mode = static_cast<std::uint16_t>(draft.mode | kNamed);
  if (draft.mtime) {
    record.seconds = draft.mtime->seconds;
    record.nanoseconds = draft.mtime->nanoseconds;
  }
  lines_[row] = static_cast<std::uint32_t>(std::min(line, kMaxHeap));
}

void TreeBuilder::add(const Draft& draft, std::uint32_t scope, std::uint64_t line) {
  const std::uint64_t size = draft.kind == Kind::file ? draft.size.value_or(0) : 0;
  if (size > kMaxNumber - bytes_) throw BadText{0, "the sizes add up to more than 2^63-1 bytes"};

  if (ordered_ && !ascends(draft)) leave_order();
  const std::size_t slash = draft.path.rfind('/');
  const std::string_view name = draft.path.substr(slash + 1);
  const Row parent = directory_for(draft.path.substr(0, slash + 1), line);
  const std::uint32_t hash = ordered_ ? 0 : hash_name(hash_key_, parent, name);
  const Row there = find(parent, name, hash);
  if (there != kRoot) {
    const Record& record = columns_->records[there];
    const bool directory = record.kind == Kind::directory;
    if (directory != (draft.kind == Kind::directory)) {
      clash("\"" + std::string(draft.path) + "\" is " +
                (directory ? "a directory" : "no directory") + " already: see",
            lines_[there]);
    }
    if (!directory || (record.mode & kNamed) != 0) {
      clash("duplicate path \"" + std::string(draft.path) + "\": first on", lines_[there]);
    }
    name_directory(there, draft, line);
    return;
  }

  const Row row = append(parent, name, hash, draft.kind, line);
  if (ordered_) {
    std::swap(last_path_, scratch_);
    if (draft.kind != Kind::directory) inside_last_.push_back({last_path_.size(), row});
  }
  if (draft.kind == Kind::directory) {
    name_directory(row, draft, line);
    open_path_.append(name).push_back('/');
    open_.push_back({open_path_.size(), row});
    return;
  }
  Record& record = columns_->records[row];
  record.size = draft.size.value_or(kUnknownSize);
  record.mode = static_cast<std::uint16_t>(draft.mode);
  if (draft.mtime) {
    record.seconds = draft.mtime->seconds;
    record.nanoseconds = draft.mtime->nanoseconds;
  }
  record.detail = store(draft, scope);
  bytes_ += size;
  // A shorter file is one piece.
  largest_piece_ =
      std::max(largest_piece_, std::min(draft.piece, draft.size.value_or(draft.piece)));
}

std::uint64_t TreeBuilder::store(const Draft& draft, std::uint32_t scope) {
  scratch_.clear();
  put_number(scratch_, scope);
  if (!draft.where.empty()) {
    // Beginnings end at the last "/" before the query.
    const std::size_t cut = draft.where.rfind('/', draft.where.find('?')) + 1;
    std::string number;
    put_number(number, intern_prefix(draft.where.substr(0, cut)));
    const std::string_view rest = draft.where.substr(cut);
    scratch_ += static_cast<char>(Tag::reference);
    put_number(scratch_, number.size() + rest.size());
    scratch_ += number;
    scratch_ += rest;
  }
  scratch_ += draft.fields;
  std::string length;
  put_number(length, scratch_.size());

  Column<char>& details = columns_->details;
  const std::uint64_t at = details.size();
  details.append(length.data(), length.size());
  details.append(scratch_.data(), scratch_.size());
  return at;
}

std::uint32_t TreeBuilder::intern_prefix(std::string_view text) {
  Column<char>& prefixes = columns_->prefixes;
  Column<std::uint32_t>& ends = columns_->prefix_ends;
  std::uint32_t& recent = recent_prefixes_[std::hash<std::string_view>{}(text) % kRecentPrefixes];
  if (recent != 0) {
    const std::uint32_t begin = recent == 1 ? 0 : ends[recent - 2];
    const std::uint32_t length = ends[recent - 1] - begin;
    if (std::string_view(prefixes.data() + begin, length) == text) return recent - 1;
  }
  if (prefixes.size() + text.size() > kMaxHeap) {
    throw BadText{0, "more URLs than a mount can hold", Reach::rest};
  }
  prefixes.append(text.data(), text.size());
  ends.push_back(static_cast<std::uint32_t>(prefixes.size()));
  recent = static_cast<std::uint32_t>(ends.size());
  return recent - 1;
}

// Rows in turn, so that each list ascends.
void TreeBuilder::list_children() {
  Column<Record>& records = columns_->records;
  const auto rows = static_cast<Row>(records.size());
  std::uint32_t first = 0;
  for (Row row = 0; row < rows; ++row) {
    passed(row);
    if (records[row].kind != Kind::directory) continue;
    Run& list = records[row].children;
    list.first = first;
    first += list.count;
    list.count = 0;
  }
  columns_->children.assign_zero(rows - 1);
  for (Row row = 1; row < rows; ++row) {
    passed(row);
    Run& list = records[records[row].parent].children;
    columns_->children[list.first + list.count++] = row;
  }
}

// The hash table has the hashes of all rows; names are read again only where there was none.
void TreeBuilder::order_keys(NameIndex index) {
  Column<std::uint32_t> hashes;
  if (!ordered_) {
    hashes.assign_zero(columns_->records.size());
    index.each([&](Row row, std::uint32_t hash) { hashes[row] = hash; });
    index = {};
  }
  const Column<Record>& records = columns_->records;
  const auto rows = static_cast<Row>(records.size());
  Column<Key>& keys = columns_->keys;
  keys.assign_zero(rows - 1);
  Row touched = 0, last = kRoot;
  for (Row row = 0; row < rows; ++row) {
    if (records[row].kind != Kind::directory) continue;
    const Run list = records[row].children;
    for (std::uint32_t at = list.first; at < list.first + list.count; ++at) {
      const Row child = columns_->children[at];
      touched += child - last > kNear ? kFar : 1;
      last = child;
      if (touched >= kGiveBack) {
        give_back();
        touched = 0;
      }
      keys[at] = {ordered_ ? hash_name(hash_key_, row, name(child)) : hashes[child], child};
    }
    std::sort(keys.data() + list.first, keys.data() + list.first + list.count,
              [](const Key& a, const Key& b) {
                return a.hash != b.hash ? a.hash < b.hash : a.row < b.row;
              });
  }
}

Totals TreeBuilder::count() const {
  const Columns& all = *columns_;
  Totals totals;
  for (Row row = 1; row < all.records.size(); ++row) {
    passed(row);
    const Record& record = all.records[row];
    totals.files += record.kind == Kind::file;
    totals.directories += record.kind == Kind::directory;
    totals.links += record.kind == Kind::link;
    totals.unknown_sizes += record.kind == Kind::file && record.size == kUnknownSize;
  }
  totals.bytes = bytes_;
  totals.largest_piece = largest_piece_;
  totals.memory = sizeof(Tree) + sizeof all + all.records.bytes() + all.names.bytes() +
                  all.details.bytes() + all.children.bytes() + all.keys.bytes() +
                  all.prefixes.bytes() + all.prefix_ends.bytes() + all.scopes.bytes() +
                  all.scope_ends.bytes();
  return totals;
}

Layout TreeBuilder::finish() {
  Columns& all = *columns_;
  lines_ = {};
  scopes_ = {};
  list_children();
  order_keys(std::move(index_));
  all.records.shrink();
  all.names.shrink();
  all.details.shrink();
  all.prefixes.shrink();
  all.prefix_ends.shrink();
  all.scopes.shrink();
  all.scope_ends.shrink();

  const auto section = [](const auto& column) { return Section(column.data(), column.size()); };
  Layout layout;
  layout.records = section(all.records);
  layout.names = section(all.names);
  layout.details = section(all.details);
  layout.children = section(all.children);
  layout.keys = section(all.keys);
  layout.prefixes = {section(all.prefixes), section(all.prefix_ends)};
  layout.scopes = {section(all.scopes), section(all.scope_ends)};
  layout.hash_key = hash_key_;
  layout.totals = count();
  layout.ascending = ordered_;
  layout.spooled = all.spool.has_value();
  layout.owner = std::move(columns_);
  return layout;
}

}  // namespace skimfs::fs::manifest
