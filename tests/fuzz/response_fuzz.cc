// SPDX-License-Identifier: MIT
//
// A connection on which a stranger answers: where each head and body ends, however its bytes
// arrive.
//
// Input: 'H' where the requests are HEAD; four sizes of pieces, each its value modulo 16, plus 1;
// then the bytes of the connection.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/accept.h"
#include "fetch/body_reader.h"
#include "fetch/head_reader.h"

namespace {

using namespace skimfs::fetch;

constexpr std::size_t kSizes = 4;

void require(bool promise) {
  if (!promise) std::abort();
}

struct Response {
  int status = 0;
  unsigned minor = 0;
  std::vector<std::string> fields;
  std::string body;
  bool persistent = false;
  Fault fault = Fault::none;   // of its head or its body
  Fault ended = Fault::reset;  // if the connection ends after the input
  std::size_t end = 0;         // bytes of the connection, this response's included

  bool operator==(const Response&) const = default;
};

// One after the other, until one is the last.
class Connection {
 public:
  explicit Connection(bool head_only) : head_only_(head_only) {}

  void take(std::string_view piece) {
    while (!piece.empty() && !over_) {
      if (responses_.empty() || done_) begin();
      const std::size_t before = piece.size();
      in_body_ ? body(piece) : head(piece);
      responses_.back().end = at_ += before - piece.size();
    }
  }

  const std::vector<Response>& responses() const noexcept { return responses_; }

 private:
  void begin() {
    responses_.emplace_back();
    head_.reset();
    in_body_ = done_ = false;
  }

  // Up to the end of one line.
  void head(std::string_view& piece) {
    const std::size_t size = std::min(piece.size(), piece.find('\n')) + 1;
    line_.append(piece.substr(0, size));
    piece.remove_prefix(std::min(piece.size(), size));
    if (!line_.ends_with('\n')) return;
    const auto what = head_.take(line_);
    line_.clear();
    if (what == HeadReader::Line::stop) return broken(head_.fault());
    if (what == HeadReader::Line::final_head) begin_body(head_.head());
  }

  void begin_body(const ResponseHead& head) {
    Response& response = responses_.back();
    response.status = head.status;
    response.minor = head_.minor();
    for (const auto& [name, value] : head.fields) {
      require(!name.empty());
      response.fields.push_back(std::string(name) + ":" + std::string(value));
    }
    response.persistent = is_persistent(head, head_.minor());
    declared_.reset();
    if (head.count("Transfer-Encoding") == 0) declared_ = body_length(head);
    body_.begin(head, head_only_);
    in_body_ = true;
    look();
  }

  void body(std::string_view& piece) {
    auto left = std::as_bytes(std::span(piece));
    const std::uint64_t sure = std::min<std::uint64_t>(body_.sure(), left.size());
    const auto* const front = left.data();
    const auto run = body_.next(left);
    require(run.empty() ? sure == 0 : run.data() + run.size() == left.data());
    if (sure > 0) require(run.data() == front && run.size() == sure);
    responses_.back().body.append(reinterpret_cast<const char*>(run.data()), run.size());
    require(body_.complete() || body_.fault() != Fault::none || !run.empty() || left.empty());
    piece.remove_prefix(piece.size() - left.size());
    look();
  }

  void look() {
    Response& response = responses_.back();
    if (declared_) require(response.body.size() <= *declared_);
    if (head_only_) require(response.body.empty());
    response.ended = body_.ended();
    if (body_.fault() != Fault::none) {
      require(response.ended == body_.fault() && body_.sure() == 0);
      return broken(body_.fault());
    }
    if (!body_.complete()) return;
    require(response.ended == Fault::none && body_.sure() == 0);
    if (declared_) require(response.body.empty() || response.body.size() == *declared_);
    done_ = true;
    over_ = !response.persistent;
  }

  void broken(Fault fault) {
    require(fault != Fault::none);
    responses_.back().fault = fault;
    over_ = true;
  }

  const bool head_only_;
  std::vector<Response> responses_;
  std::string line_;
  HeadReader head_;
  BodyReader body_;
  std::optional<std::uint64_t> declared_;
  std::size_t at_ = 0;
  bool in_body_ = false;
  bool done_ = false;  // the response at hand is complete
  bool over_ = false;  // nothing on the connection counts any more
};

template <class Size>
std::vector<Response> read(std::string_view bytes, bool head_only, Size size) {
  Connection connection(head_only);
  for (std::size_t i = 0; !bytes.empty(); ++i) {
    // A copy of its exact size, so that a sanitizer sees a read past its end.
    const std::vector<char> piece(bytes.begin(), bytes.begin() + std::min(bytes.size(), size(i)));
    connection.take({piece.data(), piece.size()});
    bytes.remove_prefix(piece.size());
  }
  return connection.responses();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 + kSizes) return 0;
  const bool head_only = data[0] == 'H';
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1 + kSizes, size - 1 - kSizes);
  const auto whole = read(bytes, head_only, [&](std::size_t) { return bytes.size(); });
  require(whole == read(bytes, head_only, [](std::size_t) { return std::size_t{1}; }));
  require(whole == read(bytes, head_only, [data](std::size_t i) {
            return std::size_t{data[1 + i % kSizes]} % 16 + 1;
          }));
  return 0;
}
