// SPDX-License-Identifier: MIT
//
// Where the body of a response ends, and which bytes on the connection are of it.
//
// RFC 9112 sections 6 and 7, stricter: of transfer codings "chunked" alone is understood.  Pure.
// One thread.  Limits: 4 KiB for the line of a chunk; 64 KiB for the trailer and what the lines of
// chunks have beyond 32 bytes each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "fetch/response_head.h"
#include "fetch/transport.h"

namespace skimfs::fetch {

class BodyReader {
 public:
  // A body begins, that of the answer to a HEAD request where `head_only`.
  void begin(const ResponseHead& head, bool head_only);

  // As before the first body.
  void reset() noexcept;

  // Its end is that of the connection.
  bool until_close() const noexcept { return until_close_; }
  // The next so many bytes on the connection are of the body, whatever they are; 2^63 - 1 where its
  // end is that of the connection.
  std::uint64_t sure() const noexcept { return left_; }
  // Takes from the front of `bytes`, all that the connection has brought: what frames the body,
  // then a run of its bytes, which is returned.  Empty: no more of the body is in `bytes`; what is
  // left in them then is not of this response.
  std::span<const std::byte> next(std::span<const std::byte>& bytes);

  // Nothing of this response is to come.  Never so where the connection's end is the body's.
  bool complete() const noexcept { return state_ == State::complete; }
  // Not Fault::none: this is no body, and nothing on the connection means anything any more.
  Fault fault() const noexcept { return fault_; }
  // What it is that the connection has ended here.
  Fault ended() const noexcept;

 private:
  enum class State { chunk_line, data, chunk_end, trailer, complete, broken };

  void fail(Fault fault) noexcept;
  bool spend(std::size_t bytes) noexcept;
  void frame(std::byte byte);
  void chunk_line();
  void trailer_line();

  State state_ = State::complete;
  Fault fault_ = Fault::none;
  bool chunked_ = false;
  bool until_close_ = false;
  std::uint64_t left_ = 0;  // in `data`
  std::string line_;        // so much of it has come
  std::size_t spent_ = 0;   // bytes of the trailer, and of long lines of chunks
};

// May the connection be used again after this response, complete as it is (RFC 9112
// sections 9.3, 6.1 and 6.3)?  `minor`: of HTTP/1.
bool is_persistent(const ResponseHead& head, unsigned minor) noexcept;

}  // namespace skimfs::fetch
