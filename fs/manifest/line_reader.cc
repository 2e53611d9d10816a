// SPDX-License-Identifier: MIT
//
// See line_reader.h.
#include "fs/manifest/line_reader.h"

#include <cstring>
#include <utility>

#include "fs/manifest/tokens.h"

namespace skimfs::fs::manifest {
namespace {

// Few system calls, and still small beside any tree.
constexpr std::size_t kBuffer = 4 * kMaxLine;

}  // namespace

LineReader::LineReader(Source source) : source_(std::move(source)), buffer_(new char[kBuffer]) {}

// More bytes behind end_, with what is unread moved to the front if it must be.
bool LineReader::fill() {
  if (end_ == kBuffer) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  const std::size_t got = source_(std::span(buffer_.get() + end_, kBuffer - end_));
  end_ += got;
  return got > 0;
}

const Line* LineReader::take(std::size_t length, bool ended) {
  line_.text = {buffer_.get() + begin_, length};
  begin_ += length + (ended ? 1 : 0);
  line_.ended = ended;
  line_.had_cr = ended && line_.text.ends_with('\r');
  if (line_.had_cr) line_.text.remove_suffix(1);
  line_.too_long = line_.text.size() > kMaxLine;
  ++line_.number;
  return &line_;
}

const Line* LineReader::next() {
  if (line_.too_long && !line_.ended && !skip_rest()) return nullptr;
  std::size_t searched = 0;
  for (;;) {
    const char* from = buffer_.get() + begin_ + searched;
    const auto* feed = static_cast<const char*>(std::memchr(from, '\n', end_ - begin_ - searched));
    if (feed != nullptr) return take(static_cast<std::size_t>(feed - buffer_.get()) - begin_, true);
    searched = end_ - begin_;
    if (searched > kMaxLine + 1) return take(searched, false);  // + 1: a CR would be dropped
    if (fill()) continue;
    return searched == 0 ? nullptr : take(searched, false);
  }
}

// Drops the rest of a line that was too long.
bool LineReader::skip_rest() {
  for (;;) {
    const char* from = buffer_.get() + begin_;
    const auto* feed = static_cast<const char*>(std::memchr(from, '\n', end_ - begin_));
    if (feed != nullptr) {
      begin_ = static_cast<std::size_t>(feed - buffer_.get()) + 1;
      return true;
    }
    begin_ = end_;
    if (!fill()) return false;
  }
}

}  // namespace skimfs::fs::manifest
