// SPDX-License-Identifier: MIT
//
// An HTTP/1.1 server on loopback that can be wrong in every way a test asks for, and remembers.
//
// Every file is a Body: what it serves is a function of path, version and offset.  Faults are
// switched on per path (Behaviour); requests and connections are recorded so that tests assert what
// was asked, not only what came out.  All calls: any thread.  A thread per connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/behaviour.h"
#include "tests/support/body.h"

namespace skimfs::test {

struct RequestRecord {
  std::uint64_t connection = 0;                              // counted from 1
  std::string method, target;                                // as sent
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  int status = 0;                                            // 0: not answered yet
  std::uint64_t body_sent = 0;                               // bytes of body handed to the socket
  bool done = false;                                         // nothing more will be sent

  // The value of a header field, by its name in lower case; empty if it was not sent.
  std::string_view header(std::string_view name) const noexcept;
  std::string_view range() const noexcept { return header("range"); }  // "bytes=0-99"
};

struct ConnectionCounts {
  unsigned open = 0, peak = 0;
  std::uint64_t total = 0;
};

class HostileOrigin {
 public:
  static constexpr unsigned kAlways = ~0u;

  // Listens on 127.0.0.1; port 0 takes a free one.  Throws std::system_error.
  explicit HostileOrigin(std::uint16_t port = 0);
  ~HostileOrigin();

  std::uint16_t port() const noexcept;
  std::string base() const;                      // "http://127.0.0.1:PORT"
  std::string url(std::string_view path) const;  // base() + path

  // `path` begins with "/", has no query; a request's query is ignored.  An unknown path is a 404.
  void add(const std::string& path, std::uint64_t size, Behaviour behaviour = {});
  void remove(const std::string& path);
  // `after` more requests of `path` get a correct answer, the next `times` this, later ones a
  // correct answer again.
  void behave(const std::string& path, Behaviour behaviour, unsigned times = kAlways,
              unsigned after = 0);
  // Each request, of whatever path, gets one of `faults` with this probability, instead of what
  // behave() says.  The same seed and order of requests: the same faults.
  void misbehave(std::uint64_t seed, double probability, std::vector<Behaviour> faults);
  // New content and new validators, from the next request on; the size stays unless given.
  void change(const std::string& path, std::optional<std::uint64_t> size = {});
  // The same, once `requests` more requests of `path` have come.
  void change_after(const std::string& path, unsigned requests,
                    std::optional<std::uint64_t> size = {});
  // New content under the old size and validators.
  void rewrite(const std::string& path);
  // The content served now.
  Body body(const std::string& path) const;
  std::string etag(const std::string& path) const;            // with quotes
  std::int64_t last_modified(const std::string& path) const;  // seconds since 1970

  // Accepts connections and says nothing on them, whatever is asked; from now on.
  void accept_in_silence(bool silent) noexcept;
  // Closes the listening socket (connects are refused), and opens it again on the same port.
  void stop_listening();
  void listen_again();
  // Drops every packet that arrives, on the floor: neither connections nor bytes are acknowledged.
  void drop_packets(bool dropping);
  // Closes connections that wait for a request, without a word.
  void drop_idle_connections();
  // Lets everything that is held or stalled go on, now and once.
  void release();

  // In order of arrival; `path` empty: all.
  std::vector<RequestRecord> requests(std::string_view path = {}) const;
  std::size_t count(std::string_view path = {}) const;
  void forget_requests();
  ConnectionCounts connections() const;

  // Waits until `holds()` is true, asked after each request, answer and change of connections.
  // False: it was not within `at_most`.  `holds` may call the const members.
  bool await(const std::function<bool()>& holds,
             std::chrono::milliseconds at_most = std::chrono::seconds(10)) const;

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace skimfs::test
