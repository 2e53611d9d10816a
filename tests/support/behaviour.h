// SPDX-License-Identifier: MIT
//
// What an origin does with a request, one switch per way a server can differ.
//
// The default is a correct server.  The switches are independent: status, then head, then body,
// then the end of the connection, so one fault may hide behind another.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skimfs::test {

// Which bytes answer a range.
enum class Ranges {
  honest,
  ignored,    // 200 with the whole file
  shifted,    // 206 of a range that begins one byte off, and says so
  lying,      // 206 that claims the range asked for over bytes from one further on
  wider,      // 206 that begins 512 bytes before and ends 512 after, and says so
  shorter,    // 206 of the first half of the range, and says so
  whole,      // 206 with the whole file: "bytes 0-(S-1)/S"
  multipart,  // 206 multipart/byteranges with one part
  refused     // 416, whatever is asked
};

// How the Content-Range of a 206 or 416 reads.
enum class ContentRange {
  exact,
  missing,
  malformed,
  twice,
  unknown_total,
  other_total,
  huge_total,  // 2^63
  negative_total,
  signed_total,  // "+5"
  hexadecimal_total
};

// How the length of a body is told.
enum class Length {
  exact,
  absent,  // neither Content-Length nor chunks: the close ends the body
  chunked,
  one_less,
  one_more,
  huge,  // 2^63
  negative,
  with_sign,  // "+5"
  hexadecimal,
  twice  // two that differ
};

enum class Validators {
  both,  // a strong ETag and Last-Modified
  etag_only,
  date_only,
  weak,  // W/ and Last-Modified
  none,
  flipping  // two replicas that disagree on the ETag, in turn
};

// How an empty file answers a range (RFC 9110 leaves it open; servers differ).
enum class Empty {
  ok,             // 200 with Content-Length 0: nginx
  unsatisfiable,  // 416 "bytes */0": caddy
  bad_request,    // 400: webfs
  backward_range  // 206 "bytes 0--1/0": webfs, to an open range
};

// What becomes of the connection when the body, or `stop_after` bytes of it, is out.
enum class Ending {
  keep,
  close,  // announced: Connection: close
  close_unsaid,
  reset,  // RST
  stall   // open and silent until release(), then the rest
};

struct Behaviour {
  // Before the head.
  bool hold = false;           // no answer until release()
  unsigned informational = 0;  // 1xx heads sent first

  // The status; 0 lets the range decide.  A 2xx changes the number alone, any other carries a text.
  int status = 0;
  std::optional<unsigned> retry_after{};  // seconds
  std::string location{};                 // a redirect (302 unless `status` says otherwise) to here
  bool refuse_head = false;               // 405 to HEAD
  bool portal = false;                    // 200 and a page of somebody else's, whatever is asked

  // The head.
  Ranges ranges = Ranges::honest;
  ContentRange content_range = ContentRange::exact;
  Length length = Length::exact;
  Validators validators = Validators::both;
  Empty empty = Empty::ok;
  bool heed_conditions = true;         // If-Match, If-Unmodified-Since lead to 412
  std::string encoding{};              // a Content-Encoding to claim
  std::size_t header_padding = 0;      // bytes of further header fields
  std::vector<std::string> headers{};  // further lines, sent as they are, without the line end

  // The body.
  std::uint64_t extra_bytes = 0;              // sent after the body, beyond what the head says
  std::string extra_text{};                   // the same, of a test's own words
  std::optional<std::uint64_t> stop_after{};  // body bytes; then `ending`
  std::uint64_t drip_bytes = 0;               // at a time, `drip_every` apart; 0: at full speed
  std::chrono::milliseconds drip_every{0};
  Ending ending = Ending::keep;
};

}  // namespace skimfs::test
