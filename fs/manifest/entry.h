// SPDX-License-Identifier: MIT
//
// One entry line of the native format: five columns, attributes, and the rules between them.
//
// Pure but for its scratch space; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fs/manifest/detail.h"
#include "fs/manifest/tree_builder.h"

namespace skimfs::fs::manifest {

// What the directives so far say about the entries to come.
struct Defaults {
  Scope scope;
  std::string prefix;  // "/a/b" unescaped, or empty
  std::optional<std::uint32_t> mode;
};

// Names this build does not know and may ignore.
struct Ignored {
  std::uint64_t count = 0;
  std::string first;
  std::uint64_t first_line = 0;

  void note(std::string_view name, std::uint64_t line);
};

class EntryParser {
 public:
  explicit EntryParser(bool raw_names);

  // The entry on this line.  Views live until the next call, and as long as `line`.  Throws
  // BadText.
  Draft parse(std::string_view line, std::uint64_t number, const Defaults& defaults);

  // Appends a path that begins with "/", unescaped and without the "/" at its end.
  struct Path {
    std::size_t depth = 0;   // names in it
    bool directory = false;  // it ended in "/"
  };
  Path parse_path(std::string_view text, std::string& out) const;

  // Is it the name of an attribute?
  static bool knows(std::string_view name) noexcept { return find_known(name) != nullptr; }

  const Ignored& ignored() const noexcept { return ignored_; }

 private:
  enum class Form : unsigned { remote = 1, parts = 2, data = 4, link = 8, directory = 16 };
  struct Known;
  struct Attribute {
    const Known* known;
    std::string_view value;    // unescaped
    std::string_view written;  // as it stands in the line
  };

  static const Known* find_known(std::string_view name) noexcept;
  static std::string describe(Form form);

  [[noreturn]] void fail(std::string_view piece, std::string message) const;
  template <class Parse>
  auto in(std::string_view piece, Parse word) const;
  template <class Parse>
  auto in(const Attribute& attribute, Parse word) const;

  void split_columns();
  void read_attributes();
  void read_attribute(std::string_view text);
  const Attribute* find(std::string_view name) const noexcept;
  Form form(bool directory) const;
  void check_columns() const;
  void add_where();
  void add_packed_digest(const std::string& packed, std::string_view piece);
  void check_whole() const;
  void put(Tag tag, std::string_view value);

  // One for each attribute.
  void add_etag(const Attribute& attribute);
  void add_digest(const Attribute& attribute);
  void add_mirror(const Attribute& attribute);
  void add_type(const Attribute& attribute);
  void add_mode(const Attribute& attribute);
  void add_pieces(const Attribute& attribute);
  void add_validator(const Attribute& attribute);
  void add_auth(const Attribute& attribute);
  void add_window(const Attribute& attribute);
  void add_part(const Attribute& attribute);
  void add_data(const Attribute& attribute);
  void add_link(const Attribute& attribute);

  const bool raw_names_;
  Ignored ignored_;

  // of the line at hand
  const Defaults* defaults_ = nullptr;
  std::string_view line_;
  std::uint64_t number_ = 0;
  std::string_view path_, size_, mtime_, digest_, where_;  // columns
  std::string_view rest_;                                  // from the TAB after them, or empty
  std::vector<Attribute> attributes_;
  std::string values_;  // unescaped attribute values; never grows beyond its reserve
  std::string full_path_;
  std::string fields_;
  Draft draft_;
  Form form_ = Form::remote;
  std::size_t depth_ = 0;         // names in the path, @prefix included
  unsigned algorithms_ = 0;       // bits of the digests seen
  std::size_t parts_ = 0;         // !part seen,
  std::uint64_t part_bytes_ = 0;  // and the bytes in them
};

}  // namespace skimfs::fs::manifest
