// SPDX-License-Identifier: MIT
//
// See head_reader.h.
#include "fetch/head_reader.h"

namespace skimfs::fetch {
namespace {

constexpr std::size_t kMostHeaderBytes = 64 * 1024;  // of all responses of one exchange
constexpr unsigned kMostInterim = 10;                // 1xx responses of one exchange

std::string_view trim(std::string_view text) noexcept {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

}  // namespace

void HeadReader::reset() {
  begin_response(0);
  total_ = interim_ = 0;
  complete_ = false;
}

HeadReader::Line HeadReader::take(std::string_view line) {
  total_ += line.size();
  if (total_ > kMostHeaderBytes) return fail(Fault::header_limit);
  if (complete_) return Line::more;  // a trailer
  if (line.starts_with("HTTP/")) return status_line(line);
  if (trim(line).empty()) return end_of_head();
  return field(line);
}

ResponseHead HeadReader::head() {
  fields_.clear();
  for (const Span& span : spans_) fields_.push_back({view(span.name), view(span.value)});
  return {status_, fields_};
}

std::string_view HeadReader::view(Piece piece) const {
  return std::string_view(text_).substr(piece.at, piece.length);
}

HeadReader::Line HeadReader::fail(Fault fault) {
  fault_ = fault;
  return Line::stop;
}

void HeadReader::begin_response(int status) {
  status_ = status;
  text_.clear();
  spans_.clear();
  fault_ = Fault::none;
}

HeadReader::Line HeadReader::status_line(std::string_view line) {
  const std::size_t blank = line.find(' ');
  const std::string_view digits =
      blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1, 3);
  int status = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return fail(Fault::protocol);
    status = status * 10 + (c - '0');
  }
  if (status < 100) return fail(Fault::protocol);
  begin_response(status);
  return Line::more;
}

HeadReader::Line HeadReader::field(std::string_view line) {
  const std::size_t colon = line.find(':');
  // A line that begins with a blank continues the one before (RFC 9112 section 5.2): obsolete,
  // and a way to hide a field.
  if (colon == std::string_view::npos || colon == 0 || line[0] == ' ' || line[0] == '\t' ||
      line.find('\0') != std::string_view::npos)
    return fail(Fault::protocol);
  const Piece name = keep(line.substr(0, colon));
  const Piece value = keep(trim(line.substr(colon + 1)));
  spans_.push_back({name, value});
  return Line::more;
}

HeadReader::Piece HeadReader::keep(std::string_view text) {
  const Piece piece{text_.size(), text.size()};
  text_.append(text);
  return piece;
}

HeadReader::Line HeadReader::end_of_head() {
  if (status_ < 200) return ++interim_ > kMostInterim ? fail(Fault::header_limit) : Line::more;
  complete_ = true;
  return Line::final_head;
}

}  // namespace skimfs::fetch
