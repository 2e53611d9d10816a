// SPDX-License-Identifier: MIT
//
// One exchange on a connection that is there: the request goes out, the response comes in.
#include <algorithm>
#include <new>
#include <utility>

#include "fetch/curl_options.h"
#include "fetch/http_engine.h"

namespace skimfs::fetch {
namespace {

// TLS hands over a record at a time; after so many of one connection it is another's turn.
constexpr unsigned kMostRecords = 16;
// A head may not be longer, nor one line of it.
constexpr std::size_t kMostLine = 64 * 1024;

}  // namespace

void HttpTransport::Engine::talk(Connection& connection, bool reused) {
  connection.talk.reused = reused;
  connection.talk.exchange->connected(reused, connection.public_peer);
  send(connection);
}

// --------------------------------------------------------------------------------- the request

void HttpTransport::Engine::send(Connection& connection) {
  Talk& talk = connection.asking();
  const std::string_view rest = std::string_view(talk.request).substr(talk.sent);
  std::size_t sent = 0;
  const CURLcode code = curl_easy_send(connection.easy.get(), rest.data(), rest.size(), &sent);
  const bool failed = code != CURLE_OK && code != CURLE_AGAIN;
  // What has come of the answer before it can be read all the same.
  if (failed && connection.next.exchange) return ask_no_more(connection);
  if (failed) return broken(connection, code);
  talk.sent += sent;
  const bool blocked = !talk.all_sent();
  if (blocked == talk.blocked) return;
  talk.blocked = blocked;
  // By edges for TLS, which may wait for bytes to come while there is room for others to go.
  std::uint32_t events = EPOLLIN;
  if (blocked) events |= EPOLLOUT;
  if (blocked && connection.tls) events |= EPOLLET;
  if (watch_socket(connection.socket, events)) return;
  if (connection.next.exchange) return ask_no_more(connection);
  finish(connection, Fault::local, "epoll_ctl", false);
}

// The connection ends with the answer that is on its way.
void HttpTransport::Engine::ask_no_more(Connection& connection) noexcept {
  connection.talk.persistent = false;
  if (std::exchange(connection.next.blocked, false)) watch_socket(connection.socket, EPOLLIN);
}

// -------------------------------------------------------------------------------- the response

// One piece of plain text for each event: a second call would mostly find nothing.  TLS may hold
// more than the socket shows, so it is asked until there is none.
void HttpTransport::Engine::receive(Connection& connection) {
  for (unsigned record = 0; record < kMostRecords; ++record) {
    const std::span<std::byte> space = space_of(connection);
    std::size_t got = 0;
    const CURLcode code = curl_easy_recv(connection.easy.get(), space.data(), space.size(), &got);
    if (code == CURLE_AGAIN) return;
    if (code != CURLE_OK) return broken(connection, code);
    if (got == 0) return ended(connection);
    connection.talk.heard = true;
    take(connection, space.first(got));
    if (!connection.tls || connection.state != Connection::State::running) return;
  }
  if (!std::exchange(connection.pending, true)) pending_.push_back(&connection);
}

// Where the next bytes go.  In their own place only while they are of the body for sure.
std::span<std::byte> HttpTransport::Engine::space_of(const Connection& connection) {
  const Talk& talk = connection.talk;
  const auto sure = std::min<std::uint64_t>(talk.body.sure(), kMostAtOnce);
  if (talk.head.complete() && sure > 0) {
    const std::span<std::byte> own = talk.exchange->space();
    if (!own.empty()) return own.first(std::min<std::size_t>(own.size(), sure));
  }
  return buffer_;
}

void HttpTransport::Engine::take(Connection& connection, std::span<const std::byte> bytes) {
  try {
    if (!connection.talk.head.complete() && !take_head(connection, bytes)) return;
    take_body(connection, bytes);
  } catch (const std::bad_alloc&) {
    finish(connection, Fault::local, "no memory", false);
  }
}

// Takes lines of the head from the front of `bytes`.  True: it is whole, and a body may follow.
bool HttpTransport::Engine::take_head(Connection& connection, std::span<const std::byte>& bytes) {
  Talk& talk = connection.talk;
  while (!talk.head.complete()) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::size_t end = text.find('\n');
    const std::string_view piece = text.substr(0, end == text.npos ? end : end + 1);
    if (talk.line.size() + piece.size() > kMostLine) {
      finish(connection, Fault::header_limit, "a line of the head is too long", false);
      return false;
    }
    bytes = bytes.subspan(piece.size());
    if (end == text.npos) {
      talk.line.append(piece);
      if (talk.head.may_go_on(talk.line)) return false;
      finish(connection, Fault::protocol, "no head of HTTP/1.1", false);
      return false;
    }
    const bool whole = talk.line.empty();
    const HeadReader::Line line = talk.head.take(whole ? piece : talk.line.append(piece));
    talk.line.clear();
    if (line == HeadReader::Line::stop) {
      finish(connection, talk.head.fault(), "no head of HTTP/1.1", false);
      return false;
    }
    if (line == HeadReader::Line::final_head) return begin_body(connection);
  }
  return true;
}

bool HttpTransport::Engine::begin_body(Connection& connection) {
  Talk& talk = connection.talk;
  const ResponseHead head = talk.head.head();
  talk.body.begin(head, talk.head_only);
  talk.persistent = is_persistent(head, talk.head.minor()) && !talk.body.until_close();
  if (talk.exchange->head(head)) return true;
  finish(connection, Fault::stopped, "", false);
  return false;
}

void HttpTransport::Engine::take_body(Connection& connection, std::span<const std::byte> bytes) {
  Talk& talk = connection.talk;
  for (;;) {
    const std::span<const std::byte> run = talk.body.next(bytes);
    if (run.empty()) break;
    if (!talk.exchange->body(run)) return finish(connection, Fault::stopped, "", false);
  }
  if (talk.body.fault() != Fault::none)
    return finish(connection, talk.body.fault(), "the body has no end that can be known", false);
  if (!talk.body.complete()) return;
  // Bytes behind the end are of the next answer, if that was asked for, or of none.
  const bool asked = connection.next.exchange && connection.next.all_sent();
  const bool keep = talk.persistent && talk.all_sent() && (asked || bytes.empty());
  finish(connection, Fault::none, "", keep);
  if (!keep || bytes.empty()) return;
  connection.talk.heard = true;
  take(connection, bytes);
}

void HttpTransport::Engine::ended(Connection& connection) {
  const Talk& talk = connection.talk;
  if (!talk.head.complete())
    return lost(connection, Fault::reset, "the connection ended before an answer");
  const Fault fault = talk.body.ended();
  finish(connection, fault, fault == Fault::none ? "" : "the connection ended in the body", false);
}

// TLS tells more than the code, and some of it only now: that a certificate is wanted.
void HttpTransport::Engine::broken(Connection& connection, CURLcode code) {
  const std::array<char, CURL_ERROR_SIZE> words = connection.dial.error;
  lost(connection, Fault::reset, words[0] != '\0' ? words.data() : curl_easy_strerror(code));
}

void HttpTransport::Engine::lost(Connection& connection, Fault fault, std::string_view detail) {
  const Talk& talk = connection.talk;
  if (talk.reused && !talk.heard) return redial(connection);
  finish(connection, fault, detail, false);
}

// The connection had ended while it idled, which is nobody's fault: the request goes over another.
void HttpTransport::Engine::redial(Connection& connection) {
  connection.talk.exchange->lost();
  start_over(connection);
  dial(connection);
}

}  // namespace skimfs::fetch
