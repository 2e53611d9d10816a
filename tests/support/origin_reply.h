// SPDX-License-Identifier: MIT
//
// What the hostile origin says to a request: head, body and end, worked out before a byte is sent.
//
// Pure; the server does nothing but send it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/behaviour.h"

namespace skimfs::test {

struct OriginRequest {
  std::string method, target;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case

  std::string_view header(std::string_view name) const noexcept;
  std::string path() const;  // the target without its query
};

// `head`: request line and fields, up to and without the empty line.  False: not HTTP/1.x.
bool parse_request(std::string_view head, OriginRequest& request);

// A file as the origin has it now.
struct OriginFile {
  std::string path;
  std::uint64_t size = 0;
  unsigned content = 0;    // version of the bytes
  unsigned validator = 0;  // version the validators tell
};

std::string etag_of(const OriginFile& file);  // with quotes
std::int64_t last_modified_of(const OriginFile& file) noexcept;

// Text, or a run of the file's bytes if `text` is empty.
struct OriginPiece {
  std::string text;
  std::uint64_t offset = 0, length = 0;
};

struct OriginReply {
  int status = 200;
  std::string head;  // complete, with the empty line
  std::vector<OriginPiece> body;
  bool chunked = false;
  bool length_known = true;  // else only the close ends the body
};

// `turn`: how many requests of the file came before.
OriginReply make_reply(const OriginRequest& request, const OriginFile& file,
                       const Behaviour& behaviour, unsigned turn);
OriginReply make_not_found();

}  // namespace skimfs::test
