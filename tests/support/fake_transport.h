// SPDX-License-Identifier: MIT
//
// A transport the test plays by hand: it records every request and delivers what the test says.
//
// Fails the test when the loop breaks the contract of transport.h.  One thread.
#pragma once

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/range.h"
#include "fetch/transport.h"

namespace skimfs::test {

using Headers = std::vector<std::pair<std::string, std::string>>;

class FakeTransport final : public fetch::Transport {
 public:
  struct Sent {
    fetch::WireRequest request;
    fetch::Exchange* exchange = nullptr;  // null: ended or aborted
    std::optional<std::size_t> behind;    // sent so, whom
    bool aborted = false;                 // by the loop
    bool stopped = false;                 // by a callback
    bool well = false;                    // it ended so, and its connection goes on

    bool live() const noexcept { return exchange != nullptr; }
    // The value of a header sent, or "".
    std::string header(std::string_view name) const;
    // The range asked for.  The request has one.
    fetch::ByteRange range() const;
  };

  bool start(const fetch::WireRequest& request, fetch::Exchange& exchange) override;
  void abort(fetch::Exchange& exchange) noexcept override;
  void poll(std::chrono::milliseconds at_most) override;
  void wake() noexcept override {}
  void network_changed() override { ++network_changes; }

  // Whether requests are sent behind others that run.  Who plays them gives each its turn.
  bool pipelines = false;

  // Each acts on request `i`, counted from 0 in the order they were sent.  False: the loop stopped
  // the exchange, whose end() has been called.
  bool connect(std::size_t i, bool reused = false, bool public_peer = false);
  void lose(std::size_t i);  // after a reused connection
  bool head(std::size_t i, int status, const Headers& headers);
  bool body(std::size_t i, std::string_view bytes);
  void end(std::size_t i, fetch::Fault fault = fetch::Fault::none);

  // Connect, head, body with its Content-Length, end.
  void respond(std::size_t i, int status, Headers headers = {}, std::string_view body = {});

  std::size_t count() const noexcept { return sent.size(); }
  std::size_t running() const noexcept { return live.size(); }
  std::size_t running(std::string_view host_port) const noexcept;

  std::deque<Sent> sent;
  std::set<std::size_t> live;  // the requests that still run
  std::size_t peak = 0;
  unsigned network_changes = 0;

 private:
  template <class Call>
  bool deliver(std::size_t i, Call call);

  bool in_callback_ = false;
};

}  // namespace skimfs::test
