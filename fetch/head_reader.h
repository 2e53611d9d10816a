// SPDX-License-Identifier: MIT
//
// The header of one response, as it arrives, line by line.
//
// Pure.  One thread.  Limits: 64 KiB of header and ten 1xx responses an exchange, a thousand fields
// a response.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/response_head.h"
#include "fetch/transport.h"

namespace skimfs::fetch {

class HeadReader {
 public:
  void reset() noexcept;  // for the next exchange

  // One header line, with its line end, until final_head; a status line first, and nowhere else
  // (RFC 9112 section 4). The result tells what to do about it.  The caller bounds a line that does
  // not end.
  enum class Line { more, final_head, stop };
  Line take(std::string_view line);

  // May `text` be the beginning of the next line?  Not judged but where a status line is due.
  bool may_go_on(std::string_view text) const noexcept;

  ResponseHead head();  // after final_head; lives until the next take() or reset()
  unsigned minor() const noexcept { return minor_; }  // of HTTP/1, in the last status line
  bool complete() const noexcept { return complete_; }
  Fault fault() const noexcept { return fault_; }  // after stop

 private:
  struct Piece {
    std::size_t at, length;
  };
  struct Span {
    Piece name, value;
  };

  std::string_view view(Piece piece) const;
  Line fail(Fault fault);
  void begin_response(int status, unsigned minor) noexcept;
  Line status_line(std::string_view line);
  Line field(std::string_view line);
  Piece keep(std::string_view text);
  Line end_of_head();

  int status_ = 0;
  unsigned minor_ = 0;
  std::string text_;
  std::vector<Span> spans_;
  std::vector<HeaderField> fields_;
  std::size_t total_ = 0;
  unsigned interim_ = 0;
  bool begun_ = false;  // the status line of the response at hand has come
  bool complete_ = false;
  Fault fault_ = Fault::none;
};

}  // namespace skimfs::fetch
