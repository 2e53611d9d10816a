// SPDX-License-Identifier: MIT
//
// The native format, version 1: directives and entries, line by line into a tree.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fs/manifest/entry.h"
#include "fs/manifest/reader.h"
#include "fs/manifest/tree_builder.h"

namespace skimfs::fs::manifest {

inline constexpr std::string_view kMagic = "#skimfs 1";

class NativeReader : public Reader {
 public:
  // `base`: an absolute URL that passed check_base, or empty.
  NativeReader(TreeBuilder& builder, std::string base, bool raw_names);

  void line(const Line& line) override;
  void end(bool complete) override;
  std::vector<std::string> warnings() const override;

 private:
  // A number that a directive stated, to be checked at the end.
  struct Stated {
    std::uint64_t value = 0;
    std::uint64_t line = 0;  // 0: not stated
  };

  void magic(std::string_view text);
  void entry(std::string_view text);
  void check_order(std::string_view path);
  void directive(std::string_view text);
  void obey(std::string_view name, std::string_view value, bool marked);
  void set_base(std::string_view value);
  void add_mirror(std::string_view value);
  void set_prefix(std::string_view value);
  void set_defaults(std::string_view text);
  void set_default(std::string_view word);
  void state(Stated& number, std::string_view name, std::string_view value);
  static void check(const Stated& stated, std::string_view name, std::uint64_t found,
                    std::string_view unit);

  TreeBuilder& builder_;
  EntryParser parser_;
  Defaults defaults_;
  std::optional<std::uint32_t> scope_;  // number of defaults_.scope, unless it changed since
  Ignored ignored_;                     // directives and defaults
  std::uint64_t number_ = 0;            // of the line at hand
  std::uint64_t entries_ = 0;           // lines that begin with "/"
  bool sorted_ = false;
  std::string last_path_;  // as written, when sorted_
  Stated count_, bytes_, end_;
};

}  // namespace skimfs::fs::manifest
