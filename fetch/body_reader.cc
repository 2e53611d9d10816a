// SPDX-License-Identifier: MIT
//
// See body_reader.h.
#include "fetch/body_reader.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "fetch/header_parse.h"
#include "fetch/let_go.h"

namespace skimfs::fetch {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kMostChunkLine = 4 * 1024;
// Nobody pads the size of a chunk further.  What is beyond is counted, or a server could send
// kilobytes of extensions around each byte, which look like a busy connection.
constexpr std::size_t kPlainChunkLine = 32;
constexpr std::size_t kMostSpent = 64 * 1024;
constexpr std::uint64_t kEndless = std::numeric_limits<std::int64_t>::max();

bool has_no_body(int status) noexcept { return status < 200 || status == 204 || status == 304; }

// Of all its fields; empty where they are none, or contradict each other.
std::optional<std::uint64_t> length_of(const ResponseHead& head) noexcept {
  std::optional<std::uint64_t> length;
  for (const auto& [name, value] : head.fields) {
    if (!same_word(name, "Content-Length")) continue;
    const auto here = parse_length(value);
    if (!here || (length && length != here)) return {};
    length = here;
  }
  return length;
}

// Calls `see` with each element of a list (RFC 9110 section 5.6.1) in the fields of that name.
template <class See>
void each_element(const ResponseHead& head, std::string_view name, See see) {
  for (const auto& field : head.fields) {
    if (!same_word(field.name, name)) continue;
    for (std::string_view rest = field.value; !rest.empty();) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      if (const auto element = without_blanks(rest.substr(0, comma)); !element.empty())
        see(element);
      rest.remove_prefix(std::min(rest.size(), comma + 1));
    }
  }
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

enum class Coding { none, chunked, unknown };

// "identity" was a word for none (RFC 2616 section 3.6).  With other words around it, or none at
// all, readers differ about what is meant.
Coding coding_of(const ResponseHead& head) noexcept {
  if (head.count("Transfer-Encoding") == 0) return Coding::none;
  unsigned all = 0, identity = 0, chunked = 0;
  each_element(head, "Transfer-Encoding", [&](std::string_view coding) {
    ++all;
    identity += same_word(coding, "identity");
    chunked += same_word(coding, "chunked");
  });
  if (all == 1 && chunked == 1) return Coding::chunked;
  return all > 0 && identity == all ? Coding::none : Coding::unknown;
}

// The size in front of a chunk; extensions are nobody's (RFC 9112 section 7.1.1), but neither NUL
// nor CR stands in them.
std::optional<std::uint64_t> chunk_size(std::string_view line) noexcept {
  std::uint64_t size = 0;
  std::size_t digits = 0;
  for (; digits < line.size() && hex_digit(line[digits]) >= 0; ++digits) {
    if (size > (kEndless >> 4)) return {};
    size = size * 16 + std::uint64_t(hex_digit(line[digits]));
  }
  const std::string_view rest = without_blanks(line.substr(digits));
  if (line.find_first_of("\0\r"sv) != line.npos) return {};
  if (digits == 0 || (!rest.empty() && rest.front() != ';')) return {};
  return size;
}

}  // namespace

void BodyReader::reset() noexcept {
  let_go(line_);
  *this = {};
}

void BodyReader::begin(const ResponseHead& head, bool head_only) {
  reset();
  if (head_only || has_no_body(head.status)) return;
  const Coding coding = coding_of(head);
  if (coding == Coding::unknown) return fail(Fault::protocol);  // nobody has asked for others
  if (coding == Coding::chunked) {
    chunked_ = true;
    state_ = State::chunk_line;
    return;
  }
  if (head.count("Content-Length") == 0) {
    state_ = State::data;
    until_close_ = true;
    left_ = kEndless;
    return;
  }
  const auto length = length_of(head);
  if (!length) return fail(Fault::bad_length);
  left_ = *length;
  state_ = left_ > 0 ? State::data : State::complete;
}

std::span<const std::byte> BodyReader::next(std::span<const std::byte>& bytes) {
  while (!bytes.empty() && state_ != State::data) {
    if (state_ == State::complete || state_ == State::broken) return {};
    frame(bytes.front());
    bytes = bytes.subspan(1);
  }
  const auto run = bytes.first(std::min<std::uint64_t>(bytes.size(), left_));
  bytes = bytes.subspan(run.size());
  if (!until_close_) left_ -= run.size();
  if (state_ == State::data && left_ == 0) state_ = chunked_ ? State::chunk_end : State::complete;
  return run;
}

Fault BodyReader::ended() const noexcept {
  if (complete() || (until_close_ && state_ == State::data)) return Fault::none;
  return state_ == State::broken ? fault_ : Fault::short_body;
}

void BodyReader::fail(Fault fault) noexcept {
  state_ = State::broken;
  fault_ = fault;
  left_ = 0;
}

// One byte that is not of the body.  A line may end with LF alone (RFC 9112 section 2.2).
void BodyReader::frame(std::byte byte) {
  const char c = static_cast<char>(byte);
  if (c != '\n') {
    if (state_ == State::chunk_end && (c != '\r' || !line_.empty())) return fail(Fault::protocol);
    if (state_ == State::chunk_line && line_.size() == kMostChunkLine) return fail(Fault::protocol);
    if (state_ == State::trailer && !spend(1)) return;
    line_.push_back(c);
    return;
  }
  if (line_.ends_with('\r')) line_.pop_back();
  switch (state_) {
    case State::chunk_line:
      chunk_line();
      break;
    case State::chunk_end:
      state_ = State::chunk_line;
      break;
    default:
      trailer_line();
  }
  line_.clear();
}

bool BodyReader::spend(std::size_t bytes) noexcept {
  spent_ += bytes;
  if (spent_ > kMostSpent) fail(Fault::header_limit);
  return spent_ <= kMostSpent;
}

void BodyReader::chunk_line() {
  if (!spend(line_.size() - std::min(line_.size(), kPlainChunkLine))) return;
  const auto size = chunk_size(line_);
  if (!size) return fail(Fault::protocol);
  left_ = *size;
  state_ = left_ > 0 ? State::data : State::trailer;
}

// Nobody reads a trailer: what it says comes too late for the bytes before it.  But the next
// response, after one whose end is missing, is none.
void BodyReader::trailer_line() {
  if (line_.empty()) {
    state_ = State::complete;
  } else if (field_name(line_).empty()) {
    fail(Fault::protocol);
  }
}

bool is_persistent(const ResponseHead& head, unsigned minor) noexcept {
  // Whoever has framed it otherwise on the way waits with other bytes.
  if (head.count("Transfer-Encoding") > 0 && (minor == 0 || head.count("Content-Length") > 0))
    return false;
  bool close = false, keep = false;
  each_element(head, "Connection", [&](std::string_view option) {
    close |= same_word(option, "close");
    keep |= same_word(option, "keep-alive");
  });
  return !close && (minor > 0 || keep);
}

}  // namespace skimfs::fetch
