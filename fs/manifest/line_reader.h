// SPDX-License-Identifier: MIT
//
// Cuts a stream of bytes into lines, in bounded memory.
//
// One thread.  Views live until the next call.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

namespace skimfs::fs::manifest {

// Fills the span from its beginning; 0 at the end of the stream.
using Source = std::function<std::size_t(std::span<char>)>;

struct Line {
  std::string_view text;     // without CR LF
  std::uint64_t number = 0;  // from 1
  bool ended = false;        // by a line feed
  bool had_cr = false;
  bool too_long = false;  // over kMaxLine bytes; text is its beginning
};

class LineReader {
 public:
  explicit LineReader(Source source);

  // The next line, or none.
  const Line* next();

 private:
  bool fill();
  bool skip_rest();
  const Line* take(std::size_t length, bool ended);

  Source source_;
  const std::unique_ptr<char[]> buffer_;  // not cleared: most manifests fill little of it
  std::size_t begin_ = 0, end_ = 0;       // unread bytes in buffer_
  Line line_;
};

}  // namespace skimfs::fs::manifest
