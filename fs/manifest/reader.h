// SPDX-License-Identifier: MIT
//
// The seam between the stream of lines and the formats.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fs/manifest/line_reader.h"

namespace skimfs::fs::manifest {

// A fault of an earlier line that shows only at the end.
struct Late {
  std::uint64_t line = 0;  // 0: of the file as a whole
  std::string text;        // of that line
  std::string message;
};

// One format.  One thread.
class Reader {
 public:
  virtual ~Reader() = default;

  // Throws BadText.
  virtual void line(const Line& line) = 0;

  // After the last line.  `complete`: no entry was refused.  Throws Late.
  virtual void end(bool complete) = 0;

  // What a person should know and nothing depends on.
  virtual std::vector<std::string> warnings() const = 0;
};

}  // namespace skimfs::fs::manifest
