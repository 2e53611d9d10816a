// SPDX-License-Identifier: MIT
//
// Makes a tree, entry by entry, in manifest order.
//
// One thread.  An entry that is refused leaves the tree as it was.  While paths ascend, what is new
// shows by its place, and nothing is looked up; the first that does not makes a hash table of all
// rows.  With a spool, memory is bounded as long as the paths ascend.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fs/manifest/column.h"
#include "fs/manifest/error.h"
#include "fs/manifest/name_index.h"
#include "fs/manifest/spool.h"
#include "fs/manifest/tree.h"

namespace skimfs::fs::manifest {

// One checked entry.
struct Draft {
  std::string_view path;  // "/a/b": checked, unescaped, no "/" at its end
  Kind kind = Kind::file;
  std::optional<std::uint64_t> size;
  std::optional<Time> mtime;
  std::uint32_t mode = 0444;
  std::uint64_t piece = 0;  // bytes of each piece; 0: none stated
  std::string_view where;   // a checked reference, or empty
  std::string_view fields;  // packed, without `where` and the end mark
};

class TreeBuilder {
 public:
  // `spool`: a directory for the rows; empty: they are held in memory.
  explicit TreeBuilder(const std::string& spool = {});
  ~TreeBuilder();

  // The number of an equal scope, new or known.
  std::uint32_t intern(const Scope& scope);

  // `line`: for the message about a later entry that clashes with this one.  Throws BadText for a
  // path that is there already, or is or needs a directory where a file is, and for totals that do
  // not fit.  std::system_error: the spool's disk is full.
  void add(const Draft& draft, std::uint32_t scope, std::uint64_t line);

  // Bytes of the files added whose size is known.
  std::uint64_t bytes() const noexcept { return bytes_; }

  // The tree; the builder is spent.
  Layout finish();

 private:
  struct Columns;
  struct Place {
    std::size_t end;  // of a path
    Row row;
  };

  std::string_view name(Row row) const noexcept;
  Row find(Row directory, std::string_view name, std::uint32_t hash) const noexcept;
  bool ascends(const Draft& draft);
  void leave_order();
  Row directory_for(std::string_view path, std::uint64_t line);
  Row append(Row parent, std::string_view name, std::uint32_t hash, Kind kind, std::uint64_t line);
  void name_directory(Row row, const Draft& draft, std::uint64_t line);
  std::uint64_t store(const Draft& draft, std::uint32_t scope);
  std::uint32_t intern_prefix(std::string_view text);
  void list_children();
  void order_keys(NameIndex index);
  Totals count() const;
  void passed(Row row) const noexcept;
  void give_back() const noexcept;

  std::shared_ptr<Columns> columns_;
  const HashKey hash_key_;
  Column<std::uint32_t> lines_;  // of each row, for clashes
  std::string open_path_;        // of the innermost open directory, "/" at its end
  std::vector<Place> open_;      // its directories, the root first; ends include the "/"
  bool ordered_ = true;
  std::string last_path_;           // while ordered: of the last entry, a directory's with "/"
  std::vector<Place> inside_last_;  // while ordered: no directories, whose paths begin last_path_
  NameIndex index_;                 // once not ordered
  std::vector<std::uint32_t> recent_prefixes_;  // by hash: number + 1
  std::unordered_map<std::string, std::uint32_t> scopes_;
  std::string scratch_;
  std::uint64_t bytes_ = 0;
  std::uint64_t largest_piece_ = 0;  // bytes
};

}  // namespace skimfs::fs::manifest
