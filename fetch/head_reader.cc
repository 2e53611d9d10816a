// SPDX-License-Identifier: MIT
//
// See head_reader.h.
#include "fetch/head_reader.h"

#include <algorithm>
#include <utility>

#include "fetch/header_parse.h"
#include "fetch/let_go.h"

namespace skimfs::fetch {
namespace {

constexpr std::size_t kMostHeaderBytes = 64 * 1024;  // of all responses of one exchange
constexpr unsigned kMostInterim = 10;                // 1xx responses of one exchange
// 64 KiB of "a:" would leave 1.4 MiB of places behind in every reader.
constexpr std::size_t kMostFields = 1000;
constexpr int kSwitchingProtocols = 101;

// What a reader that waits for the next exchange may hold, three times.
constexpr std::size_t kKept = 4 * 1024;
constexpr std::string_view kVersion = "HTTP/1.";

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// "HTTP/1.1 206", then a blank or nothing (RFC 9112 section 4).
bool is_status_line(std::string_view line) noexcept {
  using namespace std::string_view_literals;
  constexpr std::string_view kForm = "HTTP/1.d ddd";
  const auto fits = [](char form, char c) { return form == 'd' ? is_digit(c) : form == c; };
  return std::ranges::equal(kForm, line.substr(0, kForm.size()), fits) &&
         (line.size() == kForm.size() || line[kForm.size()] == ' ') &&
         line.find_first_of("\0\r\n"sv) == line.npos;
}

}  // namespace

void HeadReader::reset() noexcept {
  begin_response(0, 0);
  if (text_.capacity() > kKept) let_go(text_);
  if (spans_.capacity() * sizeof(Span) > kKept) let_go(spans_);
  if (fields_.capacity() * sizeof(HeaderField) > kKept) let_go(fields_);
  total_ = interim_ = 0;
  begun_ = complete_ = false;
}

HeadReader::Line HeadReader::take(std::string_view line) {
  total_ += line.size();
  if (total_ > kMostHeaderBytes) return fail(Fault::header_limit);
  if (!line.ends_with('\n')) return fail(Fault::protocol);
  line.remove_suffix(line.ends_with("\r\n") ? 2 : 1);
  if (!std::exchange(begun_, true)) return status_line(line);
  return line.empty() ? end_of_head() : field(line);
}

bool HeadReader::may_go_on(std::string_view text) const noexcept {
  return begun_ || text.substr(0, kVersion.size()) == kVersion.substr(0, text.size());
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

void HeadReader::begin_response(int status, unsigned minor) noexcept {
  status_ = status;
  minor_ = minor;
  text_.clear();
  spans_.clear();
  fault_ = Fault::none;
}

HeadReader::Line HeadReader::status_line(std::string_view line) {
  if (!is_status_line(line)) return fail(Fault::protocol);
  const auto digit = [line](std::size_t at) { return line[at] - '0'; };
  const int status = digit(9) * 100 + digit(10) * 10 + digit(11);
  // Nobody asks for another protocol; what follows would be no HTTP.
  if (status < 100 || status == kSwitchingProtocols) return fail(Fault::protocol);
  begin_response(status, static_cast<unsigned>(digit(7)));
  return Line::more;
}

HeadReader::Line HeadReader::field(std::string_view line) {
  const std::string_view its_name = field_name(line);
  if (its_name.empty()) return fail(Fault::protocol);
  if (spans_.size() == kMostFields) return fail(Fault::header_limit);
  const Piece name = keep(its_name);
  const Piece value = keep(without_blanks(line.substr(its_name.size() + 1)));
  spans_.push_back({name, value});
  return Line::more;
}

HeadReader::Piece HeadReader::keep(std::string_view text) {
  const Piece piece{text_.size(), text.size()};
  text_.append(text);
  return piece;
}

HeadReader::Line HeadReader::end_of_head() {
  if (status_ < 200) {
    begun_ = false;
    return ++interim_ > kMostInterim ? fail(Fault::header_limit) : Line::more;
  }
  complete_ = true;
  return Line::final_head;
}

}  // namespace skimfs::fetch
