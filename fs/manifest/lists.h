// SPDX-License-Identifier: MIT
//
// A plain list of URLs, one a line, as `wget -i` reads it; blank lines and # comments are skipped.
//
// The path is host/path without the query, percent-decoded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fs/manifest/reader.h"
#include "fs/manifest/tree_builder.h"

namespace skimfs::fs::manifest {

class UrlListReader : public Reader {
 public:
  // `strip`: names dropped at the beginning of each path.
  UrlListReader(TreeBuilder& builder, unsigned strip, bool raw_names);

  void line(const Line& line) override;
  void end(bool complete) override;
  std::vector<std::string> warnings() const override { return {}; }

 private:
  void url(std::string_view text, std::uint64_t number);
  void add_name(std::string_view name);

  TreeBuilder& builder_;
  const unsigned strip_;
  const bool raw_names_;
  const std::uint32_t scope_;
  std::uint64_t urls_ = 0;
  std::string path_;
  std::size_t names_ = 0;  // of the URL at hand, the stripped ones too
};

}  // namespace skimfs::fs::manifest
